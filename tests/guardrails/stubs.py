"""The world outside as a table, and checks run as the engine runs them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from llmgateway.guardrails import Bound, CheckFailed, Fetched, Services, Subject, Verdict, builtin
from llmgateway.types import JSON


@dataclass
class StubServices:
    """`Services` that answer from a table of URLs and write down what they were asked."""

    answers: dict[str, Fetched | Exception] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, Mapping[str, str], bytes, float]] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    ages: dict[str, float] = field(default_factory=dict)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
        max_bytes: int = 2**20,
    ) -> Fetched:
        self.asked.append((method, url, headers or {}, body, timeout_s))
        answer = self.answers.get(url, CheckFailed("The connection failed"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def resolves(self, host: str) -> bool:
        self.asked.append(("DNS", host, {}, b"", 0))
        return host in self.hosts

    async def ask(self, model: str, body: JSON) -> JSON:
        raise CheckFailed("No model is here")

    async def moderate(self, model: str, body: JSON) -> JSON:
        raise CheckFailed("No model is here")

    def cached(self, key: str) -> Any | None:
        return self.kept.get(key)

    def keep(self, key: str, value: Any, max_age_s: float) -> None:
        self.kept[key] = value
        self.ages[key] = max_age_s


def bound(id: str, parameters: Any = None) -> Bound:
    """Bind one of our checks."""
    return builtin()[id].bind(parameters or {})


async def run(one: Bound, subject: Subject, services: Services | None = None) -> Verdict:
    """Run a check, awaited where it is a coroutine."""
    found = one.run(subject, services or StubServices())
    return await found if inspect.isawaitable(found) else found


def subject(*texts: str, stage: str = "output", **facts: Any) -> Subject:
    """Return a subject with these texts, as one message's parts."""
    kept = tuple(text for text in texts if text)
    roles: Sequence[str] = facts.pop("roles", ["assistant" if stage == "output" else "user"])
    if len(roles) != len(kept):
        roles = [*roles[:1]] * len(kept)
    return Subject(
        cast(Any, stage), kept, roles=tuple(roles), places=("text",) * len(kept), **facts
    )
