"""Sums by the hour, so that reports read some rows and not the whole log."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["LATENCIES_MS", "UsageRollup"]

LATENCIES_MS = tuple(100 * 2**step for step in range(11))
"""The upper bounds of the latency columns; what took longer is in `requests` alone."""


class UsageRollup(models.Model):
    """What one caller used of one model within one hour.

    It lies where the request log does, and is written in the same transaction. The texts that
    tell rows apart are empty where the log's are, never null: databases take two nulls for two.
    """

    hour = models.DateTimeField(_("hour"))
    workspace = models.CharField(_("workspace"), max_length=64)
    principal = models.CharField(_("caller"), max_length=200)
    user = models.CharField(_("user"), max_length=100)
    provider = models.CharField(_("provider"), max_length=100)
    model = models.CharField(_("model"), max_length=200)
    requests = models.BigIntegerField(_("requests"))
    errors = models.BigIntegerField(_("errors"))
    input_tokens = models.BigIntegerField(_("input tokens"))
    input_audio_tokens = models.BigIntegerField(_("input audio tokens"))
    cache_read_tokens = models.BigIntegerField(_("tokens read from cache"))
    cache_write_tokens = models.BigIntegerField(_("tokens written to cache"))
    cache_write_1h_tokens = models.BigIntegerField(_("tokens written to cache for an hour"))
    output_tokens = models.BigIntegerField(_("output tokens"))
    output_audio_tokens = models.BigIntegerField(_("output audio tokens"))
    reasoning_tokens = models.BigIntegerField(_("reasoning tokens"))
    cost_nano = models.BigIntegerField(
        _("cost in nano-dollars"), help_text=_("Of the requests whose cost is known.")
    )
    unpriced = models.BigIntegerField(_("requests of unknown cost"))
    ms_100 = models.BigIntegerField(_("up to 0.1 s"))
    ms_200 = models.BigIntegerField(_("up to 0.2 s"))
    ms_400 = models.BigIntegerField(_("up to 0.4 s"))
    ms_800 = models.BigIntegerField(_("up to 0.8 s"))
    ms_1600 = models.BigIntegerField(_("up to 1.6 s"))
    ms_3200 = models.BigIntegerField(_("up to 3.2 s"))
    ms_6400 = models.BigIntegerField(_("up to 6.4 s"))
    ms_12800 = models.BigIntegerField(_("up to 12.8 s"))
    ms_25600 = models.BigIntegerField(_("up to 25.6 s"))
    ms_51200 = models.BigIntegerField(_("up to 51.2 s"))
    ms_102400 = models.BigIntegerField(_("up to 102.4 s"))

    class Meta:
        verbose_name = _("hourly usage")
        verbose_name_plural = _("hourly usage")
        ordering = ["-hour"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "workspace", "principal", "user", "provider", "model"],
                name="llmgateway_usage_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.principal} {self.model}"
