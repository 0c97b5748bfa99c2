"""What is wrong with guardrails, and where: asked when they are saved and by system checks.

It imports no models, so that the app's configuration may import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from django.apps import apps
from django.db.models import F, Q

from llmgateway.config import Hook, SavedHook, parse_guardrail, parse_hooks
from llmgateway.engine.bind import Binder, Fault
from llmgateway.engine.check import dotted
from llmgateway.errors import InvalidConfig
from llmgateway.guardrails import Checks, builtin, declared

__all__ = [
    "STAGES",
    "Stage",
    "body_of",
    "checks_of_project",
    "demand_faults",
    "faults_of",
    "in_words",
]

_DRAFT = "pg-draft"
"""What a guardrail is called while it is checked."""
Stage = Literal["input", "output"]
STAGES: tuple[Stage, ...] = ("input", "output")


def checks_of_project() -> Checks:
    """Return all checks that a guardrail may name: ours, those of packages and of the apps."""
    known = builtin().discover()
    return known.with_checks(check for check in declared() if check.id not in known)


def body_of(version: Any) -> dict[str, Any]:
    """Return what a version says."""
    return {"checks": version.checks, "actions": version.actions}


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


def demand_faults(items: Sequence[Any], stage: Stage, workspace: Any) -> list[Fault]:
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


def _saved(hook: SavedHook, workspace: Any) -> Sequence[Hook] | None:
    """Return what a slug stands for in a workspace, as its calls will find it."""
    guardrails: Any = apps.get_model("llmgateway", "Guardrail")
    is_found = (
        Q(workspace=None) if workspace is None else Q(workspace=None) | Q(workspace=workspace)
    )
    rows = guardrails.objects.filter(is_found, slug=hook.slug, status=guardrails.Status.ACTIVE)
    row = rows.order_by(F("workspace").desc(nulls_last=True), "pk").first()
    if row is None:
        return None
    versions = row.versions.all()
    if hook.version is not None:
        versions = versions.filter(number=hook.version)
    version = versions.first()
    return None if version is None else parse_guardrail(body_of(version), row.slug)


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
