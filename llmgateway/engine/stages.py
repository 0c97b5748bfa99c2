"""What the texts of a stream pass through: checks that see them piece by piece.

Each stage holds back so much as its checks need to see of what follows. What it lets through, it
has judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from llmgateway.codecs.slots import Slot
from llmgateway.engine.bind import BoundCheck, BoundHook
from llmgateway.engine.guard import UNKNOWN, Runner, log_failure
from llmgateway.guardrails import CheckFailed, Subject, Verdict
from llmgateway.guardrails.declare import Cut
from llmgateway.guardrails.pii import StreamMask, Vault
from llmgateway.types import JSON

_LARGE = 8192
"""Characters of one piece that are masked in a thread, since they take some ms."""
_LONG = 4096
"""Characters, beside sixteen overlaps, from which on a text is cut where a cut shows no change."""


class Denied(Exception):
    """A guardrail has denied the stream."""


@dataclass(slots=True, eq=False)
class Tally:
    """What one check has come to over all windows."""

    check: BoundCheck
    hook: BoundHook
    verdict: bool = True
    data: Any = None
    log: Any = None
    transformed: bool = False
    error: JSON | None = None
    choices: set[int] = field(default_factory=set)
    """Those of which it has looked at some text."""

    def fail(self) -> None:
        """Note that it has not passed; raises `Denied` where that ends the stream."""
        self.verdict, self.error = False, None
        if self.hook.hook.deny:
            raise Denied

    def fail_to_decide(self, error: Exception) -> None:
        """Note an error; raises `Denied` where that ends the stream."""
        if isinstance(error, CheckFailed):
            told = {"name": "CheckFailed", "message": str(error)}
        else:
            log_failure(self.check, error)
            told = {"name": "Error", "message": UNKNOWN}
        if self.verdict or self.error is not None:
            self.verdict, self.error = False, told
        if self.check.fails_on_error and (self.hook.hook.deny or self.check.masks):
            raise Denied

    def note(self, found: Verdict) -> None:
        """Take a verdict; raises `Denied` where it ends the stream."""
        if self.data is None or (self.verdict and not found.passed):
            self.data, self.log = dict(found.data), found.log
        if not found.passed:
            self.fail()


class Stage(Protocol):
    """Some checks that a text passes through together; both methods raise `Denied`."""

    async def feed(self, text: str) -> str:
        """Take the next piece and return what may go on."""
        ...

    async def close(self) -> str:
        """Return what was held back."""
        ...


async def judged(runner: Runner, tally: Tally, subject: Subject, choice: int) -> Verdict | None:
    """Run one check and note what it says; None where it could not decide. Raises `Denied`."""
    tally.choices.add(choice)
    try:
        found = await runner.judge(tally.hook, tally.check, subject)
    except Exception as error:
        tally.fail_to_decide(error)
        return None
    tally.note(found)
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """How the checks of one text are asked."""

    runner: Runner
    base: Subject
    like: Slot

    def subject(self, text: str) -> Subject:
        """Return what a check is given."""
        like = self.like
        return replace(
            self.base,
            texts=(text,),
            places=(like.place.value,),
            roles=(like.role,),
            tools=(like.tool,),
            is_json=(like.is_json,),
        )

    async def judge(self, tally: Tally, subject: Subject) -> Verdict | None:
        """Run a check; see `judged`."""
        return await judged(self.runner, tally, subject, self.like.choice)

    async def changed(self, tally: Tally, text: str) -> str | None:
        """Return what a check makes of a text, and note nothing; None: it could not tell."""
        try:
            found = await self.runner.judge(tally.hook, tally.check, self.subject(text))
        except Exception:  # it has been told where the text was judged
            return None
        return text if found.texts is None else found.texts[0]


def stages_of(tallies: Sequence[Tally], look: Look) -> list[Stage]:
    """Return the stages of a text; neighbours that change nothing share one."""
    stages: list[Stage] = []
    plain: list[Tally] = []
    for tally in tallies:
        own = _own_stage(tally, look)
        if own is None:
            plain.append(tally)
            continue
        if plain:
            stages.append(_Judged(plain, look))
            plain = []
        stages.append(own)
    return [*stages, _Judged(plain, look)] if plain else stages


def _own_stage(tally: Tally, look: Look) -> Stage | None:
    """Return the stage that a check has for itself, if it has one."""
    check, bound = tally.check.bound.check, tally.check.bound
    if check.stream_mask is not None:
        vault = look.runner.vaults.of("output") if bound.may_change else Vault()
        mask = check.stream_mask(bound.arguments, vault, look.like.is_json)
        return _Masked(tally, look, mask) if bound.may_change else _Searched(tally, look, mask)
    return _Changed(tally, look) if bound.may_change else None


class _Judged:
    """Checks that change nothing. What is held back has been judged with all that came so far."""

    def __init__(self, tallies: Sequence[Tally], look: Look) -> None:
        self._tallies = tallies
        self._look = look
        self._overlap = max(tally.check.bound.window_limit or 0 for tally in tallies)
        self._held = ""

    async def feed(self, text: str) -> str:
        held = self._held + text
        subject = self._look.subject(held)
        for tally in self._tallies:
            await self._look.judge(tally, subject)
        ready = max(0, len(held) - self._overlap)
        self._held = held[ready:]
        return held[:ready]

    async def close(self) -> str:
        held, self._held = self._held, ""
        return held


class _Changed:
    """A check that changes texts: a window is cut where the cut changes none of its finds."""

    def __init__(self, tally: Tally, look: Look) -> None:
        self._tally = tally
        self._look = look
        self._overlap = tally.check.bound.window_limit or 0
        self._held = ""

    async def feed(self, text: str) -> str:
        self._held += text
        ready = len(self._held) - self._overlap
        if ready <= 0:
            return ""
        cut = self._tally.check.bound.check.cut
        return await (self._try_cuts(ready) if cut is None else self._cut(cut, ready))

    async def close(self) -> str:
        held, self._held = self._held, ""
        return await self._judge(held) if held else ""

    async def _judge(self, text: str) -> str:
        found = await self._look.judge(self._tally, self._look.subject(text))
        if found is None or found.texts is None:
            return text
        self._tally.transformed = self._tally.transformed or found.texts[0] != text
        return found.texts[0]

    async def _cut(self, cut: Cut, ready: int) -> str:
        """Let out as much as the check itself tells."""
        held, bound = self._held, self._tally.check.bound
        try:
            if bound.blocking:
                at = await self._look.runner.pool.run(lambda: cut(bound.arguments, held, ready))
            else:
                at = cut(bound.arguments, held, ready)
        except Exception:  # the check itself will not be able to tell either
            at = ready
        self._held = held[at:]
        return await self._judge(held[:at])

    async def _try_cuts(self, ready: int) -> str:
        """Let out as much as can be cut off without a change that shows."""
        held = self._held
        new = await self._judge(held)
        step = 0
        while (at := ready - step) > 0:
            front = await self._front(held, at, new)
            if front is not None:
                self._held = held[at:]
                return front
            step = step * 2 or 1
        return ""

    async def _front(self, held: str, at: int, new: str) -> str | None:
        """Return what a window becomes up to a place, if it can be cut there."""
        change, overlap, tally = self._look.changed, self._overlap, self._tally
        # Whatever goes across the place lies within this; that it shows may be chance in the whole.
        around = held[max(0, at - overlap) : at + overlap]
        if len(held) < 16 * overlap + _LONG and await change(tally, around) != around:
            return None
        front, rest = await change(tally, held[:at]), await change(tally, held[at:])
        return front if front is not None and rest is not None and front + rest == new else None


class _Masked:
    """A check that brings its own mask for streams, which holds back what it must."""

    def __init__(self, tally: Tally, look: Look, mask: StreamMask) -> None:
        self._tally = tally
        self._look = look
        self._mask = mask

    async def feed(self, text: str) -> str:
        self._tally.choices.add(self._look.like.choice)
        return await self._run(lambda: self._mask.feed(text), len(text))

    async def close(self) -> str:
        return await self._run(self._mask.close, 0)

    async def _run(self, step: Callable[[], str], size: int) -> str:
        before = dict(self._mask.found.counts)
        try:
            out = await _stepped(self._look.runner, step, size)
        except Exception as error:
            # What it held is lost with it, and may not go out unmasked.
            self._tally.fail_to_decide(error)
            raise Denied from error
        counts = self._mask.found.counts
        if counts != before or self._tally.data is None:
            _count(self._tally, before, self._mask)
        self._tally.transformed = self._tally.transformed or counts != before
        return out


class _Searched:
    """The same for a check that only looks for what such a mask would change."""

    def __init__(self, tally: Tally, look: Look, mask: StreamMask) -> None:
        self._tally = tally
        self._look = look
        self._mask: StreamMask | None = mask
        self._held = ""

    async def feed(self, text: str) -> str:
        self._tally.choices.add(self._look.like.choice)
        mask, self._held = self._mask, self._held + text
        return self._held_back() if mask is None else await self._run(mask, text)

    async def close(self) -> str:
        if self._mask is None or not self._held:
            return self._held_back()
        return await self._run(self._mask, None) + self._held_back()

    def _held_back(self, length: int | None = None) -> str:
        out = self._held[:length]
        self._held = self._held[len(out) :]
        return out

    async def _run(self, mask: StreamMask, text: str | None) -> str:
        """Return what may go on; nothing is looked for once something has been found."""
        size = len(text or "")
        try:
            certain = await _stepped(
                self._look.runner, lambda: mask.close() if text is None else mask.feed(text), size
            )
        except Exception as error:
            self._mask = None
            self._tally.fail_to_decide(error)
            return self._held_back()
        if not mask.found.counts:
            self._tally.data = self._tally.data or {"detected": {}}
            return self._held_back(len(certain))
        self._mask = None
        _count(self._tally, {}, mask)
        self._tally.fail()
        return self._held_back()


async def _stepped(runner: Runner, step: Callable[[], str], size: int) -> str:
    return await runner.pool.run(step) if size > _LARGE else step()


def _count(tally: Tally, before: dict[str, int], mask: StreamMask) -> None:
    """Add what a mask has found since to what its check tells: kinds and counts, never a value."""
    data = tally.data or {"detected": {}}
    detected = dict(data["detected"])
    for kind, count in mask.found.counts.items():
        detected[kind] = detected.get(kind, 0) + count - before.get(kind, 0)
    tally.data = {**data, "detected": detected}
    if mask.found.details:
        tally.data["secrets"] = {**data.get("secrets", {}), **mask.found.details}
