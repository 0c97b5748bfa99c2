"""From the JSON of guardrails and mutators to hooks, and all that is wrong with it.

As in `rules`, the raw JSON is read, whatever its shape: so a caller sees the faults of hooks
together with all others. Source: the Portkey config schema, section 8, and its guardrails page.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from llmgateway.config import schema
from llmgateway.config.conditions import Location
from llmgateway.config.hooks import AnyHook, CheckSpec, Feedback, Hook, SavedHook
from llmgateway.config.rules import Fault
from llmgateway.types import JSON

MAX_HOOKS = 64
"""How many guardrails and mutators a config may state."""
MAX_CHECKS = 256
"""How many checks they may have together."""

Kind = Literal["guardrail", "mutator"]
Stage = Literal["input", "output"]
Shape = TypeVar("Shape", bound=BaseModel)

SAVED = re.compile(r"(?P<slug>pg-[\w-]{1,61})(?:@(?P<version>[1-9]\d{0,8}))?", re.ASCII)
"""How a saved guardrail is named."""
_WRONG_SLUG = "Must be the slug of a saved guardrail: pg-…, or pg-…@3 for its third version"
_NO_CHECK = "Must hold a check; the slug of a saved guardrail (pg-…) stands alone"
_NOT_PARAMETERS = (
    "Must be an object, the parameters of a check. What is no check is one of "
    + ", ".join(sorted(key for key in schema.CONTROL_KEYS if key == key.lower()))
)


@dataclass(frozen=True, slots=True)
class Groups:
    """The hooks that one target states itself; None where it has no such key."""

    input: tuple[AnyHook, ...] | None = None
    output: tuple[AnyHook, ...] | None = None
    default_input: tuple[AnyHook, ...] = ()
    default_output: tuple[AnyHook, ...] = ()


NO_GROUPS = Groups()
_OWN: Mapping[Stage, tuple[str, ...]] = {
    "input": ("before_request_hooks", "input_guardrails", "input_mutators"),
    "output": ("after_request_hooks", "output_guardrails", "output_mutators"),
}
"""The keys of a target whose lists, in this order, are its own hooks."""


class HookReader:
    """Reads the hooks of one config and collects all that is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._hooks = 0
        self._checks = 0

    def read_tree(
        self, node: Any, path: str = "config", location: Location = ()
    ) -> Iterator[tuple[str, Groups]]:
        """Yield the path and the hooks of each target that states any."""
        if not isinstance(node, dict):
            return
        lists = {
            schema.snake_case(key): (value, (*location, key))
            for key, value in node.items()
            if isinstance(value, list)
        }
        found = Groups(
            input=self._own("input", lists),
            output=self._own("output", lists),
            default_input=self._listed("default_input_guardrails", "input", lists),
            default_output=self._listed("default_output_guardrails", "output", lists),
        )
        if found != NO_GROUPS:
            yield path, found
        for index, target in enumerate(lists.get("targets", ((), ()))[0]):
            below = (*location, "targets", index)
            yield from self.read_tree(target, f"{path}.targets[{index}]", below)

    def _own(
        self, stage: Stage, lists: Mapping[str, tuple[list[Any], Location]]
    ) -> tuple[AnyHook, ...] | None:
        if not any(key in lists for key in _OWN[stage]):
            return None
        return tuple(hook for key in _OWN[stage] for hook in self._listed(key, stage, lists))

    def _listed(
        self, key: str, stage: Stage, lists: Mapping[str, tuple[list[Any], Location]]
    ) -> tuple[AnyHook, ...]:
        raw, location = lists.get(key, ((), ()))
        if key.endswith("_hooks"):
            hooks = (self._full(one, stage, (*location, i)) for i, one in enumerate(raw))
            return tuple(hook for hook in hooks if hook is not None)
        kind: Kind = "mutator" if key.endswith("_mutators") else "guardrail"
        return self.read_list(raw, stage, location, kind)

    def read_list(
        self, raw: Sequence[Any], stage: Stage, location: Location, kind: Kind = "guardrail"
    ) -> tuple[AnyHook, ...]:
        """Return the hooks of a list of guardrails or mutators in short."""
        hooks = (self._short(one, kind, stage, (*location, i)) for i, one in enumerate(raw))
        return tuple(hook for hook in hooks if hook is not None)

    def read_saved(self, raw: Any, slug: str) -> Hook | None:
        """Return the hook of a saved guardrail, whose JSON has `checks` and `actions` or is short.

        Its id is the slug unless it says another.
        """
        if isinstance(raw, dict) and not raw.keys() & {"checks", "actions"}:
            return self._inline(raw, "guardrail", (slug,), slug)
        return self._written(schema.SavedGuardrail, raw, (slug,), slug)

    def check_count(self) -> None:
        """Find out whether there are too many hooks or checks in what has been read."""
        if self._hooks > MAX_HOOKS or self._checks > MAX_CHECKS:
            what = f"{MAX_HOOKS} guardrails and mutators with {MAX_CHECKS} checks"
            self._refuse((), f"Must not hold more than {what}")

    # ---- hooks

    def _short(self, raw: Any, kind: Kind, stage: Stage, location: Location) -> AnyHook | None:
        if isinstance(raw, str) and kind == "guardrail":
            return self._reference(raw, location, location)
        if not isinstance(raw, dict):
            slug = ", or the slug of a saved guardrail (pg-…)" if kind == "guardrail" else ""
            self._refuse(location, f"Must be an object{slug}")
            return None
        names = [key for key in raw if schema.snake_case(key) in ("id", "guardrail_version_id")]
        if len(names) == len(raw) == 1 and kind == "guardrail":
            return self._reference(raw[names[0]], (*location, names[0]), location)
        return self._inline(raw, kind, location, _generated_id(stage, kind, location))

    def _reference(self, raw: Any, location: Location, hook: Location) -> SavedHook | None:
        match = SAVED.fullmatch(raw) if isinstance(raw, str) else None
        self._hooks += 1
        if match is None:
            self._refuse(location, _WRONG_SLUG)
            return None
        version = match["version"]
        return SavedHook(match["slug"], int(version) if version else None, json_path(hook))

    def _inline(
        self, raw: Mapping[str, Any], kind: Kind, location: Location, hook_id: str
    ) -> Hook | None:
        controls = {key: value for key, value in raw.items() if key in schema.CONTROL_KEYS}
        checks = [
            self._short_check(key, value, (*location, key))
            for key, value in raw.items()
            if key not in schema.CONTROL_KEYS
        ]
        actions = self._validate(schema.Actions, controls, location)
        if not checks:
            self._refuse(location, _NO_CHECK)
        whole = [check for check in checks if check is not None]
        return self._hook(actions, whole, kind, location, hook_id)

    def _short_check(self, key: str, raw: Any, location: Location) -> CheckSpec | None:
        if not isinstance(raw, dict):
            self._refuse(location, _NOT_PARAMETERS)
            return None
        stated = {name: raw[name] for name in ("id", "is_enabled", "isEnabled") if name in raw}
        parameters = {name: value for name, value in raw.items() if name not in stated}
        members = {"id": key, **stated, "parameters": parameters}
        check = self._validate(schema.Check, members, location)
        return self._check(check, location)

    def _full(self, raw: Any, stage: Stage, location: Location) -> Hook | None:
        is_mutator = isinstance(raw, dict) and raw.get("type") == "mutator"
        kind: Kind = "mutator" if is_mutator else "guardrail"
        return self._written(schema.Hook, raw, location, _generated_id(stage, kind, location))

    def _written(
        self, shape: type[schema.Hook], raw: Any, location: Location, hook_id: str
    ) -> Hook | None:
        hook = self._validate(shape, raw, location)
        if hook is None:
            self._hooks += 1
            return None
        specs = [
            self._check(check, (*location, "checks", index, "parameters"))
            for index, check in enumerate(hook.checks)
        ]
        actions: schema.Actions | None = hook
        if isinstance(hook, schema.SavedGuardrail) and hook.actions is not None:
            actions = self._joined(hook, hook.actions, location)
        whole = [spec for spec in specs if spec is not None]
        return self._hook(actions, whole, hook.type, location, hook_id)

    def _joined(
        self, hook: schema.SavedGuardrail, actions: schema.Actions, location: Location
    ) -> schema.Actions:
        """Return what a saved guardrail says within `actions` and beside them."""
        beside = hook.model_fields_set & schema.Actions.model_fields.keys()
        for name in sorted(beside & actions.model_fields_set):
            key = "async" if name == "is_async" else name
            self._refuse((*location, "actions", key), "Stands beside `actions` too")
        return actions.model_copy(update={name: getattr(hook, name) for name in beside})

    def _hook(
        self,
        actions: schema.Actions | None,
        checks: Sequence[CheckSpec],
        kind: Kind,
        location: Location,
        hook_id: str,
    ) -> Hook | None:
        self._hooks += 1
        if actions is None:
            return None
        is_mutator = kind == "mutator"
        if is_mutator and actions.is_async:
            self._refuse((*location, "async"), "A mutator is never async; leave it out")
        return Hook(
            id=actions.id or hook_id,
            # The contract has it that a mutator's checks run one after another, disabled or not.
            checks=tuple(_always(check) if is_mutator else check for check in checks),
            kind=kind,
            deny=actions.deny,
            is_async=actions.is_async,
            sequential=actions.sequential or is_mutator,
            on_success=_feedback(actions.on_success),
            on_fail=_feedback(actions.on_fail),
            scope=actions.scope,
            stream_mode=actions.stream_mode,
            timeout_ms=actions.timeout_ms,
            fail_on_error=actions.fail_on_error,
            path=json_path(location),
        )

    def _check(self, check: schema.Check | None, location: Location) -> CheckSpec | None:
        self._checks += 1
        if check is None:
            return None
        name = check.id if "." in check.id else f"default.{check.id}"
        return CheckSpec(name, check.parameters, json_path(location), check.is_enabled)

    # ---- faults

    def _validate(self, shape: type[Shape], raw: Any, location: Location) -> Shape | None:
        try:
            return shape.model_validate(raw)
        except ValidationError as exc:
            self.faults.extend(schema.shape_faults(exc, location))
            return None

    def _refuse(self, location: Location, text: str) -> None:
        self.faults.append((location, text))


def json_path(location: Location) -> str:
    """Return `targets[1].input_guardrails[0]` for the parts of such a path."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _generated_id(stage: Stage, kind: Kind, location: Location) -> str:
    """Return the id of a hook that has none: the same for each request, and another by place.

    Made from the place alone, since callers read it and may not know what the hook holds.
    """
    digest = hashlib.sha256(json_path(location).encode()).hexdigest()
    return f"{stage}_{kind}_{digest[:8]}"


def _always(check: CheckSpec) -> CheckSpec:
    return CheckSpec(check.id, check.parameters, check.path)


def _feedback(result: schema.Result | None) -> Feedback | None:
    if result is None or result.feedback is None:
        return None
    said = result.feedback
    metadata: JSON = said.metadata
    return Feedback(said.value, said.weight, metadata)
