"""The guardrails of one call at one target: its request, each of its answers, what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from llmgateway.codecs.base import Format
from llmgateway.codecs.slots import Part
from llmgateway.engine.bind import BoundHook, Guards, StreamMode
from llmgateway.engine.guard import UNREADABLE, Matter, Runner
from llmgateway.engine.guarded import GuardedStream, Way
from llmgateway.engine.headers import with_type
from llmgateway.engine.held import hold
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.output import is_array
from llmgateway.engine.plan import Target
from llmgateway.engine.prepare import Prepared
from llmgateway.engine.told import HookResult, Told, is_refused
from llmgateway.errors import HooksFailed, StreamAborted, UpstreamProtocolError
from llmgateway.guardrails import Stage, Subject
from llmgateway.settings import Limits
from llmgateway.types import JSON
from llmgateway.types.call import Call

HOOKS_FAILED = 246
"""The status of a 200 whose guardrails failed and deny nothing."""
_JSON = b"application/json"
_WITH_TEXT = frozenset(
    {"chat", "completions", "messages", "responses", "generate_content", "transcription"}
    | {"translation", "proxy"}
)
"""Endpoints whose answers hold what a model has said."""
_MAY_BE_TEXT = frozenset({"transcription", "translation", "proxy"})
"""Those whose answers may be bare text; of others, a wrong type must hide no word."""
_WORDED_BELOW = frozenset({"proxy", "responses"})
_STREAM = b"text/event-stream"
_MEDIA = (b"audio/", b"image/", b"video/", b"application/octet-stream")
"""What holds no words, by the beginning of its content type."""


class Guarding:
    """Judges a call's request once, and the answer of each of its tries."""

    def __init__(
        self,
        call: Call,
        target: Target,
        guards: Guards,
        runner: Runner,
        limits: Limits,
        wire: Format,
    ) -> None:
        self._call = call
        self._target = target
        self._guards = guards
        self._runner = runner
        self._limits = limits
        self._wire = wire
        """The caller's format."""
        self._request: JSON = {}
        self._metadata = call.metadata
        """As what runs after the request's guardrails may know it."""
        self.told = Told()

    # ---- the request

    async def check_request(self, asked: JSON | None) -> JSON | None:
        """Return the body to send; raises `HooksFailed` where a guardrail denies it."""
        self._request = asked or {}
        hooks = self._hooks(self._guards.inputs, self._has_texts(asked))
        now = [hook for hook in hooks if not hook.hook.is_async]
        first, later = _beside(hooks)
        matter = self._matter("input", now, self._request)
        self._begin_beside("input", first, matter.body)
        self.told.before = [*self._unreadable(asked), *await self._runner.run(now, matter)]
        self._request, self._metadata = matter.body, matter.metadata
        self._begin_beside("input", later, matter.body)
        self._refuse_if_denied(self.told.before)
        return None if asked is None else matter.body

    def _has_texts(self, asked: JSON | None) -> bool:
        """Tell whether a request may hold words: what is below an endpoint mostly does not."""
        return asked is not None and (not self._call.suffix or self._call.endpoint in _WORDED_BELOW)

    def _unreadable(self, asked: JSON | None) -> list[HookResult]:
        """Return the results of what is demanded of a proxied body that is no JSON object."""
        if asked is not None or self._call.endpoint != "proxy" or self._call.raw == b"":
            return []
        hooks = [_part_of(hook, True) for hook in self._guards.inputs if _must_read(hook)]
        return [self._runner.unread(hook, UNREADABLE) for hook in hooks]

    def _hooks(self, hooks: Sequence[BoundHook], has_texts: bool) -> Sequence[BoundHook]:
        """Return those that have anything to look at here, with such checks.

        A proxied body is looked at by what is demanded, and where a hook is closed or has a scope.
        """
        if has_texts and self._call.endpoint != "proxy":
            return hooks
        parts = [h if has_texts and _is_for_any(h) else _part_of(h, False) for h in hooks]
        return [part for part in parts if part.checks]

    def _matter(
        self, stage: Stage, hooks: Sequence[BoundHook], body: JSON, *, is_masked: bool = False
    ) -> Matter:
        part = Part.REQUEST if stage == "input" else Part.RESPONSE
        may_change = is_masked or any(hook.may_change for hook in hooks)
        base = self.subject(stage)
        return Matter.of(self._wire, body, part, base, may_change=may_change)

    def subject(self, stage: Stage, status: int = 200) -> Subject:
        """Return what every check is told of the call."""
        call, model = self._call, self._request.get("model")
        return Subject(
            stage=stage,
            texts=(),
            request=self._request,
            request_type=call.endpoint,
            is_stream=call.stream,
            provider=self._target.provider.name,
            model=model if isinstance(model, str) else call.model,
            metadata=self._metadata,
            headers={name.decode("latin-1"): v.decode("latin-1") for name, v in call.headers},
            status=status,
        )

    def _refuse_if_denied(self, results: Sequence[HookResult]) -> None:
        if any(result.denies for result in results):
            raise HooksFailed(self.told.as_json())

    def _begin_beside(self, stage: Stage, hooks: Sequence[BoundHook], body: JSON) -> None:
        """Start hooks that no answer waits for, on a copy of their own."""
        if hooks:
            part = Part.REQUEST if stage == "input" else Part.RESPONSE
            matter = Matter.of(self._wire, body, part, self.subject(stage), may_change=True)
            self._run_beside(hooks, matter)

    def _run_beside(self, hooks: Sequence[BoundHook], matter: Matter) -> None:
        if hooks:
            self.told.beside.append(asyncio.ensure_future(self._runner.run(hooks, matter)))

    # ---- the answers

    async def check_answer(self, outcome: Outcome, prepared: Prepared) -> Outcome:
        """Return what becomes of a try's outcome; its own where no guardrail has a say."""
        self.told.after = []
        if outcome.error is not None or not 200 <= outcome.status < 300:
            return outcome
        hooks = self._hooks(self._guards.outputs, self._call.endpoint in _WITH_TEXT)
        if outcome.stream is not None:
            is_known = self._call.endpoint != "proxy"  # whose streams may be of any kind
            if _type_of(outcome).startswith(_STREAM) or (is_known and prepared.stream):
                return await self._stream(outcome, hooks)
            outcome = await self._collected(outcome, hooks)
            if outcome.stream is not None:
                return self._unread(outcome)
        return await self._whole(outcome, hooks)

    async def _whole(self, outcome: Outcome, hooks: Sequence[BoundHook]) -> Outcome:
        answer, is_text = _read(outcome, self._call.endpoint in _MAY_BE_TEXT)
        if answer is None:
            return self._undecided(outcome, hooks)
        now = [hook for hook in hooks if not hook.hook.is_async]
        vault = self._runner.vaults.to_restore
        matter = self._matter("output", now, answer, is_masked=vault is not None)
        self.told.after = await self._runner.run(now, matter)
        beside = _shown(hooks, is_refused(self.told.after))
        self._begin_beside("output", beside, matter.body)
        if any(result.denies for result in self.told.after):
            return Outcome.denied(HooksFailed(self.told.as_json()), outcome, outcome.usage)
        if vault is not None:
            matter.restore(vault)
        status = self._status(outcome.status)
        results = self.told.as_json()
        if is_text:
            text = str(matter.body.get("text", "")).encode()
            return replace(outcome, status=status, body=text if matter.changed else outcome.body)
        if not (results or matter.changed):
            return outcome
        told = {"hook_results": results} if results else {}
        return replace(outcome, status=status, body=orjson.dumps({**matter.body, **told}))

    def _status(self, status: int) -> int:
        return HOOKS_FAILED if status == 200 and self.told.has_failed else status

    def _unread(self, outcome: Outcome) -> Outcome:
        """Answer with what holds no words: only the request's guardrails had a say."""
        return replace(outcome, status=self._status(outcome.status))

    def _undecided(self, outcome: Outcome, hooks: Sequence[BoundHook]) -> Outcome:
        """Answer with a body that no check can read: what is demanded of it may deny it."""
        if outcome.body and not _type_of(outcome).startswith(_MEDIA):
            self.told.after = [
                self._runner.unread(hook, UNREADABLE) for hook in hooks if _must_read(hook)
            ]
        if any(result.denies for result in self.told.after):
            return Outcome.denied(HooksFailed(self.told.as_json()), outcome, outcome.usage)
        return self._unread(outcome)

    async def _collected(self, outcome: Outcome, hooks: Sequence[BoundHook]) -> Outcome:
        """Read a body that would pass as it comes, where a guardrail has to see it whole."""
        if outcome.stream is None or not any(hook.reads_text for hook in hooks):
            return outcome
        stream, pieces, size = outcome.stream, [], 0
        try:
            while size <= self._limits.max_response_bytes:
                pieces.append(await stream.__anext__())
                size += len(pieces[-1])
        except StopAsyncIteration:
            # Its length may change; whoever sends a whole body says how long it is.
            kept = tuple(field for field in outcome.headers if field[0] != b"content-length")
            whole = b"".join(pieces)
            return replace(outcome, headers=kept, body=whole, stream=None, usage=stream.usage)
        except StreamAborted:
            return Outcome.failed(stream.error or UpstreamProtocolError("The answer broke off."))
        finally:
            await stream.aclose()
        return Outcome.failed(UpstreamProtocolError("The answer is too long for its guardrails."))

    async def _stream(self, outcome: Outcome, hooks: Sequence[BoundHook]) -> Outcome:
        assert outcome.stream is not None
        call = self._call
        way = Way(
            wire=self._wire,
            runner=self._runner,
            told=self.told,
            subject=self.subject("output"),
            limits=self._limits,
            request_id=call.trace_id,
            hooks=[hook for hook in hooks if not hook.hook.is_async],
            begin_beside=lambda matter, refused: self._run_beside(_shown(hooks, refused), matter),
            status=self._status,
            tells_events=call.overrides.hook_events and call.overrides.strict is False,
            is_array=is_array(call),
        )
        is_masked = self._runner.vaults.to_restore is not None
        if not (hooks or self.told.before or way.is_array or is_masked):
            return outcome
        self.told.stream_mode = way.mode.name.lower()
        if way.mode is StreamMode.HOLD:
            found = await hold(outcome.stream, way, outcome)
        else:
            found = await GuardedStream(outcome.stream, way).begin(outcome)
        if way.is_array and found.stream is not None:
            found = replace(found, headers=with_type(found.headers, _JSON))
        return found


def _beside(hooks: Sequence[BoundHook]) -> tuple[list[BoundHook], list[BoundHook]]:
    """Return the hooks that run beside the call: those before the first that changes anything,
    and those behind it, which must not see what it has masked."""
    changing = [hook.may_change and not hook.hook.is_async for hook in hooks]
    split = changing.index(True) if True in changing else len(hooks)
    first, later = hooks[:split], hooks[split:]
    return [h for h in first if h.hook.is_async], [h for h in later if h.hook.is_async]


def _shown(hooks: Sequence[BoundHook], refused: bool) -> list[BoundHook]:
    """Return the hooks that run beside a call and may see an answer: of one that is refused, only
    those that are demanded."""
    return [hook for hook in hooks if hook.hook.is_async and (hook.is_demanded or not refused)]


def _is_for_any(hook: BoundHook) -> bool:
    """Tell whether a hook is for bodies too of which only the usual names of texts are known."""
    return hook.is_demanded or hook.is_closed or hook.hook.scope is not None


def _part_of(hook: BoundHook, of_text: bool) -> BoundHook:
    """Return a hook with only those checks that are, or are not, about what is said."""
    checks = tuple([one for one in hook.checks if one.bound.check.needs_text is of_text])
    return hook if len(checks) == len(hook.checks) else replace(hook, checks=checks)


def _must_read(hook: BoundHook) -> bool:
    """Tell whether a hook is demanded whatever is sent, and about what is said."""
    return hook.is_demanded and hook.reads_text and not hook.hook.is_async


def _type_of(outcome: Outcome) -> bytes:
    return next((value for name, value in outcome.headers if name == b"content-type"), b"")


def _read(outcome: Outcome, may_be_text: bool) -> tuple[JSON | None, bool]:
    """Return an answer's body, and whether it is bare text rather than JSON."""
    if may_be_text and _type_of(outcome).startswith(b"text/"):
        return {"text": outcome.body.decode("utf-8", "replace")}, True
    try:
        body: Any = orjson.loads(outcome.body)
    except orjson.JSONDecodeError:
        return None, False
    return (body, False) if isinstance(body, dict) else (None, False)
