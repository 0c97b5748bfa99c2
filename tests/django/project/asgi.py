"""What an ASGI server serves: the project, or the gateway in front of it."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from llmgateway_asgi.front import ASGIApp
from llmgateway_django.asgi import mount

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.project.served"
application = get_asgi_application()


def front() -> ASGIApp:
    """Return the mount."""
    return mount(application, prefix="/llm")
