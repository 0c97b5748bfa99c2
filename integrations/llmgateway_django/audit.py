"""Writes down who changed what: `AuditEvent`s, in the transaction of the change itself.

An event names fields, ids and versions. Secrets are named at most; what is sealed or a digest is
not even that, and what looks like a secret where none belongs gets a mark in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import router, transaction

from llmgateway.redaction import redacted_text, redacted_value
from llmgateway_django.models import AuditEvent

__all__ = ["MAX_VALUE_CHARS", "Change", "delete", "differences", "record", "save", "values_of"]

MAX_VALUE_CHARS = 2000
"""A value that is longer as JSON is kept as a text of that length, which ends in `…`."""
_CUT = "…"

Change = tuple[Any, Any]
"""A field's value before, and after."""


def record(
    actor: Any,
    action: str,
    obj: Any,
    changes: Mapping[str, Change] | None = None,
    *,
    secrets: Iterable[str] = (),
) -> AuditEvent:
    """Keep that `actor` did `action` to a model's row; call it in the change's transaction.

    `actor` is a user of the project, or None for a command. `action` is a word such as `created`.
    `changes` has values by field as `differences` returns them; `secrets` are the names of secret
    fields that were set or dropped, kept under `secrets`. A row that is deleted is told of before.
    """
    kept: dict[str, Any] = {
        name: [_bounded(before), _bounded(after)]
        for name, (before, after) in (changes or {}).items()
    }
    names = sorted(secrets)
    if names:
        kept["secrets"] = names
    event: AuditEvent = AuditEvent.objects.using(
        router.db_for_write(AuditEvent, instance=obj)
    ).create(
        actor="" if actor is None else _cut(str(actor.pk), 200),
        actor_name="" if actor is None else _cut(str(actor.get_username()), 200),
        workspace=_workspace_of(obj),
        action=action,
        kind=obj._meta.model_name,
        object_id=_cut(str(obj.pk), 64),
        object_name=_cut(redacted_text(str(obj)), 200),
        changes=kept,
    )
    return event


def save(actor: Any, obj: Any) -> None:
    """Save a row, and keep what that has changed: `created`, or `changed` if anything was."""
    using = router.db_for_write(type(obj), instance=obj)
    with transaction.atomic(using=using):
        stored = None
        if not obj._state.adding:
            stored = type(obj)._base_manager.using(using).filter(pk=obj.pk).first()
        obj.save(using=using)
        changes = differences({} if stored is None else values_of(stored), values_of(obj))
        if stored is None or changes:
            record(actor, "created" if stored is None else "changed", obj, changes)


def delete(actor: Any, obj: Any) -> None:
    """Delete a row, and keep that it was `deleted`."""
    using = router.db_for_write(type(obj), instance=obj)
    with transaction.atomic(using=using):
        record(actor, "deleted", obj)
        obj.delete(using=using)


def values_of(obj: Any) -> dict[str, Any]:
    """Return a row's values by field, without those that no form shows: ids, times, what is sealed.

    Other rows are named by their ids.
    """
    return {
        field.name: field.value_from_object(obj)
        for field in obj._meta.concrete_fields
        if field.editable and not field.primary_key
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    """Return what differs between two results of `values_of`."""
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if before.get(name) != value
    }


def _workspace_of(obj: Any) -> str:
    """Return the id of the workspace that a row belongs to; empty for one that all share."""
    for owner in ("config", "api_key"):
        obj = getattr(obj, owner, obj)
    if obj._meta.model_name == "workspace":
        return str(obj.pk)
    workspace_id = getattr(obj, "workspace_id", None)
    return "" if workspace_id is None else str(workspace_id)


def _bounded(value: Any) -> Any:
    value = redacted_value(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) > MAX_VALUE_CHARS:
        return _cut(text, MAX_VALUE_CHARS)
    return value if isinstance(value, str) else json.loads(text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - len(_CUT)] + _CUT
