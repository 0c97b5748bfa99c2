"""Who demands which guardrails of a call, in which order, and what fails closed.

What the settings, the caller's workspace and the caller's key demand runs always and first, and is
closed: what cannot be decided denies. A config adds to it; nothing takes away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from llmgateway.config import AnyHook, Config, Hook, SavedHook, parse_guardrail, parse_hooks
from llmgateway.config.groups import Stage
from llmgateway.engine.bind import NO_GUARDS, Binder, Fault, Guards
from llmgateway.engine.plan import Plan
from llmgateway.engine.room import load
from llmgateway.errors import InvalidConfig
from llmgateway.guardrails import Checks
from llmgateway.settings import Settings
from llmgateway.stores import Documents
from llmgateway.types.call import Call
from llmgateway.types.documents import SavedGuardrail, WorkspaceGuardrails

_INVALID = "Invalid guardrails passed"
_NOTHING = WorkspaceGuardrails()


class Same:
    """A tuple of hooks, known by its identity: hooks hold dicts, which have no hash."""

    __slots__ = ("hooks",)

    def __init__(self, hooks: tuple[AnyHook, ...]) -> None:
        self.hooks = hooks

    def __hash__(self) -> int:
        return id(self.hooks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.hooks is other.hooks


_NO_HOOKS = Same(())


@dataclass(frozen=True, slots=True)
class Demands:
    """What else than the config states guardrails for a call. Calls with the same have one plan."""

    workspace: WorkspaceGuardrails = _NOTHING
    key: WorkspaceGuardrails = _NOTHING
    header_inputs: Same = _NO_HOOKS
    header_outputs: Same = _NO_HOOKS
    saved: tuple[SavedGuardrail | None, ...] = ()
    """Those of the store that all of it together names, in the order of `wanted`."""
    wanted: tuple[tuple[str, int | None], ...] = ()


NO_DEMANDS = Demands()


@dataclass(frozen=True, slots=True)
class ConfigHooks:
    """What a config states of guardrails, found out once for all of its requests."""

    states_any: bool = False
    saved: frozenset[tuple[str, int | None]] = frozenset()
    """The saved ones that it names, by slug and version."""

    @classmethod
    def of(cls, config: Config) -> ConfigHooks:
        """Return what a config states."""
        # By identity, since hooks hold dicts and leaves share them.
        groups = {id(group): group for leaf in config.leaves() for group in leaf.policy.hook_groups}
        return cls(any(groups.values()), _names_in(groups.values()))


class Guardrails:
    """Finds out what is demanded of a call, and binds it to the targets of a plan."""

    def __init__(
        self, checks: Callable[[], Checks], settings: Settings, documents: Documents
    ) -> None:
        self._checks = checks
        """Asked when something is bound: an app may declare its own at any time before."""
        self._documents = documents
        self._saved = {
            slug: parse_guardrail(raw, slug) for slug, raw in settings.guardrails.items()
        }
        self._inputs = parse_hooks(settings.input_guardrails, "input", "input_guardrails")
        self._outputs = parse_hooks(settings.output_guardrails, "output", "output_guardrails")
        self._named = _names_in([self._inputs, self._outputs])
        self._has_own = bool(self._inputs or self._outputs)
        self._is_loaded = False

    async def demanded(self, call: Call, config: ConfigHooks) -> Demands:
        """Return what is demanded of a call whose config states these.

        Raises `StoreUnavailable` where nobody can tell.
        """
        workspace, policy, said = call.principal.workspace, call.principal.policy, call.overrides
        of_workspace = _NOTHING
        if workspace is not None:
            of_workspace = await self._documents.workspace_guardrails(workspace)
        of_key = _NOTHING
        if policy.input_guardrails or policy.output_guardrails:
            of_key = WorkspaceGuardrails(policy.input_guardrails, policy.output_guardrails)
        inputs, outputs = said.input_hooks, said.output_hooks
        found = NO_DEMANDS
        if inputs or outputs or of_key is not _NOTHING or of_workspace != _NOTHING:
            found = Demands(of_workspace, of_key, _same(inputs), _same(outputs))
        is_any = found is not NO_DEMANDS or config.states_any or self._has_own
        if is_any and not self._is_loaded:
            await asyncio.to_thread(self._load)
            self._is_loaded = True
        wanted = self._wanted(found, config)
        if not wanted:
            return found
        saved = [await self._documents.guardrail(workspace, *one) for one in wanted]
        return replace(found, saved=tuple(saved), wanted=wanted)

    def _load(self) -> None:
        """Import what the first guarded call needs; no loop should stand still meanwhile."""
        self._checks()
        load()

    def guarded(self, plan: Plan, demands: Demands, *, closed: bool = False) -> Plan:
        """Return a plan whose targets have their guardrails; `closed`: the config is the settings'.

        Raises `InvalidConfig` that names what is wrong by its JSON path.
        """
        if not self._states_any(plan, demands):
            return plan
        binder = Binder(self._checks(), {**self._of_settings(), **self._of_store(demands)})
        stated = [
            (self._inputs, self._outputs),
            _parsed(demands.workspace, "workspace"),
            _parsed(demands.key, "key"),
        ]
        faults: list[Fault] = []
        first = NO_GUARDS
        for inputs, outputs in stated:
            bound, wrong = binder.bind(inputs, outputs, closed=True)
            first = first.joined(bound)
            faults += wrong
        headers = demands.header_inputs.hooks, demands.header_outputs.hooks
        last, wrong = binder.bind(*headers, closed=False)
        faults += wrong
        bound_of: dict[tuple[int, ...], Guards] = {}
        targets = {}
        for path, target in plan.targets.items():
            groups = target.policy.hook_groups
            key = tuple(map(id, groups))
            if key not in bound_of:
                inputs, outputs = groups[0] + groups[1], groups[2] + groups[3]
                bound_of[key], wrong = binder.bind(inputs, outputs, closed=closed)
                faults += wrong
            targets[path] = replace(target, guards=first.joined(bound_of[key]).joined(last))
        if faults:
            raise InvalidConfig(_INVALID, tuple(dict.fromkeys(faults)))
        return replace(plan, targets=targets)

    def _states_any(self, plan: Plan, demands: Demands) -> bool:
        own = self._has_own or demands != NO_DEMANDS
        policies = (target.policy for target in plan.targets.values())
        return own or any(any(policy.hook_groups) for policy in policies)

    def _of_settings(self) -> dict[tuple[str, int | None], Sequence[Hook]]:
        return {(slug, None): hooks for slug, hooks in self._saved.items()}

    def _of_store(self, demands: Demands) -> dict[tuple[str, int | None], Sequence[Hook]]:
        return {
            name: parse_guardrail(found.text, found.slug)
            for name, found in zip(demands.wanted, demands.saved, strict=True)
            if found is not None
        }

    def _wanted(self, demands: Demands, config: ConfigHooks) -> tuple[tuple[str, int | None], ...]:
        """Return the saved guardrails that are named and do not stand in the settings."""
        if demands is NO_DEMANDS and not (self._named or config.saved):
            return ()
        lists = [demands.header_inputs.hooks, demands.header_outputs.hooks]
        for one, name in ((demands.workspace, "workspace"), (demands.key, "key")):
            lists += _parsed(one, name)
        named = self._named | config.saved | _names_in(lists)
        return tuple(sorted((n for n in named if n[0] not in self._saved), key=str))


def faults_of(settings: Settings, checks: Callable[[], Checks]) -> list[Fault]:
    """Return what is wrong with the guardrails of the settings, by their JSON paths.

    Those that they name and do not hold may be in a store, of which nothing is known here.
    """
    if not (settings.input_guardrails or settings.output_guardrails or settings.guardrails):
        return []
    faults: list[Fault] = []
    binder = Binder(checks())
    inputs = _sound(parse_hooks, settings.input_guardrails, "input", "input_guardrails", faults)
    outputs = _sound(parse_hooks, settings.output_guardrails, "output", "output_guardrails", faults)
    faults += binder.bind(_stated(inputs), _stated(outputs), closed=True)[1]
    for slug, raw in settings.guardrails.items():
        wrong: list[Fault] = []
        hooks = _sound(parse_guardrail, raw, slug, wrong)
        as_input = binder.bind(hooks, (), closed=True)[1]
        if as_input and binder.bind((), hooks, closed=True)[1]:  # each is for either stage
            wrong += as_input
        faults += [(f"guardrails.{path}", words) for path, words in wrong]
    return faults


def faults_of_config(config: Config, checks: Callable[[], Checks]) -> list[Fault]:
    """Likewise for the guardrails of a config."""
    found = {}
    for leaf in config.leaves():
        groups = leaf.policy.hook_groups
        found[tuple(map(id, groups))] = groups
    if not any(any(groups) for groups in found.values()):
        return []
    binder, faults = Binder(checks()), []
    for one in found.values():
        inputs, outputs = _stated(one[0] + one[1]), _stated(one[2] + one[3])
        faults += binder.bind(inputs, outputs, closed=False)[1]
    return list(dict.fromkeys(faults))


def _sound(parse: Callable[..., tuple[Any, ...]], *raw: Any) -> tuple[Any, ...]:
    """Return what a parser makes of its arguments; its faults go to the last one, a list."""
    *arguments, faults = raw
    try:
        return parse(*arguments)
    except InvalidConfig as error:
        faults += error.faults or [(str(arguments[-1]), error.message)]
        return ()


def _stated(hooks: Sequence[AnyHook]) -> list[AnyHook]:
    return [hook for hook in hooks if isinstance(hook, Hook)]


def _names_in(lists: Iterable[Sequence[AnyHook]]) -> frozenset[tuple[str, int | None]]:
    hooks = (hook for one in lists for hook in one)
    return frozenset((hook.slug, hook.version) for hook in hooks if isinstance(hook, SavedHook))


def _same(hooks: tuple[Any, ...]) -> Same:
    return Same(hooks) if hooks else _NO_HOOKS


def _parsed(
    stated: WorkspaceGuardrails, who: str
) -> tuple[tuple[AnyHook, ...], tuple[AnyHook, ...]]:
    return (
        _parsed_list(stated.input, "input", f"{who}.input_guardrails"),
        _parsed_list(stated.output, "output", f"{who}.output_guardrails"),
    )


@lru_cache(maxsize=256)
def _parsed_list(text: str | None, stage: Stage, path: str) -> tuple[AnyHook, ...]:
    return () if text is None else parse_hooks(text, stage, path)
