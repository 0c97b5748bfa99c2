"""The request log.

It has no foreign key: so it may live in another database, be cut into partitions by `RANGE (id)`,
and outlive what it tells of. Absent texts are empty, absent figures are null.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["RequestBody", "RequestLog"]


class RequestLog(models.Model):
    """What became of one request."""

    id = models.UUIDField(
        _("id"), primary_key=True, editable=False, help_text=_("Begins with the time (UUIDv7).")
    )
    trace_id = models.CharField(_("trace id"), max_length=255)
    started_at = models.DateTimeField(_("started at"))
    duration_ms = models.FloatField(_("duration in ms"))
    first_byte_ms = models.FloatField(_("first byte after ms"), null=True)
    method = models.CharField(_("method"), max_length=16)
    path = models.CharField(_("path"), max_length=500)
    endpoint = models.CharField(_("endpoint"), max_length=64, blank=True)
    status = models.PositiveSmallIntegerField(_("status"))
    error = models.CharField(_("error"), max_length=100, blank=True)
    principal = models.CharField(
        _("caller"), max_length=200, blank=True, help_text=_("The key, or the host's own caller.")
    )
    user = models.CharField(
        _("user"),
        max_length=100,
        blank=True,
        help_text=_("Who called, or whose key it was."),
    )
    workspace = models.CharField(
        _("workspace"), max_length=64, blank=True, help_text=_("The workspace's id.")
    )
    target = models.CharField(_("target"), max_length=500, blank=True)
    provider = models.CharField(_("provider"), max_length=100, blank=True)
    model = models.CharField(_("model"), max_length=200, blank=True)
    stream = models.BooleanField(_("streamed"), default=False)
    input_tokens = models.BigIntegerField(_("input tokens"), default=0)
    input_audio_tokens = models.BigIntegerField(_("input audio tokens"), default=0)
    cache_read_tokens = models.BigIntegerField(_("tokens read from cache"), default=0)
    cache_write_tokens = models.BigIntegerField(_("tokens written to cache"), default=0)
    cache_write_1h_tokens = models.BigIntegerField(
        _("tokens written to cache for an hour"), default=0
    )
    output_tokens = models.BigIntegerField(_("output tokens"), default=0)
    output_audio_tokens = models.BigIntegerField(_("output audio tokens"), default=0)
    reasoning_tokens = models.BigIntegerField(_("reasoning tokens"), default=0)
    usage_source = models.CharField(
        _("source of the tokens"),
        max_length=16,
        help_text=_("Who counted: provider, or estimated."),
    )
    cost_nano = models.BigIntegerField(
        _("cost in nano-dollars"), null=True, help_text=_("Empty: unknown.")
    )
    attempts = models.JSONField(_("attempts"), default=list)
    metadata = models.JSONField(_("metadata"), default=dict)
    dropped = models.JSONField(_("dropped parameters"), default=list)
    adjusted = models.JSONField(_("adjusted parameters"), default=list)
    hook_results = models.JSONField(
        _("guardrails"), null=True, help_text=_("Which ran, and what each decided; no texts.")
    )

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("request log")
        ordering = ["-id"]
        default_permissions = ("view", "delete")
        indexes = [
            # By name: `db_index` would make PostgreSQL keep a second index for LIKE.
            models.Index(fields=["trace_id"], name="llmgateway_log_trace"),
            # Newest first within what a member may see.
            models.Index(fields=["workspace", "id"], name="llmgateway_log_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"


class RequestBody(models.Model):
    """What a request and its answer said; kept only where the project asks for it.

    In a table of its own, so that the log stays narrow and bodies may go earlier.
    """

    id = models.UUIDField(
        _("id"), primary_key=True, editable=False, help_text=_("The request's, in the log.")
    )
    request = models.TextField(_("request"), blank=True)
    response = models.TextField(_("answer"), blank=True)

    class Meta:
        verbose_name = _("body")
        verbose_name_plural = _("bodies")
        ordering = ["-id"]
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return str(self.id)
