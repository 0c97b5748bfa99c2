"""Judges the texts of a stream piece by piece, so that what has been judged can go out.

A text passes through stages, one after another, as the checks of a whole text see what those before
them have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from llmgateway.codecs.slots import Slot
from llmgateway.engine.bind import BoundHook
from llmgateway.engine.guard import Runner
from llmgateway.engine.stages import Look, Stage, Tally, judged, stages_of
from llmgateway.engine.texts import is_in_scope
from llmgateway.engine.told import HookResult
from llmgateway.guardrails import Subject
from llmgateway.guardrails.pii import StreamRestore


@dataclass(slots=True, eq=False)
class Channel:
    """One text of a stream."""

    like: Slot
    """The slot that it began with: where it stands, and whose it is."""
    stages: Sequence[Stage] = ()
    restorer: StreamRestore | None = None
    """What puts the request's own values back, where some were masked."""
    came: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    """What its stages have let through, before anything was put back."""
    out: list[str] = field(default_factory=list)
    """What went out, for what repeats it."""

    @property
    def is_plain(self) -> bool:
        """Whether it passes as it comes."""
        return not self.stages and self.restorer is None

    @property
    def differs(self) -> bool:
        """Whether anything else has come than went out."""
        return "".join(self.came) != "".join(self.out)

    async def feed(self, text: str) -> str:
        """Take the next piece of a text and return what may go out; raises `Denied`."""
        if self.is_plain:
            return text
        self.came.append(text)
        for stage in self.stages:
            if not text:
                return ""
            text = await stage.feed(text)
        self.passed.append(text)
        if self.restorer is not None:
            text = self.restorer.feed(text)
        self.out.append(text)
        return text

    async def close(self) -> str:
        """Return what was held back of a text that has ended; raises `Denied`."""
        text = ""
        for stage in self.stages:
            text = (await stage.feed(text) if text else "") + await stage.close()
        self.passed.append(text)
        if self.restorer is not None:
            text = self.restorer.feed(text) + self.restorer.close()
        if text:
            self.out.append(text)
        return text


class Windows:
    """The hooks of one stream that judge it in windows."""

    def __init__(self, hooks: Sequence[BoundHook], runner: Runner, base: Subject) -> None:
        self._hooks = hooks
        self._runner = runner
        self._base = base
        self._started = runner.world.monotonic()
        self._tallies = [Tally(check, hook) for hook in hooks for check in hook.checks]
        self._readers = [tally for tally in self._tallies if tally.check.bound.check.needs_text]
        self._choices: set[int] = set()
        self.is_idle = not self._readers and runner.vaults.to_restore is None
        """Whether all texts pass as they come."""

    def judges(self, slot: Slot) -> bool:
        """Tell whether any check looks at a text that stands there."""
        return any(is_in_scope(slot, tally.check.scope) for tally in self._readers)

    def open(self, slot: Slot) -> Channel:
        """Begin a text."""
        self._choices.add(slot.choice)
        found = [tally for tally in self._readers if is_in_scope(slot, tally.check.scope)]
        vault = self._runner.vaults.to_restore
        restorer = None if vault is None else StreamRestore(vault, slot.is_json)
        stages = stages_of(found, Look(self._runner, self._base, slot))
        return Channel(slot, stages, restorer)

    async def end(self) -> list[HookResult]:
        """Return the results, once all texts are closed; raises `Denied`.

        A choice of which a check has seen no text is judged by it now, on none; so is what needs no
        text.
        """
        for tally in self._tallies:
            needs_text = tally.check.bound.check.needs_text
            for choice in sorted(self._choices or {0}) if needs_text else [0]:
                if choice not in tally.choices:
                    await judged(self._runner, tally, self._base, choice)
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
