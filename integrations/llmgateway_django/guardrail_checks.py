"""System checks of guardrails, which name what is not there before a call finds out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.db import router

from llmgateway.config import AnyHook, Hook, SavedHook, parse_guardrail, parse_hooks
from llmgateway.engine.bind import Binder, Fault, Saved
from llmgateway.errors import InvalidConfig
from llmgateway.settings import Settings
from llmgateway_django.guardrail_faults import (
    STAGES,
    Stage,
    body_of,
    checks_of_project,
    demand_faults,
    faults_of,
    in_words,
)

__all__ = ["faults_of_saved", "faults_of_settings"]


def faults_of_settings(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the guardrails of the settings, a line each.

    Those that they name and do not have are looked for by `faults_of_saved`.
    """
    try:
        saved: Saved = {
            (slug, None): parse_guardrail(said, slug) for slug, said in settings.guardrails.items()
        }
        demands = [(stage, _known(_demanded(settings, stage), saved)) for stage in STAGES]
    except InvalidConfig as error:
        yield from (in_words(*fault) for fault in error.faults)
        return
    for slug, said in settings.guardrails.items():
        yield from (f"guardrails.{slug}: {in_words(*fault)}" for fault in faults_of(said))
    binder = Binder(checks_of_project(), saved)
    for stage, hooks in demands:
        inputs, outputs = (hooks, ()) if stage == "input" else ((), hooks)
        yield from (in_words(*fault) for fault in binder.bind(inputs, outputs, closed=True)[1])


def faults_of_saved(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the guardrails in the database, a line each."""
    for row in _rows("Guardrail").filter(status="active"):
        version = row.versions.first()
        if version is None:
            yield f"{row}: it has no checks"
            continue
        yield from _lines(row, faults_of(body_of(version)))
    for workspace in _rows("Workspace"):
        yield from _demands_of(workspace, workspace)
    keys = _rows("APIKey").filter(revoked_at=None)
    for key in keys.exclude(input_guardrails=[], output_guardrails=[]).select_related("workspace"):
        yield from _demands_of(key, key.workspace)
    for stage in STAGES:
        hooks = _demanded(settings, stage)
        slugs = [_slug_of(hook) for hook in hooks if isinstance(hook, SavedHook)]
        asked = [slug for slug in slugs if slug.partition("@")[0] not in settings.guardrails]
        yield from _lines("LLMGATEWAY", demand_faults(asked, stage, None))


def _rows(model: str) -> Any:
    found: Any = apps.get_model("llmgateway", model)
    return found.objects.using(router.db_for_read(found))


def _demands_of(row: Any, workspace: Any) -> Iterator[str]:
    for stage in STAGES:
        items = getattr(row, f"{stage}_guardrails")
        if items:
            yield from _lines(row, demand_faults(items, stage, workspace))


def _demanded(settings: Settings, stage: Stage) -> tuple[AnyHook, ...]:
    name = f"{stage}_guardrails"
    return parse_hooks(list(getattr(settings, name)), stage, name)


def _known(hooks: Sequence[AnyHook], saved: Saved) -> tuple[AnyHook, ...]:
    return tuple(
        hook for hook in hooks if isinstance(hook, Hook) or (hook.slug, hook.version) in saved
    )


def _slug_of(hook: SavedHook) -> str:
    return hook.slug if hook.version is None else f"{hook.slug}@{hook.version}"


def _lines(row: object, faults: Iterable[Fault]) -> Iterator[str]:
    yield from (f"{row}: {in_words(*fault)}" for fault in faults)
