"""Recorded traffic of the formats of OpenAI's family; it lies beside the project, not in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmgateway.codecs.audio import TRANSCRIPTION
from llmgateway.codecs.base import Format
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.responses import RESPONSES
from llmgateway.types.http import Headers

CASSETTES = Path(__file__).resolve().parents[2] / "../shared/cassettes"

FORMATS: dict[str, Format] = {
    "chat_completions": CHAT,
    "openai_chat": CHAT,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
    "responses": RESPONSES,
    "images": IMAGES,
    "transcription": TRANSCRIPTION,
}
"""By the recorder's name of the provider's operation."""

OWN_SHAPES = {"cohere", "deepgram"}
"""Providers whose operations share such a name and have a format of their own."""


@dataclass(frozen=True)
class Cassette:
    """One recorded exchange."""

    id: str
    wire: str
    format: Format
    provider: str
    tags: frozenset[str]
    request: dict[str, Any] | None
    status: int
    headers: Headers
    raw: bytes
    body: Any
    events: list[dict[str, Any]]

    def chunks(self) -> list[dict[str, Any]]:
        """Return the data of the recorded events that are objects."""
        return [event["data"] for event in self.events if isinstance(event["data"], dict)]


@cache
def cassettes() -> tuple[Cassette, ...]:
    """Return every recording whose format is one of ours; none where they are absent."""
    paths = sorted(CASSETTES.glob("*/*/*.json"))
    found = (_load(json.loads(path.read_text(encoding="utf-8"))) for path in paths)
    return tuple(cassette for cassette in found if cassette is not None)


def _load(case: dict[str, Any]) -> Cassette | None:
    answer, body = case["response"], case["response"].get("body")
    if case["api"] not in FORMATS or case["provider"] in OWN_SHAPES:
        return None
    if case["wire"] not in ("json", "sse") or isinstance(body, list):
        return None
    raw = answer.get("raw")
    request = case["request"]["body"]
    return Cassette(
        id=case["id"],
        wire=case["wire"],
        format=FORMATS[case["api"]],
        provider=case["provider"],
        tags=frozenset(case["tags"]),
        request=request if isinstance(request, dict) else None,
        status=answer["status"],
        headers=Headers((key.encode(), value.encode()) for key, value in answer["headers"].items()),
        raw=(json.dumps(body) if raw is None else raw).encode(),
        body=body,
        events=answer.get("sse_events") or [],
    )


def params(wire: str, *, error: bool | None = None) -> list[Any]:
    """Return the recordings of one wire as test parameters, or one that says why there are none."""
    chosen = [
        pytest.param(cassette, id=cassette.id)
        for cassette in cassettes()
        if cassette.wire == wire and error in (None, cassette.status >= 400)
    ]
    absent = pytest.mark.skip(reason=f"no recordings at {CASSETTES.name}/ beside the project")
    return chosen or [pytest.param(None, marks=absent)]
