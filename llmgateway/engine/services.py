"""The world outside, for checks: the guarded transport, other models, and a small memory."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from llmgateway.engine.world import World
from llmgateway.errors import GatewayError
from llmgateway.guardrails import CheckFailed, Fetched
from llmgateway.transport.dial import has_public_address
from llmgateway.types import JSON
from llmgateway.types.http import Headers, RawHeaders
from llmgateway.types.upstream import Timeouts, UpstreamRequest

Ask = Callable[[str, str, JSON], Awaitable[JSON]]
"""Endpoint, model and body to an answer; raises `GatewayError`."""

MAX_KEPT = 256


class Kept:
    """What checks keep from one run to another, bounded; safe from any thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def get(self, key: str) -> Any | None:
        """Return what is kept under a key and not too old."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            return value if self._monotonic() < until else None

    def put(self, key: str, value: Any, max_age_s: float) -> None:
        """Keep a value; over the bound the oldest one goes."""
        with self._lock:
            self._values[key] = self._monotonic() + max_age_s, value
            self._values.move_to_end(key)
            if len(self._values) > MAX_KEPT:
                self._values.popitem(last=False)


@dataclass(frozen=True, slots=True)
class EngineServices:
    """Implements `Services` for the guardrails of one call."""

    world: World
    kept: Kept
    ask_gateway: Ask
    deadline: float = math.inf
    """Monotonic seconds at which the whole call must have ended."""

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
        """Ask a URL; see `Services.fetch`."""
        request = UpstreamRequest(
            method=method,
            url=url,
            headers=_raw(headers or {}),
            body=body,
            timeouts=Timeouts(timeout_s, timeout_s, timeout_s),
            deadline=min(self.deadline, self.world.monotonic() + timeout_s),
        )
        try:
            async with asyncio.timeout(timeout_s):
                response = await self.world.transport().send(request)
                try:
                    whole = await response.read(max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise CheckFailed(f"{_host(url)} did not answer within {timeout_s:g} s.") from None
        except GatewayError as error:
            raise CheckFailed(_without(error.message, url)) from None
        return Fetched(response.status, _plain(response.headers), whole)

    async def resolves(self, host: str) -> bool:
        """Tell whether a host name has a public address."""
        return await has_public_address(host)

    async def ask(self, model: str, body: JSON) -> JSON:
        """Run a chat completion without guardrails; see `Services.ask`."""
        return await self._asked("chat", model, body)

    async def moderate(self, model: str, body: JSON) -> JSON:
        """Run a moderation; see `Services.moderate`."""
        return await self._asked("moderations", model, body)

    def cached(self, key: str) -> Any | None:
        """Return what was kept."""
        return self.kept.get(key)

    def keep(self, key: str, value: Any, max_age_s: float) -> None:
        """Keep a value in this process."""
        self.kept.put(key, value, max_age_s)

    async def _asked(self, endpoint: str, model: str, body: JSON) -> JSON:
        try:
            return await self.ask_gateway(endpoint, model, body)
        except GatewayError as error:
            raise CheckFailed(
                f"The model {model[:64]} could not be asked: {error.message}"
            ) from None


def _raw(headers: Mapping[str, str]) -> RawHeaders:
    try:
        return tuple(
            (name.lower().encode("ascii"), value.encode("latin-1"))
            for name, value in headers.items()
        )
    except UnicodeEncodeError:
        raise CheckFailed("A header of the check holds what no header can.") from None


def _plain(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "The address"
    except ValueError:
        return "The address"


def _without(message: str, url: str) -> str:
    """Return an error's words with the host alone: a path or query may hold a secret."""
    return message.replace(url, _host(url))
