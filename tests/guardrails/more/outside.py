"""A world outside that answers what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgateway.guardrails.base import Fetched
from llmgateway.types import JSON


class Scripted:
    """Services that give one answer and keep what they were asked."""

    def __init__(self, answer: JSON) -> None:
        self.answer = answer
        self.asked: list[tuple[str, JSON]] = []

    async def ask(self, model: str, body: JSON) -> JSON:
        self.asked.append((model, body))
        return self.answer

    async def moderate(self, model: str, body: JSON) -> JSON:
        self.asked.append((model, body))
        return self.answer

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
        raise AssertionError("these checks fetch nothing")

    async def resolves(self, host: str) -> bool:
        raise AssertionError("these checks resolve nothing")

    def cached(self, key: str) -> Any | None:
        return None

    def keep(self, key: str, value: Any, max_age_s: float) -> None:
        raise AssertionError("these checks keep nothing")
