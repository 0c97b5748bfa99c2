"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class NotesConfig(AppConfig):
    """An app that knows nothing of the gateway."""

    name = "tests.django.project.notes"
    default_auto_field = "django.db.models.BigAutoField"
