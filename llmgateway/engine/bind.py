"""From guardrails as they are stated to checks that are ready to run.

Here it is decided what fails closed, which texts a check looks at, and how a stream is guarded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import cast

from llmgateway.config import AnyHook, CheckSpec, Hook, SavedHook
from llmgateway.guardrails import Bound, Checks, ParameterFault, Scope, Stage
from llmgateway.types import JSON

Saved = Mapping[tuple[str, int | None], Sequence[Hook]]
"""The hooks of saved guardrails, by slug and version; None: the newest."""
Fault = tuple[str, str]
"""A JSON path and what is wrong there."""

_FAIL_ON_ERROR = ("failOnError", "fail_on_error")


class StreamMode(IntEnum):
    """How a streamed answer is guarded; the larger is the stricter."""

    MONITOR = 0
    """Passes as it comes; judged at its end."""
    WINDOW = 1
    """Passes piece by piece, each after the checks have seen it and what follows it."""
    HOLD = 2
    """Nothing passes before the verdict."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundCheck:
    """A check with its parameters."""

    id: str
    bound: Bound = field(repr=False)
    scope: Scope
    fails_on_error: bool
    """Whether an `error` verdict counts as failed."""

    @property
    def masks(self) -> bool:
        """Whether it is there to change texts.

        Where it could not and that counts as failed, the call ends, although its hook denies
        nothing else: what should have been masked must not pass as it is.
        """
        return self.bound.may_change and self.bound.check.needs_text

    @property
    def masks_all(self) -> bool:
        """Whether it puts placeholders in the place of values wherever they stand."""
        bound = self.bound
        return bound.check.wants_vault and bound.may_change and self.scope == "all"


@dataclass(frozen=True, slots=True, eq=False)
class BoundHook:
    """A group of checks, ready to run."""

    hook: Hook
    checks: tuple[BoundCheck, ...]
    is_closed: bool
    """Whether it counts as failed where its bounds end it."""
    is_demanded: bool
    """Whether it is the operator's or a workspace's, not the caller's own."""
    mode: StreamMode = StreamMode.MONITOR

    @property
    def may_change(self) -> bool:
        """Whether any of its checks may change what it looks at."""
        return any(check.bound.may_change for check in self.checks)

    @property
    def reads_text(self) -> bool:
        """Whether any of its checks is about what is said."""
        return any(check.bound.check.needs_text for check in self.checks)


@dataclass(frozen=True, slots=True, eq=False)
class Guards:
    """All guardrails of one target, those that are demanded first."""

    inputs: tuple[BoundHook, ...] = ()
    outputs: tuple[BoundHook, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.inputs or self.outputs)

    def joined(self, more: Guards) -> Guards:
        """Return these and then `more`."""
        if not (self and more):
            return self or more
        return Guards(self.inputs + more.inputs, self.outputs + more.outputs)

    @property
    def mode(self) -> StreamMode:
        """The strictest mode that any of its hooks wants for a stream."""
        return max((hook.mode for hook in self.outputs), default=StreamMode.MONITOR)


NO_GUARDS = Guards()


@dataclass(frozen=True, slots=True)
class Binder:
    """Looks checks up and hands them their parameters."""

    checks: Checks
    saved: Saved = field(default_factory=dict)

    def bind(
        self, inputs: Sequence[AnyHook], outputs: Sequence[AnyHook], *, closed: bool
    ) -> tuple[Guards, list[Fault]]:
        """Return what can be bound, and all faults.

        `closed`: these are the operator's or a workspace's, so that what cannot be decided counts
        as failed unless they say otherwise. Saved guardrails are in any case.
        """
        faults: list[Fault] = []
        bound_inputs = self._hooks(inputs, "input", closed, faults)
        bound_outputs = self._hooks(outputs, "output", closed, faults)
        return Guards(bound_inputs, bound_outputs), faults

    def _hooks(
        self, hooks: Sequence[AnyHook], stage: Stage, closed: bool, faults: list[Fault]
    ) -> tuple[BoundHook, ...]:
        bound: list[BoundHook] = []
        for hook in hooks:
            if isinstance(hook, Hook):
                bound.append(self._hook(hook, stage, closed, faults))
                continue
            found = self.saved.get((hook.slug, hook.version))
            if found is None:
                faults.append((hook.path, f"There is no guardrail {_named(hook)}"))
                continue
            inner: list[Fault] = []
            bound += [self._hook(one, stage, True, inner) for one in found]
            faults += [(hook.path, f"{_named(hook)}: {path}: {text}") for path, text in inner]
        return tuple(bound)

    def _hook(self, hook: Hook, stage: Stage, closed: bool, faults: list[Fault]) -> BoundHook:
        is_closed = closed if hook.fail_on_error is None else hook.fail_on_error
        enabled = [spec for spec in hook.checks if spec.is_enabled or hook.kind == "mutator"]
        checks: list[BoundCheck] = []
        for spec in enabled:
            try:
                checks.append(self._check(spec, hook, stage, is_closed))
            except ParameterFault as fault:
                faults.append((_joined(spec.path, fault.path), fault.message))
        mode = StreamMode.MONITOR
        if stage == "output" and not hook.is_async:
            try:
                mode = _mode_of(hook, checks)
            except ParameterFault as fault:
                faults.append((_joined(hook.path, fault.path), fault.message))
        return BoundHook(hook, tuple(checks), is_closed, closed, mode)

    def _check(self, spec: CheckSpec, hook: Hook, stage: Stage, is_closed: bool) -> BoundCheck:
        check = self.checks.get(spec.id)
        if check is None:
            hint = self.checks.suggest(spec.id)
            raise ParameterFault(f"There is no check {spec.id[:64]!r}{hint}")
        if stage not in check.stages:
            raise ParameterFault(f"{check.id} cannot be used as a guardrail of the {stage}.")
        parameters: JSON = dict(spec.parameters)
        fails = [parameters.pop(name) for name in _FAIL_ON_ERROR if name in parameters]
        if any(not isinstance(value, bool) for value in fails):
            raise ParameterFault("Must be true or false", (_FAIL_ON_ERROR[0],))
        return BoundCheck(
            id=spec.id,
            bound=check.bind(parameters),
            scope=cast(Scope, hook.scope or check.scope or "last"),
            fails_on_error=fails[0] if fails else is_closed,
        )


def _mode_of(hook: Hook, checks: Sequence[BoundCheck]) -> StreamMode:
    """Return how a stream is guarded for a hook: as it says, else as its checks need."""
    judged = [check.bound for check in checks if check.bound.check.needs_text]
    # Also of those that only report: a window would give them a piece for the whole.
    has_windows = all(bound.window_limit is not None for bound in judged)
    if hook.stream_mode is not None:
        mode = StreamMode[hook.stream_mode.upper()]
        if mode is StreamMode.WINDOW and not has_windows:
            raise ParameterFault(
                "One of its checks needs the whole text, so `window` cannot be used; use `hold`",
                ("stream_mode",),
            )
        return mode
    if not any(hook.deny or bound.may_change for bound in judged):
        return StreamMode.MONITOR
    return StreamMode.WINDOW if has_windows else StreamMode.HOLD


def _named(hook: SavedHook) -> str:
    slug = hook.slug[:64]
    return slug if hook.version is None else f"{slug} in version {hook.version}"


def _joined(path: str, more: Sequence[str | int]) -> str:
    for step in more:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix(".")
