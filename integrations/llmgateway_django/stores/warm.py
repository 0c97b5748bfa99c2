"""What the database said, kept for a moment, so that it is spared most questions.

An answer is asked for again after `cache_s`, by one request; those that come meanwhile are served
what is known. While the database is away, what was known stays so for `grace_s`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from django.db import Error, transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from llmgateway.redaction import redacting_logger
from llmgateway_django.conf import Keeping
from llmgateway_django.database import Database, DatabaseBusy

__all__ = ["LOOKUP_S", "Answer", "Warm", "forget_with"]

logger = redacting_logger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LOOKUP_S = 2.0
"""How long the database may take. Until then others are served what is known already, so a
revoked key ends within `cache_s + LOOKUP_S`."""
PAUSE_S = 1.0
"""A database that was away is asked again after that, by one request."""
_MAX_CACHED = 10_000
"""Answers kept, and as many names that stand for nothing."""


@dataclass(slots=True)
class Answer(Generic[V]):
    """What the database said of a name."""

    value: V | None
    asked_at: float
    asked_again_at: float = -math.inf


class Warm(Generic[K, V]):
    """Answers by name. Safe from any loop.

    `look_up` returns what there is of some names, and runs where `database` says; `what` is what
    the log calls it.
    """

    def __init__(
        self,
        look_up: Callable[[Sequence[K]], Mapping[K, V]],
        database: Database,
        what: str,
        keeping: Keeping,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._database = database
        self._what = what
        self._keeping = keeping
        self._monotonic = monotonic
        # Apart, so that made-up names push out none that exist.
        self._found: _Bounded[K, V] = _Bounded()
        self._unknown: _Bounded[K, V] = _Bounded()
        self._changes = 0
        self._is_away = False
        self._ask_at = -math.inf
        """While the database is away: when to try again."""

    async def ask(self, names: Sequence[K]) -> dict[K, Answer[V] | None]:
        """Return what is known of each name; None where nobody can tell."""
        now = self._monotonic()
        answers = {name: self._known(name) for name in names}
        due = [name for name, answer in answers.items() if self._is_due(answer, now)]
        if due:
            answers |= await self._ask(due, now)
        return answers

    def forget(self) -> None:
        """Ask the database for everything at its next use."""
        self._changes += 1
        self._found.clear()
        self._unknown.clear()

    def _known(self, name: K) -> Answer[V] | None:
        return self._found.get(name) or self._unknown.get(name)

    def _is_due(self, answer: Answer[V] | None, now: float) -> bool:
        if answer is None:
            return True
        keeping = self._keeping
        age = now - answer.asked_at
        if age < keeping.cache_s:
            return False
        if age >= (keeping.grace_s if self._is_away else keeping.cache_s + LOOKUP_S):
            return True
        is_asked_for = now < answer.asked_again_at + LOOKUP_S
        return not (is_asked_for or (self._is_away and now < self._ask_at))

    async def _ask(self, due: list[K], now: float) -> Mapping[K, Answer[V] | None]:
        for name in due:
            if (answer := self._known(name)) is not None:
                answer.asked_again_at = now
        self._ask_at = now + LOOKUP_S
        changes = self._changes
        try:
            found = await self._database.run(partial(self._look_up, due), LOOKUP_S)
        except (Error, TimeoutError, DatabaseBusy) as error:
            return self._without_database(due, error)
        self._is_away = False
        answers = {name: Answer(found.get(name), now) for name in due}
        if changes == self._changes:  # else it may be of before the change
            for name, answer in answers.items():
                here, there = self._found, self._unknown
                if answer.value is None:
                    here, there = there, here
                here.put(name, answer)
                there.discard(name)
        return answers

    def _without_database(self, due: list[K], error: Exception) -> Mapping[K, Answer[V] | None]:
        now = self._monotonic()
        if not self._is_away:
            logger.error("The database does not answer for %s: %r", self._what, error)
        self._is_away = True
        self._ask_at = now + PAUSE_S
        answers = {name: self._known(name) for name in due}
        return {
            name: answer if answer and now < answer.asked_at + self._keeping.grace_s else None
            for name, answer in answers.items()
        }


class _Bounded(Generic[K, V]):
    """Answers by name; those that came last stay. Reading takes no lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[K, Answer[V]] = {}
        self.get = self._answers.get

    def put(self, name: K, answer: Answer[V]) -> None:
        with self._lock:
            self._answers.pop(name, None)
            self._answers[name] = answer
            if len(self._answers) > _MAX_CACHED:
                del self._answers[next(iter(self._answers))]

    def discard(self, name: K) -> None:
        with self._lock:
            self._answers.pop(name, None)

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()


def forget_with(*models: type[Model]) -> WeakSet[Warm[Any, Any]]:
    """Return a set whose members forget what they know when a row of these models is changed.

    In the process that changes it the change is felt at once: for what goes on in the same
    transaction, and once more when it is committed, since others may have asked in between and
    been told what was true before.
    """
    all_: WeakSet[Warm[Any, Any]] = WeakSet()

    def forget() -> None:
        for warm in list(all_):
            warm.forget()

    def changed(*, using: str, **_: Any) -> None:
        forget()
        transaction.on_commit(forget, using=using)

    for model in models:
        for signal in (post_save, post_delete):
            signal.connect(changed, sender=model, weak=False)
    return all_
