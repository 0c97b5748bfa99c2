"""Runs guardrails over one body: verdicts, changes, and what is told of them.

A check decides and no more. Here it is timed, bounded, caught and reported; what it could not
decide becomes an `error` verdict, and whoever stated the guardrail says what that is worth.
Source of the shapes: the Portkey HTTP contract, section 6, and its guardrails, section 2.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from llmgateway.codecs.base import Format
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind, json_slot
from llmgateway.config import Feedback
from llmgateway.engine.bind import BoundCheck, BoundHook
from llmgateway.engine.pool import Pool, PoolFull
from llmgateway.engine.texts import TOLD_OF_CALLER, Group, follow, groups_of, rest_of
from llmgateway.engine.told import HookResult
from llmgateway.engine.vaults import Vaults
from llmgateway.engine.world import World
from llmgateway.guardrails import CheckFailed, Services, Subject, Verdict
from llmgateway.guardrails.pii import Vault
from llmgateway.redaction import redacting_logger
from llmgateway.types import JSON

logger = redacting_logger(__name__)

UNKNOWN = "Error executing check"
UNREADABLE = "It is no JSON object, so no check can read it."
OUT_OF_BOUNDS = "The answer was too long, or took too long."


class Matter:
    """What is judged: the texts of a body, or of a stream; and what has been changed of them."""

    def __init__(
        self, base: Subject, body: JSON, read: Callable[[JSON], list[Slot]], wire: Format | None
    ) -> None:
        self.body = body
        self.changed = False
        self._base = base
        self._read = read
        self._format = wire
        self._slots: list[Slot] | None = None
        self._before: list[str] = []
        self._seen: dict[str | None, list[tuple[Group, Subject]]] = {}
        """By scope, what checks have been given since the last change; None: of no text."""

    @classmethod
    def of(cls, wire: Format, body: JSON, part: Part, base: Subject, *, may_change: bool) -> Matter:
        """Return a body as matter.

        With `may_change` it is a copy, so that one target's mask never reaches another.
        """
        whole = _copied(body) if may_change else body
        return cls(base, whole, lambda found: wire.slots(found, part), wire)

    @classmethod
    def of_slots(cls, slots: list[Slot], base: Subject) -> Matter:
        """Return the texts of a stream as matter; it has no body to change as a whole."""
        return cls(base, {}, lambda _: slots, None)

    @property
    def slots(self) -> list[Slot]:
        """Where words stand in it."""
        if self._slots is None:
            self._slots = self._read(self.body)
            self._before = [slot.text for slot in self._slots]
        return self._slots

    def subjects(self, check: BoundCheck) -> list[tuple[Group, Subject]]:
        """Return what a check looks at, one by one; many checks look at the same."""
        if check.masks_all:
            return self._subjects(check)
        scope = check.scope if check.bound.check.needs_text else None
        found = self._seen.get(scope)
        if found is None:
            found = self._seen[scope] = self._subjects(check)
        return found

    def _subjects(self, check: BoundCheck) -> list[tuple[Group, Subject]]:
        base, stage = self._base, self._base.stage
        if self._format is not None:
            is_input = stage == "input"
            base = replace(base, request=self.body) if is_input else replace(base, answer=self.body)
        if not check.bound.check.needs_text:
            return [(Group(()), base)]
        groups = groups_of(self.slots, stage, check.scope)
        if stage == "input" and self._format is not None and check.masks_all:
            rest = [*rest_of(self.body, self.slots), *self._metadata_slot()]
            groups.append(Group(tuple(rest)))
        return [(group, group.subject(base)) for group in groups]

    @property
    def is_asked(self) -> bool:
        """Whether it is a request."""
        return self._base.stage == "input"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The call's, as later checks may know it."""
        return self._base.metadata

    def _metadata_slot(self) -> list[Slot]:
        def put(text: str) -> None:
            self._base = replace(self._base, metadata=orjson.loads(text))

        holder = {"metadata": dict(self._base.metadata)}
        return [replace(slot, put=put) for slot in json_slot(holder, "metadata", place=Place.OTHER)]

    def apply(self, group: Group, verdict: Verdict) -> bool:
        """Make a verdict's changes; tell whether there were any."""
        changed = False
        new = verdict.request if self._base.stage == "input" else verdict.answer
        if self._format is None:
            new = None
        if new is not None and new != self.body:
            self.body, self._slots, changed = _copied(new), None, True
        if verdict.texts is not None and new is None:
            changed = group.take(verdict.texts) or changed
        if verdict.insert is not None and self._format is not None:
            self.settle()
            self._format.insert(self.body, verdict.insert.role, verdict.insert.text)
            self._slots, changed = None, True
        if changed:
            self.changed = True
            self._seen.clear()
        return changed

    def restore(self, vault: Vault) -> None:
        """Put back what the request's guardrails have masked."""
        for slot in self.slots:
            if slot.kind in (SlotKind.TEXT, SlotKind.COPY):
                restored = vault.restore(slot.text, slot.is_json)
                if restored != slot.text:
                    slot.put(restored)
                    slot.text = restored
                    self.changed = True
        for name in TOLD_OF_CALLER:  # the Responses API repeats them
            if (told := self.body.get(name)) and (back := vault.restore_json(told)) != told:
                self.body[name], self.changed = back, True

    def settle(self) -> None:
        """Bring what repeats a changed text in line with it; done once all checks have run."""
        if self.changed and self._slots is not None:
            follow(self._slots, self._before)
            self._before = [slot.text for slot in self._slots]


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs hooks. Holds no state of a call but the services that are handed in."""

    world: World
    pool: Pool
    check_s: float
    """How long one check may take where its hook does not say."""
    services: Services
    """With the caller's own rights."""
    demanded: Services
    """The same for what is demanded of the caller, who could not choose what is asked."""
    vaults: Vaults
    deadline: float = math.inf
    """Monotonic seconds at which the whole call must have ended."""

    async def run(self, hooks: Sequence[BoundHook], matter: Matter) -> list[HookResult]:
        """Run hooks over a matter and make their changes: first what is demanded.

        What that denies is not for the caller's own to see. What they make of a request is judged
        again, since it goes out; of an answer it is not, which is theirs already.
        """
        demanded = [hook for hook in hooks if hook.is_demanded]
        own = [hook for hook in hooks if not hook.is_demanded]
        results = await self._together(demanded, matter)
        if own and not any(result.denies for result in results):
            added = await self._together(own, matter)
            if matter.is_asked and any(result.told["transformed"] for result in added):
                again = await self._together(demanded, matter)
                results = [_later(*both) for both in zip(results, again, strict=True)]
            results += added
        matter.settle()
        return results

    async def _together(self, hooks: Sequence[BoundHook], matter: Matter) -> list[HookResult]:
        """Run hooks in their order where any may change something, else side by side."""
        checks = [check for hook in hooks for check in hook.checks]
        if not _waits(checks) or any(hook.may_change for hook in hooks):
            return [await self._hook(hook, matter) for hook in hooks]
        return list(await asyncio.gather(*[self._hook(hook, matter) for hook in hooks]))

    async def _hook(self, hook: BoundHook, matter: Matter) -> HookResult:
        started = self.world.monotonic()
        checks = hook.checks
        if hook.hook.sequential or hook.may_change or not _waits(checks):
            told = [await self._check(hook, check, matter) for check in checks]
        else:
            told = list(await asyncio.gather(*[self._check(hook, c, matter) for c in checks]))
        return self.result(hook, told, started)

    def result(self, hook: BoundHook, told: list[JSON], started: float) -> HookResult:
        """Return what a hook comes to, by what its checks have said."""
        passed = all(passes(one) for one in told)
        stated = hook.hook
        is_unmasked = any(
            check.masks and not passes(one) and "error" in one
            for check, one in zip(hook.checks, told, strict=True)
        )
        return HookResult(
            hook,
            {
                "verdict": passed,
                "id": stated.id,
                "transformed": any(one["transformed"] for one in told),
                "checks": told,
                "feedback": _feedback(stated.on_success if passed else stated.on_fail, told),
                "execution_time": self._ms_since(started),
                "async": stated.is_async,
                "type": stated.kind,
                "created_at": self._now(),
                "deny": (stated.deny and not passed or is_unmasked) and not stated.is_async,
            },
        )

    async def _check(self, hook: BoundHook, check: BoundCheck, matter: Matter) -> JSON:
        started = self.world.monotonic()
        data: Any = None
        log: Any = None
        passed, transformed, error = True, False, None
        for group, subject in matter.subjects(check):
            try:
                found = await self.judge(hook, check, subject)
                if data is None or (passed and not found.passed):
                    data, log = dict(found.data), found.log
                passed = passed and found.passed
                transformed = matter.apply(group, found) or transformed
            except CheckFailed as failed:
                error = {"name": "CheckFailed", "message": str(failed)}
            except Exception as raised:
                log_failure(check, raised)
                error = {"name": "Error", "message": UNKNOWN}
        # That one choice has failed counts, whatever could not be decided of another.
        error = error if passed else None
        verdict = passed and error is None
        return self.told(check, started, verdict, data, transformed, log, error)

    def unread(self, hook: BoundHook, why: str = OUT_OF_BOUNDS) -> HookResult:
        """Return the result of a hook that could not decide: its bounds ended it, or no text."""
        started = self.world.monotonic()
        error = {"name": "CheckFailed", "message": why}
        told = [
            self.told(replace(check, fails_on_error=hook.is_closed), started, False, error=error)
            for check in hook.checks
        ]
        return self.result(hook, told, started)

    def told(
        self,
        check: BoundCheck,
        started: float,
        verdict: bool,
        data: Any = None,
        transformed: bool = False,
        log: Any = None,
        error: JSON | None = None,
    ) -> JSON:
        """Return what is told of a check."""
        told: JSON = {
            "id": check.id,
            "verdict": verdict,
            "data": data,
            "transformed": transformed,
            "execution_time": self._ms_since(started),
            "created_at": self._now(),
            "log": log,
            "fail_on_error": check.fails_on_error,
        }
        if error is not None:
            told["error"] = error
        return told

    async def judge(self, hook: BoundHook, check: BoundCheck, subject: Subject) -> Verdict:
        """Run one check over one subject, within its time.

        Raises `CheckFailed`, and whatever the check's own function raises.
        """
        declared, bound = check.bound.check, check.bound
        services = self.demanded if hook.is_demanded else self.services
        vault = self.vaults.of(subject.stage) if declared.wants_vault else None
        if not (declared.is_async or bound.blocking):
            return _verdict(bound.run(subject, services, vault), check, subject)
        stated_s = self.check_s if hook.hook.timeout_ms is None else hook.hook.timeout_ms / 1000
        limit_s = max(0.0, min(stated_s, self.deadline - self.world.monotonic()))
        try:
            async with asyncio.timeout(limit_s):
                if bound.blocking:
                    found = await self.pool.run(lambda: bound.run(subject, services, vault))
                else:
                    found = bound.run(subject, services, vault)
                whole = await found if inspect.isawaitable(found) else found
            return _verdict(whole, check, subject)
        except TimeoutError:
            raise CheckFailed(f"The check took longer than {limit_s:g} s.") from None
        except PoolFull:
            raise CheckFailed("Too many checks are under way; try again later.") from None

    def _ms_since(self, started: float) -> int:
        return round((self.world.monotonic() - started) * 1000)

    def _now(self) -> str:
        return _written(int(self.world.time() * 1000))


@lru_cache(maxsize=4)
def _written(milliseconds: int) -> str:
    """Return a moment as ISO 8601 has it; many checks end in the same one."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _later(first: HookResult, again: HookResult) -> HookResult:
    """Return which of a hook's results tells more, the second being of what has changed since."""
    return again if not again.passed or again.told["transformed"] else first


def _verdict(found: Any, check: BoundCheck, subject: Subject) -> Verdict:
    """Take what a check has returned: a verdict, or a bool for one.

    Raises `CheckFailed` for what is neither, and for what could not be sent or told.
    """
    if isinstance(found, bool):
        return Verdict(found)
    if not isinstance(found, Verdict) or not isinstance(found.passed, bool):
        raise CheckFailed("The check returned no Verdict.")
    texts = found.texts
    if texts is not None:
        if len(texts) != len(subject.texts) or not all(isinstance(text, str) for text in texts):
            raise CheckFailed("The check returned other texts than one for each it was given.")
        if tuple(texts) == subject.texts:
            texts = None
    new = [one for one in (found.request, found.answer) if one is not None]
    if not all(isinstance(one, dict) for one in new):
        raise CheckFailed("The check returned a new body that is no object.")
    if not check.bound.may_change and (texts is not None or found.insert is not None or new):
        raise CheckFailed("The check changes something, and is not declared with changes=True.")
    try:
        orjson.dumps((dict(found.data), found.log, texts, new))
    except (TypeError, ValueError):
        raise CheckFailed("The check returned what JSON cannot hold.") from None
    return found


def log_failure(check: BoundCheck, raised: Exception) -> None:
    """Log where a check failed, without the error's words, which may quote a prompt or a key."""
    where = "".join(traceback.format_tb(raised.__traceback__))
    logger.error("The check %s raised %s:\n%s", check.id, type(raised).__name__, where)


def _waits(checks: Sequence[BoundCheck]) -> bool:
    """Tell whether checks have anything to gain from running side by side."""
    waiting = [c for c in checks if c.bound.check.is_async or c.bound.blocking]
    return len(waiting) > 1


def passes(told: JSON) -> bool:
    return bool(told["verdict"]) or ("error" in told and not told["fail_on_error"])


def _feedback(stated: Feedback | None, told: Sequence[JSON]) -> JSON | None:
    """Return the feedback of a hook; any check that could not decide counts as passed here."""
    if stated is None:
        return None
    errored = [one["id"] for one in told if "error" in one]
    passed = [one["id"] for one in told if one["verdict"] and "error" not in one]
    failed = [one["id"] for one in told if not one["verdict"] and "error" not in one]
    return {
        "value": stated.value,
        "weight": stated.weight,
        "metadata": {
            **stated.metadata,
            "successfulChecks": ", ".join(passed),
            "failedChecks": ", ".join(failed),
            "erroredChecks": ", ".join(errored),
        },
    }
