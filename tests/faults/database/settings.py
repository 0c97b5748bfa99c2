"""The tests' project as a process of its own: its database and gateway come by the environment."""

from __future__ import annotations

import json
import os

from tests.django.project import settings as project
from tests.django.project.settings import *  # noqa: F403  # settings are all names of a module

DATABASES = {"default": {**project.DATABASES["default"], **json.loads(os.environ["DATABASE"])}}
LLMGATEWAY = json.loads(os.environ["GATEWAY"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
