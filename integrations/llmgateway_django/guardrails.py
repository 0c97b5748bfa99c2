"""Saves guardrails: each change is a version of its own, and is sound when it is saved.

The project's own checks are in `guardrails.py` of its apps, which are imported at the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.db.models import F

from llmgateway_django import audit
from llmgateway_django.guardrail_faults import (
    Stage,
    body_of,
    checks_of_project,
    demand_faults,
    faults_of,
    in_words,
)
from llmgateway_django.models import Guardrail, GuardrailVersion, Workspace

__all__ = [
    "MAX_GUARDRAIL_BYTES",
    "check_demands",
    "check_guardrail",
    "check_guardrail_json",
    "checks_of_project",
    "save_guardrail",
]

MAX_GUARDRAIL_BYTES = 256 * 2**10


def save_guardrail(
    guardrail: Guardrail,
    checks: Sequence[Mapping[str, Any]],
    actions: Mapping[str, Any] | None = None,
    *,
    by: Any = None,
) -> GuardrailVersion:
    """Make this the newest version of a guardrail, and return it; `by` is the user.

    `checks` are objects with `id` and `parameters`, `actions` say what becomes of a call:
    `{"deny": true}`. What says the same as the version in force makes no other one. Safe when two
    do so at once. Raises `ValidationError` as `check_guardrail` does.
    """
    body = check_guardrail(checks, actions)
    using = router.db_for_write(Guardrail, instance=guardrail)
    with transaction.atomic(using=using):
        # A write that changes nothing: it is the one lock that SQLite has as well.
        Guardrail.objects.using(using).filter(pk=guardrail.pk).update(slug=F("slug"))
        versions = GuardrailVersion.objects.using(using).filter(guardrail=guardrail)
        newest: GuardrailVersion | None = versions.select_for_update().order_by("-number").first()
        if newest is not None and _text(body_of(newest)) == _text(body):
            return newest
        before = None if newest is None else newest.number
        version: GuardrailVersion = versions.create(
            guardrail=guardrail,
            number=(before or 0) + 1,
            created_by="" if by is None else str(by.pk),
            **body,
        )
        audit.record(by, "guardrail_saved", guardrail, {"version": (before, version.number)})
    return version


def check_guardrail(
    checks: Sequence[Mapping[str, Any]], actions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return both as they are kept, if they are a guardrail that can run.

    Raises `ValidationError` with a message for each fault: `checks[0].parameters.words: …`.
    """
    body: dict[str, Any] = check_guardrail_json({"checks": checks, "actions": actions or {}})
    if faults := faults_of(body):
        raise ValidationError([in_words(*fault) for fault in faults])
    return body


def check_demands(items: Sequence[Any], stage: Stage, workspace: Workspace | None) -> None:
    """Check a list of guardrails that a workspace, or a key of it, demands.

    `workspace` is None for one that is not saved yet. Raises `ValidationError` with a message for
    each fault.
    """
    faults = demand_faults(check_guardrail_json(items), stage, workspace)
    if faults:
        raise ValidationError([in_words(*fault) for fault in faults])


def check_guardrail_json(value: Any) -> Any:
    """Return a copy as JSON has it. Raises `ValidationError` for what no column takes."""
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise ValidationError("This is no JSON.") from None
    if len(text) > MAX_GUARDRAIL_BYTES:
        raise ValidationError(f"A guardrail has at most {MAX_GUARDRAIL_BYTES} bytes.")
    if rb"\u0000" in text:  # no column of PostgreSQL's takes it
        raise ValidationError("A guardrail holds no NUL characters.")
    return orjson.loads(text)


def _text(data: Any) -> bytes:
    """Return JSON as one text, whatever order a database keeps members in."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
