"""What a WSGI server serves: the project, for browsers with the styles and scripts of its admin."""

from __future__ import annotations

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.project.served"
application = get_wsgi_application()


def with_static() -> WSGIHandler:
    """Return it with static files."""
    return StaticFilesHandler(application)
