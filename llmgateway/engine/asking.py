"""What guardrails need of the engine that they guard: a runner for each call, other models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from llmgateway.engine.bind import Guards
from llmgateway.engine.doors import format_of
from llmgateway.engine.guard import Runner
from llmgateway.engine.guarding import Guarding
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.plan import Plan, Target
from llmgateway.engine.pool import Pool
from llmgateway.engine.service import service_for
from llmgateway.engine.services import EngineServices, Kept
from llmgateway.engine.vaults import Vaults
from llmgateway.engine.world import World
from llmgateway.errors import EndpointNotSupported, NotFound, UpstreamProtocolError
from llmgateway.settings import Settings
from llmgateway.types import JSON
from llmgateway.types.call import UNLIMITED, Call, Overrides
from llmgateway.types.http import Headers

PlanOfModel = Callable[[Call, str], Awaitable[Plan]]

_PATHS = {"chat": "/v1/chat/completions", "moderations": "/v1/moderations"}
_SENDING = frozenset({"POST", "PUT", "PATCH"})
_READ_AGAIN = "responses"
"""The endpoint whose answers can be fetched again, and must not slip by then."""
_STORED = ("/chat/completions", "/conversations")
"""Likewise, of paths that have no endpoint for it."""


class Asker(Protocol):
    """An engine, as far as guardrails ask it."""

    async def ask(self, call: Call, target: Target) -> Outcome:
        """Try a target; no guardrails, no record."""
        ...


@dataclass(frozen=True, slots=True)
class GuardRoom:
    """Makes the guardrails of a call ready; one for a process."""

    settings: Settings
    world: World
    plan_of_model: PlanOfModel
    pool: Pool = field(init=False)
    kept: Kept = field(init=False)

    def __post_init__(self) -> None:
        limits = self.settings.limits
        object.__setattr__(self, "pool", Pool(limits.guard_threads, limits.guard_threads_queue))
        object.__setattr__(self, "kept", Kept(self.world.monotonic))

    def vaults(self) -> Vaults:
        """Return vaults for a call, with nothing in them yet."""
        return Vaults()

    def guarding(self, call: Call, target: Target, asker: Asker, vaults: Vaults) -> Guarding | None:
        """Return the guardrails of a call at a target; None where there is nothing to guard."""
        if not target.guards or not call.is_guarded:
            return None
        guards = target.guards
        if not (call.method in _SENDING or call.endpoint == _READ_AGAIN or call.raw):
            if call.method != "GET" or not any(part in call.path for part in _STORED):
                return None
            guards = Guards(outputs=guards.outputs)
        try:
            service = service_for(call, target)
        except EndpointNotSupported:
            return None
        is_below = bool(call.suffix) and call.endpoint == _READ_AGAIN
        wire = service.door.format if service.door else service.endpoint.format
        if is_below:
            wire = format_of(call.endpoint)
        runner = Runner(
            self.world,
            self.pool,
            self.settings.limits.guard_check_s,
            services=self._services(call, target, asker, demanded=False),
            demanded=self._services(call, target, asker, demanded=True),
            vaults=vaults,
            deadline=call.deadline,
        )
        return Guarding(call, target, guards, runner, self.settings.limits, wire)

    def _services(
        self, call: Call, target: Target, asker: Asker, *, demanded: bool
    ) -> EngineServices:
        async def ask(endpoint: str, model: str, body: JSON) -> JSON:
            inner = _inner_call(call, target, endpoint, model, body, demanded=demanded)
            if demanded or model.startswith("@"):
                plan = await self.plan_of_model(inner, model)
                asked = plan.targets[next(plan.config.leaves()).path]
                _check_found(model, asked)
            else:
                asked = replace(target, policy=replace(target.policy, override_params={}))
            outcome = await asker.ask(inner, asked)
            if outcome.error is not None:
                raise outcome.error
            return _read(outcome)

        return EngineServices(self.world, self.kept, ask, call.deadline)


def _inner_call(
    call: Call, target: Target, endpoint: str, model: str, body: JSON, *, demanded: bool
) -> Call:
    """Return the call that a check makes: with the rights of whoever stated the check.

    A model without `@` is asked of the target itself, or, where the check is demanded, of its
    provider as the settings have it: a host that the caller names must not be the judge.
    """
    principal = replace(call.principal, policy=UNLIMITED) if demanded else call.principal
    whole = {**body, "model": model}
    is_near = not model.startswith("@")
    return Call(
        endpoint=endpoint,
        method="POST",
        path=_PATHS[endpoint],
        suffix="",
        query="",
        headers=Headers(),
        body=whole,
        raw=orjson.dumps(whole),
        stream=False,
        principal=principal,
        caller_key=call.caller_key if is_near else None,
        provider=target.provider.name if is_near else None,
        virtual_key=target.virtual_key if is_near else None,
        model=model,
        trace_id=call.trace_id,
        deadline=call.deadline,
        overrides=Overrides() if demanded or not is_near else _same_host(call),
        is_guarded=False,
    )


def _check_found(model: str, target: Target) -> None:
    """Raise `NotFound` where `@name/model` names neither a provider nor a virtual key."""
    name, key = model[1:].partition("/")[0], target.virtual_key
    if model.startswith("@") and name not in (target.provider.name, key.slug if key else None):
        raise NotFound(f"There is no provider and no virtual key {name[:64]!r} in this workspace.")


def _same_host(call: Call) -> Overrides:
    return Overrides(custom_host=call.overrides.custom_host)


def _read(outcome: Outcome) -> JSON:
    body: Any = None
    if outcome.stream is None:
        try:
            body = orjson.loads(outcome.body)
        except orjson.JSONDecodeError:
            pass
    if not isinstance(body, dict):
        raise UpstreamProtocolError("The model's answer is no JSON object.")
    return body
