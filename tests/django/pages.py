"""What tests of the admin's pages share: addresses, rows and browsers of staff."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from llmgateway_django.models import Membership, RequestLog, Workspace

XSS = "<script>alert(1)</script>"

Staff = Callable[[Workspace | None, str], Client]


def url(name: str, *args: Any) -> str:
    """Return a page's address."""
    return str(reverse(f"admin:llmgateway_{name}", args=args))


def log_in(workspace: Workspace | None, role: str) -> Client:
    """Log in a staff user with all of Django's permissions, and a role in one workspace."""
    of = "none" if workspace is None else workspace.slug
    user = get_user_model().objects.create_user(f"{role}-of-{of}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="llmgateway"))
    if workspace is not None:
        Membership.objects.create(workspace=workspace, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def log_row(workspace: Workspace | None, number: int, **more: Any) -> RequestLog:
    """Write a row of the log."""
    made: RequestLog = RequestLog.objects.create(
        id=UUID(int=number),
        trace_id=more.pop("trace_id", f"trace-{number}"),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_ms=1.0,
        method="POST",
        path=more.pop("path", "/v1/chat/completions"),
        status=more.pop("status", 200),
        workspace="" if workspace is None else str(workspace.pk),
        usage_source="provider",
        **more,
    )
    return made


def errors_of(answer: Any) -> dict[str, list[str]]:
    """Return what a form's answer complains of, by field; empty if it took everything."""
    if answer.status_code == 302:
        return {}
    found: dict[str, list[str]] = dict(answer.context["adminform"].form.errors)
    return found
