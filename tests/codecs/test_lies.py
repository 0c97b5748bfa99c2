"""A provider that lies about types is read as far as it can be; nothing raises."""

from __future__ import annotations

import os
import random
from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import Context
from llmgateway.errors import InvalidRequest, UpstreamError
from tests.codecs.crossing import context
from tests.codecs.lies import CODECS, DOORS, STREAMS, WHOLE, event_of, spoiled

ROUNDS = int(os.environ.get("LIES", "120"))
"""How many answers of each kind are spoiled; at thousands it is a hunt, not a test."""

crossings = pytest.mark.parametrize("door", sorted(DOORS))
codecs = pytest.mark.parametrize("codec", sorted(CODECS))


def _context(dice: random.Random) -> Context:
    asks: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    if dice.random() < 0.2:
        asks["response_format"] = {"type": "json_object"}
    door = {"stop_sequences": ["x"], "tools": [{"type": "custom", "name": "find"}]}
    return context(request=asks, door_request=door, compliance=dice.random() < 0.5)


@codecs
@crossings
def test_a_whole_answer_of_lies_is_told_as_far_as_it_goes(codec: str, door: str) -> None:
    for seed in range(ROUNDS):
        dice = random.Random(f"{codec}{door}{seed}")
        body = orjson.loads(_json(spoiled(WHOLE[codec], dice)))
        ctx = _context(dice)
        try:
            told = DOORS[door].encode_response(CODECS[codec].decode_response(body, ctx), ctx)
        except (UpstreamError, InvalidRequest):
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {body!r}") from error
        orjson.dumps(told)


@codecs
@crossings
def test_a_stream_of_lies_is_told_as_far_as_it_goes(codec: str, door: str) -> None:
    for seed in range(ROUNDS):
        dice = random.Random(f"{codec}{door}{seed}")
        bodies = spoiled(STREAMS[codec], dice)
        ctx = _context(dice)
        decoder, encoder = CODECS[codec].decode_stream(ctx), DOORS[door].encode_stream(ctx)
        try:
            for body in bodies:
                for chunk in decoder.feed(event_of(body)):
                    encoder.feed(chunk)
            for chunk in decoder.close():
                encoder.feed(chunk)
            encoder.close()
        except (UpstreamError, InvalidRequest):
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {bodies!r}") from error


def _json(value: Any) -> bytes:
    """Return JSON as a provider may send it; what stands for no character becomes one."""
    return orjson.dumps(_clean(value))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value
