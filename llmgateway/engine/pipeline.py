"""The way of a call: targets in the outer ring, tries in the inner one, and one exit.

Policy lives here and nowhere else. A denial, a refusal and a failed try are all outcomes that
retry and fall back; only what is refused before a target is chosen stops the call.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from llmgateway.config import Facts, Leaf, Retry
from llmgateway.engine.attempt import attempt
from llmgateway.engine.body import asked_of
from llmgateway.engine.counting import estimated
from llmgateway.engine.doors import format_of
from llmgateway.engine.outcome import Outcome, Reply
from llmgateway.engine.permit import check_target
from llmgateway.engine.plan import Plan, Target
from llmgateway.engine.prepare import Prepared, prepare
from llmgateway.engine.recorder import Draft, name_of
from llmgateway.engine.retry import Waits, is_retriable, next_wait
from llmgateway.engine.room import LateRoom
from llmgateway.engine.routing import Walk, walk
from llmgateway.engine.streaming import PlainStream, StreamBody
from llmgateway.engine.told import Told
from llmgateway.engine.world import World
from llmgateway.errors import (
    ClientDisconnected,
    ConnectionLost,
    EndpointNotSupported,
    GatewayError,
    InternalError,
    PermissionDenied,
    UpstreamAuthFailed,
)
from llmgateway.settings import Settings
from llmgateway.types.call import Call
from llmgateway.types.record import AttemptRecord
from llmgateway.types.usage import NO_USAGE
from llmgateway.types.value import value

if TYPE_CHECKING:  # it loads with the first call that has guardrails
    from llmgateway.engine.guarding import Guarding

_NO_RETRY = Retry()
_NO_WAITS = Waits()


@value(frozen=True, slots=True)
class Tried:
    """What came of one target, and what it took."""

    status: int
    outcome: Outcome
    target: Target
    prepared: Prepared | None
    tries: int
    retry_count: int
    """Retries done, or -1 where they ran out with a status that would be retried."""


@dataclass(slots=True)
class _Progress:
    """What a call has cost so far; it belongs to one `run`."""

    tries: int = 0
    targets: int = 0


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs calls. Holds no state of a call; safe for any number of them at once."""

    settings: Settings
    world: World = field(repr=False)
    room: LateRoom = field(repr=False)

    async def ask(self, call: Call, target: Target) -> Outcome:
        """Try a target for a guardrail: without guardrails, without a record."""
        prepared = prepare(
            call, target, self.settings, self.world, asked=asked_of(call, target), reread=False
        )
        return await attempt(call, target, prepared, self.settings, self.world)

    async def run(self, call: Call, plan: Plan, draft: Draft) -> Reply:
        """Answer a call: route, try, retry, fall back.

        Raises a `GatewayError` for what is refused before a target is chosen. If the reply's body
        is an iterator, closing it ends the call; its end writes the record.
        """
        self._check_rights(call, plan)
        progress = _Progress()
        tried = await self._route(call, plan, draft, progress)
        _describe(draft, tried)
        reply = self._reply(call, tried, progress, draft.told)
        if draft.bodies is not None and isinstance(reply.body, bytes):
            draft.bodies.begin_answer(reply.headers, reply.body)
        if tried.outcome.stream is None:
            draft.finish(reply.status, reply.error)
            return reply
        return replace(reply, body=StreamBody(tried.outcome.stream, reply.status, draft))

    def _check_rights(self, call: Call, plan: Plan) -> None:
        """Refuse a custom host before any look-up to callers who may not name one."""
        if call.overrides.custom_host is None and not plan.caller_names_host:
            return
        rule = self.settings.custom_hosts
        if rule == "nobody" or (rule == "known" and not call.principal.known):
            raise PermissionDenied(
                "This caller may not name a custom host; the setting custom_hosts decides who may."
            )

    # ---- outer ring

    async def _route(self, call: Call, plan: Plan, draft: Draft, progress: _Progress) -> Tried:
        params = call.body if call.body is not None else {}
        facts = Facts(metadata=call.metadata, params=params, pathname=call.path)
        steps: Walk[Tried] = walk(plan.config.root, facts, self.world.random)
        leaf: Leaf = next(steps)
        while True:
            target = plan.targets[leaf.path]
            draft.target, draft.provider = target.path, target.provider.name
            tried = await self.try_target(call, plan, target, draft)
            progress.tries += tried.tries
            progress.targets += 1
            if self._has_tried_enough(draft):
                return tried
            if not tried.outcome.repeatable:
                return tried  # the upload is spent: no other target can get it whole
            try:
                leaf = steps.send(tried)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # the walk returns what it is sent
            except BaseException:
                await tried.outcome.discard()
                raise
            _settle(draft, tried.outcome)
            await tried.outcome.discard()

    def _has_tried_enough(self, draft: Draft) -> bool:
        """Tell whether one request has cost as many tries as the limits allow."""
        return len(draft.attempts) >= self.settings.limits.max_tries

    # ---- inner ring

    async def try_target(self, call: Call, plan: Plan, target: Target, draft: Draft) -> Tried:
        guarding = self._guarding(call, target, draft)
        try:
            asked = asked_of(call, target)
            if guarding is not None:
                check_target(call, target)  # before anything is asked on this target's account
                asked = await guarding.check_request(asked)
            prepared = prepare(
                call,
                target,
                self.settings,
                self.world,
                asked=asked,
                reread=plan.config.reads_params or guarding is not None,
                is_guarded=guarding is not None,
            )
        except GatewayError as error:
            outcome = self._unsent(call, target, error)
            self._note(draft, target, outcome, draft.started)
            return Tried(outcome.status, outcome, target, None, tries=0, retry_count=0)
        retry = target.policy.retry or (
            Retry(attempts=call.overrides.retry_attempts)
            if call.overrides.retry_attempts
            else _NO_RETRY
        )
        waits, tries = _NO_WAITS, 0
        while True:
            outcome = await self._attempt(call, target, prepared, guarding, draft)
            if outcome.error is not None and self._is_lost(outcome):
                outcome = await self._attempt(call, target, prepared, guarding, draft, resent=True)
            tries += 1
            count = waits.retries
            if not is_retriable(outcome, retry):
                break
            if self._has_tried_enough(draft):
                count = -1
                break
            step = next_wait(outcome, retry, waits, self.world.random)
            if step is None or self.world.monotonic() + step[0] >= call.deadline:
                count = -1 if retry.attempts else 0
                break
            _settle(draft, outcome)
            await outcome.discard()
            if not outcome.is_denied:
                await self.world.sleep(step[0])
            waits = step[1]
        return Tried(outcome.status, outcome, target, prepared, tries, count)

    def _guarding(self, call: Call, target: Target, draft: Draft) -> Guarding | None:
        """Return a target's guardrails, and note in the draft where they tell their results.

        What still runs beside the call for a target before this one reports to the record as well.
        """
        before, guarding, told = draft.told, None, None
        if target.guards:
            room = self.room()
            draft.vaults = draft.vaults or room.vaults()
            guarding = room.guarding(call, target, self, draft.vaults)
            told = None if guarding is None else guarding.told
        if before is not None and before.beside:
            told = told or Told()
            told.beside = before.beside
        draft.told = told
        return guarding

    def _is_lost(self, outcome: Outcome) -> bool:
        """Tell whether a pooled connection had died before any byte of an answer (R16).

        That proves nothing about the provider; the request is sent once more, which is no retry.
        """
        error = outcome.error
        lost = isinstance(error, ConnectionLost) and error.reused
        return lost and outcome.repeatable and self.settings.resend_lost

    def _unsent(self, call: Call, target: Target, error: GatewayError) -> Outcome:
        """Return the outcome of a target that cannot be asked: an error, or a count estimated."""
        counted = None
        if isinstance(error, EndpointNotSupported):
            try:
                counted = estimated(call, target, self.world)
            except GatewayError as unreadable:
                error = unreadable
        return Outcome.failed(error) if counted is None else counted

    async def _attempt(
        self,
        call: Call,
        target: Target,
        prepared: Prepared,
        guarding: Guarding | None,
        draft: Draft,
        *,
        resent: bool = False,
    ) -> Outcome:
        """Try once and note it in the draft, also where the client's leaving ends it."""
        started = self.world.monotonic()
        try:
            outcome = await attempt(call, target, prepared, self.settings, self.world)
            if guarding is not None:
                outcome = await _checked(guarding, outcome, prepared)
        except BaseException as raised:
            if isinstance(raised, GatewayError):
                error = raised
            elif isinstance(raised, asyncio.CancelledError):
                error = ClientDisconnected("")
            else:
                error = InternalError("")
            self._note(draft, target, Outcome.failed(error), started, resent=resent)
            raise
        self._note(draft, target, outcome, started, resent=resent)
        return outcome

    def _note(
        self, draft: Draft, target: Target, outcome: Outcome, since: float, *, resent: bool = False
    ) -> None:
        draft.attempts.append(
            AttemptRecord(
                target=target.path,
                provider=target.provider.name,
                status=outcome.status,
                error=None if outcome.error is None else name_of(outcome.error),
                duration_ms=(self.world.monotonic() - since) * 1000,
                resent=resent,
            )
        )

    # ---- the answer

    def _reply(self, call: Call, tried: Tried, progress: _Progress, told: Told | None) -> Reply:
        outcome, prepared = tried.outcome, tried.prepared
        status, body, error = outcome.status, outcome.body, outcome.error
        headers = outcome.headers
        if error is not None:
            if prepared is not None and prepared.credential_is_stored and status in (401, 403):
                error = UpstreamAuthFailed(
                    f"{tried.target.provider.name} refused the credential that this gateway "
                    "holds; its operator has to renew it."
                )
            status = error.status
            words = format_of(call.endpoint).encode_error(error, call.trace_id)
            if told is not None and (results := told.as_json()):
                words.setdefault("hook_results", results)
            body = orjson.dumps(words)
            headers = _error_headers(headers)
        return Reply(
            status=status,
            headers=headers,
            body=body,
            target=tried.target.path,
            provider=tried.target.provider.name,
            retry_count=tried.retry_count,
            repeated=progress.tries > 1 or progress.targets > 1,
            error=error,
            is_estimate=outcome.is_estimate,
            dropped=prepared.dropped if prepared else (),
            adjusted=prepared.adjusted if prepared else (),
            stream_mode=None if told is None or error is not None else told.stream_mode,
        )


def _error_headers(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Return a provider's head for a body that we have written anew."""
    kept = tuple((n, v) for n, v in headers if n not in (b"content-type", b"content-disposition"))
    return ((b"content-type", b"application/json"), *kept)


async def _checked(guarding: Guarding, outcome: Outcome, prepared: Prepared) -> Outcome:
    """Have an answer judged; what ends the judging lets the upstream go as well."""
    try:
        return await guarding.check_answer(outcome, prepared)
    except BaseException:
        await outcome.discard()
        raise


def _settle(draft: Draft, outcome: Outcome) -> None:
    """Note what an answer has cost that will not go out: one that a guardrail denied, or a 246."""
    usage = outcome.usage if outcome.stream is None else outcome.stream.usage
    if usage is not NO_USAGE:
        draft.spent = draft.spent.plus(usage)


def _describe(draft: Draft, tried: Tried) -> None:
    draft.usage = tried.outcome.usage
    stream = tried.outcome.stream
    draft.stream = stream is not None and not isinstance(stream, PlainStream)
    if tried.prepared is not None:
        draft.model = tried.prepared.model
        draft.dropped = tried.prepared.dropped
        draft.adjusted = tried.prepared.adjusted
