"""What the guardrails of a call have told: to its caller, and to its record.

Source of the shapes: the Portkey HTTP contract, section 6, and its guardrails, section 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmgateway.engine.bind import BoundHook
from llmgateway.types import JSON


@dataclass(frozen=True, slots=True)
class HookResult:
    """What came of one hook."""

    hook: BoundHook
    told: JSON = field(repr=False)
    """As `hook_results` has it."""

    @property
    def passed(self) -> bool:
        """Whether all of its checks passed, or could not decide where that is let through."""
        return bool(self.told["verdict"])

    @property
    def denies(self) -> bool:
        """Whether the call must not go on."""
        return bool(self.told["deny"])


def is_refused(results: Sequence[HookResult]) -> bool:
    """Tell whether what is demanded has denied something: the caller's own must not see it."""
    return any(result.denies and result.hook.is_demanded for result in results)


@dataclass(slots=True)
class Told:
    """The results of one call's hooks so far; a retry's replace those of the try before."""

    before: list[HookResult] = field(default_factory=list)
    after: list[HookResult] = field(default_factory=list)
    beside: list[asyncio.Task[list[HookResult]]] = field(default_factory=list)
    """Hooks that run beside the call and report to the record only."""
    stream_mode: str | None = None
    """How the answer's stream is guarded: `hold`, `window` or `monitor`."""

    @property
    def has_failed(self) -> bool:
        """Whether any hook has, of either stage."""
        return not all(result.passed for result in (*self.before, *self.after))

    def as_json(self) -> JSON:
        """Return `hook_results` as the contract has them; {} where no hook told anything."""
        if not (self.before or self.after):
            return {}
        return {
            "before_request_hooks": [result.told for result in self.before],
            "after_request_hooks": [result.told for result in self.after],
        }

    def for_record(self, beside: Sequence[HookResult] = ()) -> JSON | None:
        """Return all results, those of hooks that ran beside the call included; None: no hooks."""
        whole = self.as_json()
        if beside:
            whole = {**whole, "beside": [result.told for result in beside]}
        return whole or None
