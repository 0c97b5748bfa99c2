"""Two workspaces with one of everything, staff of all kinds, and a way to try what each may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client

from llmgateway_django import audit
from llmgateway_django.configs import save_config
from llmgateway_django.guardrails import save_guardrail
from llmgateway_django.keys import create_key
from llmgateway_django.models import (
    AuditEvent,
    Guardrail,
    Integration,
    Membership,
    RequestBody,
    SavedConfig,
    VirtualKey,
    Workspace,
)
from llmgateway_django.vault import set_secrets
from tests.django.pages import log_row

ROLES = ("superuser", "admin", "manager", "member", "powerless", "outsider", "stranger")
"""Staff. The powerless one is an admin without Django's permissions, the outsider is in no
workspace, and the stranger is an admin of the other one."""
NOT_STAFF = ("visitor", "anonymous")
"""The visitor has an admin's place in the workspace and all permissions, but is not staff."""


@dataclass
class World:
    """What there is. `rows` has the row of each model, by whose it is and the model's name."""

    shop: Workspace
    other: Workspace
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    before: Any = None
    """The tables as they are; all that is tried is taken back."""


def make_world() -> World:
    """Make both workspaces. The names of what is in one begin with `ours-` or `theirs-`."""
    shop = Workspace.objects.create(name="ours-shop", slug="ours-shop")
    other = Workspace.objects.create(name="theirs-shop", slug="theirs-shop")
    world = World(shop, other)
    world.rows = {"ours": _one_of_each("ours", shop, 1), "theirs": _one_of_each("theirs", other, 2)}
    shared = Integration.objects.create(name="theirs-shared", provider="openai")
    of_none = log_row(None, 3, model="theirs-model")
    event = audit.record(None, "created", shared)
    world.rows["shared"] = {
        "integration": shared,
        "guardrail": _guardrail("theirs-shared-by-all", None, "pg-theirs-shared"),
        "requestlog": of_none,
        "auditevent": event,
    }
    for role in (*ROLES, *NOT_STAFF):
        world.clients[role] = _browser(world, role)
    world.before = fingerprint()
    return world


def _one_of_each(whose: str, workspace: Workspace, number: int) -> dict[str, Any]:
    integration = Integration.objects.create(
        workspace=workspace, name=f"{whose}-account", provider="openai"
    )
    set_secrets(integration, {"api_key": f"sk-{whose}"})
    config = SavedConfig.objects.create(
        workspace=workspace, name=f"{whose}-config", slug=f"pc-{whose}"
    )
    save_config(config, {"provider": "openai", "override_params": {"user": f"{whose}-user"}})
    row = log_row(workspace, number, model=f"{whose}-model", metadata={"who": f"{whose}-client"})
    RequestBody.objects.create(id=row.pk, request=f"{whose}-prompt", response=f"{whose}-answer")
    return {
        "workspace": workspace,
        "integration": integration,
        "virtualkey": VirtualKey.objects.create(
            workspace=workspace, slug=f"{whose}-slug", integration=integration
        ),
        "savedconfig": config,
        "guardrail": _guardrail(f"{whose}-guardrail", workspace, f"pg-{whose}"),
        "apikey": create_key(workspace, f"{whose}-key").api_key,
        "requestlog": row,
        "auditevent": AuditEvent.objects.filter(workspace=str(workspace.pk))[0],
    }


def _guardrail(name: str, workspace: Workspace | None, slug: str) -> Guardrail:
    made: Guardrail = Guardrail.objects.create(workspace=workspace, name=name, slug=slug)
    save_guardrail(made, [{"id": "default.contains", "parameters": {"words": [f"{slug}-word"]}}])
    return made


def _browser(world: World, role: str) -> Client:
    client = Client()
    if role == "anonymous":
        return client
    users = get_user_model().objects
    if role == "superuser":
        client.force_login(users.create_superuser("superuser"))
        return client
    user = users.create_user(role, is_staff=role != "visitor")
    if role != "powerless":
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="llmgateway"))
    if role != "outsider":
        place = world.other if role == "stranger" else world.shop
        is_admin = role in ("powerless", "stranger", "visitor")
        Membership.objects.create(workspace=place, user=user, role="admin" if is_admin else role)
    client.force_login(user)
    return client


def fingerprint() -> list[list[Any]]:
    """Return all rows of the gateway's tables, as the database has them."""
    tables = [model._meta.db_table for model in apps.get_app_config("llmgateway").get_models()]
    found = []
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")
            found.append(cursor.fetchall())
    return found


@contextmanager
def undone() -> Iterator[None]:
    """Take back what is changed within."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
