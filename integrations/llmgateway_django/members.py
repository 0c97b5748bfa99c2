"""Which workspaces a user of the project belongs to, by themselves or by a group."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet

from llmgateway_django.models import Membership, Workspace

__all__ = ["workspaces_of"]

Role: Any = Membership.Role


def workspaces_of(user: Any, roles: Collection[str] = tuple(Role)) -> QuerySet[Workspace]:
    """Return the workspaces in which a user has one of these roles; a superuser has all."""
    if user.is_superuser:
        return Workspace.objects.all()
    is_theirs = Q(user=user.pk)
    if hasattr(user, "groups"):  # a user model of the project's own may have none
        is_theirs |= Q(group__in=user.groups.all())
    theirs = Membership.objects.filter(is_theirs, role__in=roles)
    return Workspace.objects.filter(pk__in=theirs.values("workspace"))
