"""The fixtures of the HTTP suite, on one host, and what a client may see of a broken provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from tests.http.client import Answer, Client
from tests.http.clients import Bare, Host
from tests.http.conftest import _database, fake_upstream, ledger, raw, serve, sites, upstream

__all__ = ["_database", "fake_upstream", "ledger", "raw", "serve", "sites", "upstream"]

QUICKLY_S = 5.0
LIMITS = {
    "idle_s": 0.6, "first_byte_s": 1.0, "hold_s": 1.0,
    "max_response_bytes": 300_000, "max_event_bytes": 100_000,
}  # fmt: skip
"""Small, so that what never ends is soon seen; yet a moment in which the whole process stands
still, as it does for a full collection, is no silence of the provider's."""


@pytest.fixture(scope="session")
def host() -> type[Host]:
    """The one host: what a provider does is the same to all."""
    return Bare


@pytest.fixture
def client(serve: Callable[..., Client]) -> Iterator[Client]:
    """A client of a gateway with small limits; it must still serve others afterwards."""
    client = serve(limits=LIMITS, resend_lost=False)
    yield client
    started = time.monotonic()
    assert 200 == client.chat().status
    assert time.monotonic() - started < QUICKLY_S


def outcome(answer: Answer, payload: bytes | None = None) -> str:
    """Say what a client saw: `relayed`, `cut`, or `error`; fails for anything that R3 forbids.

    `payload` is what the provider sent, where that is known to be good.
    """
    if answer.status != 200:
        assert answer.whole
        assert answer.error["message"]
        return "error"
    if answer.whole:
        assert payload is None or payload == answer.body, "a 200 with another body"
        return "relayed"
    told = [payload for payload in event_data(answer.body) if "error" in payload]
    if str(answer.header("content-type")).startswith("text/event-stream"):
        assert 1 == len(told), "a cut stream tells of it once"
        assert b"[DONE]" not in answer.body.rpartition(b'"error"')[2]
    return "cut"


def event_data(body: bytes) -> list[dict[str, Any]]:
    """Return the JSON objects among the events of a stream."""
    found = []
    for line in body.replace(b"\r", b"\n").split(b"\n"):
        try:
            value = orjson.loads(line.removeprefix(b"data:"))
        except orjson.JSONDecodeError:
            continue
        if line.startswith(b"data:") and isinstance(value, dict):
            found.append(value)
    return found
