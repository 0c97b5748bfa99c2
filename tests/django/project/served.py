"""The project's settings in a server's process: whoever starts it says where its data is."""

from __future__ import annotations

import json
import os

import pymysql

from tests.django.project.settings import *  # noqa: F403  # as Django's own guide does it

pymysql.install_as_MySQLdb()  # as in `tests.stores.servers`
DATABASES = {"default": {**json.loads(os.environ["TEST_DATABASE"]), "ATOMIC_REQUESTS": True}}
LLMGATEWAY = json.loads(os.environ["TEST_LLMGATEWAY"])
