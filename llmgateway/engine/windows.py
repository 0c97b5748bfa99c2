"""Judges the texts of a stream piece by piece, so that what has been judged can go out.

Of each text so much is held back as the checks need to see of what follows: their overlap. What
begins before that has been seen whole, so a window's verdict and mask are those of the whole text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmgateway.codecs.slots import Slot
from llmgateway.engine.bind import BoundCheck, BoundHook
from llmgateway.engine.guard import UNKNOWN, HookResult, Runner
from llmgateway.engine.texts import is_in_scope
from llmgateway.guardrails import CheckFailed, Subject, Verdict
from llmgateway.guardrails.pii import StreamRestore
from llmgateway.redaction import redacting_logger
from llmgateway.types import JSON

logger = redacting_logger(__name__)


class Denied(Exception):
    """A guardrail has denied the stream."""


@dataclass(slots=True)
class _Tally:
    """What one check has come to over all windows."""

    check: BoundCheck
    hook: BoundHook
    verdict: bool = True
    data: Any = None
    log: Any = None
    transformed: bool = False
    error: JSON | None = None
    has_run: bool = False


@dataclass(slots=True, eq=False)
class Channel:
    """One text of a stream."""

    like: Slot
    """The slot that it began with: where it stands, and whose it is."""
    tallies: tuple[_Tally, ...] = ()
    overlap: int = 0
    pending: str = ""
    """What has come and not gone out."""
    context: str = ""
    """The last character that went out, for what asks about the edges of words."""
    has_changed: bool = False
    """Whether anything of it went out other than it came."""
    out: list[str] = field(default_factory=list)
    """What went out, for what repeats it."""
    restorer: StreamRestore | None = None
    """What puts the request's own values back, where some were masked."""

    @property
    def may_change(self) -> bool:
        """Whether any of its checks may."""
        return any(tally.check.bound.may_change for tally in self.tallies)


class Windows:
    """The hooks of one stream that judge it in windows."""

    def __init__(self, hooks: Sequence[BoundHook], runner: Runner, base: Subject) -> None:
        self._hooks = hooks
        self._runner = runner
        self._base = base
        self._started = runner.world.monotonic()
        self._tallies = [_Tally(check, hook) for hook in hooks for check in hook.checks]

    def open(self, slot: Slot) -> Channel:
        """Begin a text."""
        found = tuple(
            tally
            for tally in self._tallies
            if tally.check.bound.check.needs_text and is_in_scope(slot, tally.check.scope)
        )
        limits = [tally.check.bound.window_limit or 0 for tally in found]
        vault = self._runner.vaults.to_restore
        restorer = None if vault is None else StreamRestore(vault, slot.is_json)
        return Channel(slot, found, max(limits, default=0), restorer=restorer)

    async def feed(self, channel: Channel, text: str) -> str:
        """Take the next piece of a text and return what may go out; raises `Denied`."""
        if not channel.tallies:
            return self._gone_out(channel, text, text)
        channel.pending += text
        whole = channel.context + channel.pending
        masked = await self._judge(channel, whole)
        ready = len(channel.pending) - channel.overlap
        if ready <= 0:
            return ""
        if not channel.may_change:
            return self._gone_out(channel, channel.pending[:ready], channel.pending[:ready])
        return await self._cut(channel, masked, ready)

    async def close(self, channel: Channel) -> str:
        """Return what was held back of a text that has ended; raises `Denied`."""
        out = ""
        if channel.pending:
            masked = await self._judge(channel, channel.context + channel.pending)
            head = await self._mask(channel, channel.context)
            out = self._gone_out(channel, channel.pending, masked.removeprefix(head))
        if channel.restorer is not None and (rest := channel.restorer.close()):
            channel.out.append(rest)
            out += rest
        return out

    async def end(self) -> list[HookResult]:
        """Return the results, once all texts are closed; raises `Denied`.

        What no text was there for is judged now, on none; so is what needs no text.
        """
        for tally in self._tallies:
            if not tally.has_run:
                await self._look(tally, self._base)
        return self.results()

    def results(self) -> list[HookResult]:
        """Return the results so far."""
        found = []
        for hook in self._hooks:
            told = [
                self._runner.told(
                    t.check, self._started, t.verdict, t.data, t.transformed, t.log, t.error
                )
                for t in self._tallies
                if t.hook is hook
            ]
            found.append(self._runner.result(hook, told, self._started))
        return found

    async def _cut(self, channel: Channel, masked: str, ready: int) -> str:
        """Let out as much as can be cut off without changing any mask."""
        head = await self._mask(channel, channel.context)
        step = 0
        while (at := ready - step) > 0:
            front = await self._mask(channel, channel.context + channel.pending[:at])
            edge = channel.pending[at - 1]
            rest = await self._mask(channel, edge + channel.pending[at:])
            if front + rest.removeprefix(await self._mask(channel, edge)) == masked:
                return self._gone_out(channel, channel.pending[:at], front.removeprefix(head))
            step = step * 2 or 1
        return ""

    def _gone_out(self, channel: Channel, text: str, masked: str) -> str:
        if channel.tallies:
            channel.pending = channel.pending[len(text) :]
            channel.context = text[-1:] or channel.context
        if channel.restorer is not None:
            masked = channel.restorer.feed(masked)
        channel.has_changed = channel.has_changed or masked != text
        channel.out.append(masked)
        return masked

    async def _judge(self, channel: Channel, text: str) -> str:
        """Have all checks look at a window; return it as they have changed it."""
        for tally in channel.tallies:
            found = await self._look(tally, self._subject(channel, text))
            if found is not None and found.texts is not None:
                tally.transformed = tally.transformed or found.texts[0] != text
                text = found.texts[0]
        return text

    async def _mask(self, channel: Channel, text: str) -> str:
        """Return what the checks would change a text to, and note nothing."""
        if not text:
            return ""
        for tally in channel.tallies:
            if tally.check.bound.may_change:
                try:
                    found = await self._runner.judge(
                        tally.hook, tally.check, self._subject(channel, text)
                    )
                except Exception:  # it has been told where the text was judged
                    continue
                if found.texts is not None:
                    text = found.texts[0]
        return text

    def _subject(self, channel: Channel, text: str) -> Subject:
        like = channel.like
        return replace(
            self._base,
            texts=(text,),
            places=(like.place.value,),
            roles=(like.role,),
            tools=(like.tool,),
            is_json=(like.is_json,),
        )

    async def _look(self, tally: _Tally, subject: Subject) -> Verdict | None:
        """Run one check and note what it says; None where it could not decide."""
        tally.has_run = True
        try:
            found = await self._runner.judge(tally.hook, tally.check, subject)
        except Exception as error:
            if isinstance(error, CheckFailed):
                tally.error = {"name": "CheckFailed", "message": str(error)}
            else:
                logger.exception("The check %s failed.", tally.check.id)
                tally.error = {"name": "Error", "message": UNKNOWN}
            tally.verdict = False
            if tally.check.fails_on_error and tally.hook.hook.deny:
                raise Denied from None
            return None
        if tally.data is None or (tally.verdict and not found.passed):
            tally.data, tally.log = dict(found.data), found.log
        tally.verdict = tally.verdict and found.passed
        if not found.passed and tally.hook.hook.deny:
            raise Denied
        return found
