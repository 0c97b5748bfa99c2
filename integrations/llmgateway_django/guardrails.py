"""Saves guardrails: each change is a version of its own, and is sound when it is saved.

The project's own checks are in `guardrails.py` of its apps, which are imported at the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.db.models import F, Q

from llmgateway.config import Hook, SavedHook, parse_guardrail, parse_hooks
from llmgateway.engine.bind import Binder, Fault
from llmgateway.engine.check import dotted
from llmgateway.errors import InvalidConfig
from llmgateway.guardrails import Checks, builtin, declared
from llmgateway_django import audit
from llmgateway_django.models import Guardrail, GuardrailVersion, Workspace

__all__ = [
    "MAX_GUARDRAIL_BYTES",
    "STAGES",
    "Stage",
    "check_demands",
    "check_guardrail",
    "check_guardrail_json",
    "checks_of_project",
    "body_of",
    "demand_faults",
    "faults_of",
    "in_words",
    "save_guardrail",
]

MAX_GUARDRAIL_BYTES = 256 * 2**10
_DRAFT = "pg-draft"
"""What a guardrail is called while it is checked."""
Stage = Literal["input", "output"]
STAGES: tuple[Stage, ...] = ("input", "output")


def checks_of_project() -> Checks:
    """Return all checks that a guardrail may name: ours, those of packages and of the apps."""
    known = builtin().discover()
    return known.with_checks(check for check in declared() if check.id not in known)


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


def body_of(version: GuardrailVersion) -> dict[str, Any]:
    """Return what a version says."""
    return {"checks": version.checks, "actions": version.actions}


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


def faults_of(body: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with `{"checks": […], "actions": {…}}`: JSON paths, and words.

    It must be able to run at one of both ends of a call, if not at each.
    """
    try:
        hooks = parse_guardrail(dict(body), _DRAFT)
    except InvalidConfig as error:
        return [(_without_slug(path), words) for path, words in _faults_in(error)]
    binder = Binder(checks_of_project())
    at_input = binder.bind(hooks, (), closed=True)[1]
    at_output = binder.bind((), hooks, closed=True)[1]
    fewest = min(at_input, at_output, key=len)
    return [(_without_slug(path), words) for path, words in fewest]


def check_demands(items: Sequence[Any], stage: Stage, workspace: Workspace | None) -> None:
    """Check a list of guardrails that a workspace, or a key of it, demands.

    `workspace` is None for one that is not saved yet. Raises `ValidationError` with a message for
    each fault.
    """
    faults = demand_faults(check_guardrail_json(items), stage, workspace)
    if faults:
        raise ValidationError([in_words(*fault) for fault in faults])


def demand_faults(items: Sequence[Any], stage: Stage, workspace: Workspace | None) -> list[Fault]:
    """Return what is wrong with a list of guardrails, saved ones among them."""
    try:
        hooks = parse_hooks(items, stage, f"{stage}_guardrails")
        saved = {
            (hook.slug, hook.version): _saved(hook, workspace)
            for hook in hooks
            if isinstance(hook, SavedHook)
        }
    except InvalidConfig as error:
        return _faults_in(error)
    binder = Binder(
        checks_of_project(), {name: found for name, found in saved.items() if found is not None}
    )
    inputs, outputs = (hooks, ()) if stage == "input" else ((), hooks)
    return binder.bind(inputs, outputs, closed=True)[1]


def _saved(hook: SavedHook, workspace: Workspace | None) -> Sequence[Hook] | None:
    """Return what a slug stands for in a workspace, as its calls will find it."""
    is_found = (
        Q(workspace=None) if workspace is None else Q(workspace=None) | Q(workspace=workspace)
    )
    rows = Guardrail.objects.filter(is_found, slug=hook.slug, status=Guardrail.Status.ACTIVE)
    row = rows.order_by(F("workspace").desc(nulls_last=True), "pk").first()
    if row is None:
        return None
    versions = row.versions.all()
    if hook.version is not None:
        versions = versions.filter(number=hook.version)
    version = versions.first()
    return None if version is None else parse_guardrail(body_of(version), row.slug)


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


def _faults_in(error: InvalidConfig) -> list[Fault]:
    """Return faults with paths as one writes them: `checks[0].id`."""
    return [(_dotted(path), words) for path, words in error.faults] or [("", error.message)]


def _dotted(path: str) -> str:
    return dotted(tuple(int(step) if step.isdecimal() else step for step in path.split(".")))


def _without_slug(path: str) -> str:
    return path.removeprefix(_DRAFT).removeprefix(".")


def in_words(path: str, words: str) -> str:
    """Return a fault as one line."""
    return f"{path}: {words}" if path else words


def _text(data: Any) -> bytes:
    """Return JSON as one text, whatever order a database keeps members in."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
