"""A table that the gateway must leave alone."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Note(models.Model):
    """A user's note."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.TextField()

    def __str__(self) -> str:
        return f"note {self.pk}"
