"""Recorded messages and counts of tokens; they lie beside the project, not in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import Context, Event, Framing
from llmgateway.codecs.sse import SSESplitter
from llmgateway.providers.anthropic import ANTHROPIC
from llmgateway.types.http import Headers

JSON = dict[str, Any]
CASSETTES = Path(__file__).resolve().parents[3] / "../shared/cassettes"

UNWHOLE = {"anthropic/messages/programmatic-tool-calling-1-chunks-stream"}
"""Several streams in one file, each with its own numbers, the last without its end."""


@dataclass(frozen=True)
class Recording:
    """One recorded exchange."""

    id: str
    endpoint: str
    is_stream: bool
    tags: frozenset[str]
    request: JSON | None
    status: int
    headers: Headers
    raw: bytes
    body: Any

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str((self.request or {}).get("model") or "claude-sonnet-4-5")

    def events(self) -> list[Event]:
        """Return the events of the stream."""
        return split([self.raw])

    def data(self) -> list[JSON]:
        """Return what the events say."""
        return [json.loads(event.data) for event in self.events()]


def context(model: str, **members: Any) -> Context:
    """Return a context for a model, with ids that can be foretold."""
    members.setdefault("capabilities", ANTHROPIC.capabilities_for(model))
    members.setdefault("new_id", lambda prefix: f"{prefix}new")
    return Context(model=model, now=1_700_000_000, **members)


def split(pieces: list[bytes]) -> list[Event]:
    """Return the events of a body that arrives in `pieces`."""
    splitter = SSESplitter(Framing.SSE, 16 * 1024 * 1024)
    found = [event for piece in pieces for event in splitter.feed(piece)]
    return found + splitter.flush()


@cache
def recordings() -> tuple[Recording, ...]:
    """Return every recording of the format, whichever cloud served it; none where absent."""
    paths = [*CASSETTES.glob("*/messages/*.json"), *CASSETTES.glob("anthropic/count_tokens/*.json")]
    return tuple(_load(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(paths))


def _load(case: JSON) -> Recording:
    answer, request = case["response"], case["request"]["body"]
    return Recording(
        id=case["id"],
        endpoint=case["endpoint"],
        is_stream=case["wire"] == "sse",
        tags=frozenset(case["tags"]),
        request=request if isinstance(request, dict) else None,
        status=answer["status"],
        headers=Headers((key.encode(), value.encode()) for key, value in answer["headers"].items()),
        raw=_raw(answer),
        body=answer.get("body"),
    )


def _raw(answer: JSON) -> bytes:
    if answer.get("raw") is not None:
        return str(answer["raw"]).encode()
    if answer.get("body") is not None:
        return orjson.dumps(answer["body"])
    return b"".join(
        b"event: " + event["event"].encode() + b"\ndata: " + orjson.dumps(event["data"]) + b"\n\n"
        for event in answer["sse_events"]
    )


def streams() -> list[Any]:
    """Return the streamed answers as test parameters."""
    return _params([one for one in recordings() if one.is_stream])


def answers() -> list[Any]:
    """Return the whole messages."""
    whole = [one for one in recordings() if not one.is_stream and one.status == 200]
    return _params([one for one in whole if one.endpoint == "messages"])


def errors() -> list[Any]:
    """Return the refusals."""
    return _params([one for one in recordings() if one.status >= 400])


def requests() -> list[Any]:
    """Return all that has a request."""
    return _params([one for one in recordings() if one.request is not None])


def counts() -> list[Any]:
    """Return the counts of tokens."""
    return _params([one for one in recordings() if one.endpoint == "count_tokens"])


def _params(chosen: list[Recording]) -> list[Any]:
    absent = pytest.mark.skip(reason=f"no recordings at {CASSETTES.name}/ beside the project")
    found = [pytest.param(recording, id=recording.id) for recording in chosen]
    return found or [pytest.param(None, marks=absent)]
