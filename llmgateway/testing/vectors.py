"""Embeddings and moderations, as the fake provider answers them.

Sources: https://platform.openai.com/docs/api-reference/embeddings and …/moderations
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Any

import orjson

from llmgateway.testing import words
from llmgateway.testing.answers import (
    Answer,
    FakeError,
    as_json,
    count_field,
    stable_id,
    text_field,
)
from llmgateway.testing.script import Script
from llmgateway.types import JSON

DIMENSIONS = 16
"""How long a vector is if the request does not say."""
MAX_DIMENSIONS = 4096
MAX_INPUTS = 2048
FLAGGED_WORD = "forbidden"
"""A text with this word is flagged by the moderation endpoint."""

_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def embeddings(body: JSON, script: Script) -> Answer:
    """Answer `POST /v1/embeddings`; the same text always has the same vector."""
    model = text_field(body, "model")
    inputs = _inputs(body.get("input"))
    length = count_field(body, "dimensions", DIMENSIONS, MAX_DIMENSIONS)
    packed = body.get("encoding_format") == "base64"
    vectors = [vector(text, length) for text in inputs]
    tokens = words.count(inputs)
    return as_json(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": _pack(v) if packed else v}
                for i, v in enumerate(vectors)
            ],
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def vector(text: str, length: int) -> list[float]:
    """Return the vector of a text: drawn from its digest, of length one, in single precision."""
    stream = hashlib.shake_256(text.encode()).digest(2 * length)
    numbers = [value / 32768 for value in struct.unpack(f"<{length}h", stream)]
    norm = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return list(struct.unpack(f"<{length}f", struct.pack(f"<{length}f", *_scaled(numbers, norm))))


def _scaled(numbers: list[float], norm: float) -> list[float]:
    return [number / norm for number in numbers]


def _pack(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def _inputs(given: Any) -> list[str]:
    """Return the inputs as texts; one given as token numbers is its JSON."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and 0 < len(given) <= MAX_INPUTS:
        if all(isinstance(part, int) for part in given):
            return [orjson.dumps(given).decode()]
        if all(isinstance(part, str | list) for part in given):
            return [p if isinstance(p, str) else orjson.dumps(p).decode() for p in given]
    raise FakeError(400, "'input' must be a text or a list of texts or of tokens.", param="input")


def moderations(body: JSON, script: Script) -> Answer:
    """Answer `POST /v1/moderations`."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise FakeError(400, "'input' must be a text or a list.", param="input")
    if all(isinstance(part, dict) for part in texts):
        texts = [words.plain(texts)]
    return as_json(
        {
            "id": stable_id("modr-", body),
            "model": body.get("model") or "fake-moderation",
            "results": [_verdict(text) for text in texts],
        }
    )


def _verdict(text: Any) -> JSON:
    flagged = isinstance(text, str) and FLAGGED_WORD in text.lower()
    return {
        "flagged": flagged,
        "categories": {name: flagged and name == "violence" for name in _CATEGORIES},
        "category_scores": {
            name: 0.9 if flagged and name == "violence" else 0.001 for name in _CATEGORIES
        },
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
