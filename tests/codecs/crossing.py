"""Sends recordings and small streams through a codec, the hub and a door."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import strategies as st

from llmgateway.codecs.base import Codec, Context, Door, Event, Framing
from llmgateway.codecs.sse import SSESplitter

JSON = dict[str, Any]
CAP = 1024 * 1024


def context(**members: Any) -> Context:
    """Return a context that shows usage and numbers its ids, the same way each time."""
    numbers = count()

    def new_id(prefix: str) -> str:
        return f"{prefix}{next(numbers)}"

    asks = {"stream": True, "stream_options": {"include_usage": True}}
    return replace(Context(model="m", now=1_700_000_000, new_id=new_id, request=asks), **members)


def events_of(*bodies: Any) -> list[Event]:
    """Return the events of some JSON; a text stands for itself."""
    raws = [(body if isinstance(body, str) else json.dumps(body)).encode() for body in bodies]
    return [Event(b"data: " + raw + b"\n\n", None, raw) for raw in raws]


def split(pieces: Iterable[bytes]) -> list[Event]:
    """Return the events of a body that arrives in `pieces`."""
    splitter = SSESplitter(Framing.SSE, CAP)
    return [event for piece in pieces for event in splitter.feed(piece)] + splitter.flush()


def hub_chunks(codec: Codec, events: list[Event], ctx: Context) -> list[JSON]:
    """Return what a codec reads in a stream."""
    decoder = codec.decode_stream(ctx)
    return [chunk for event in events for chunk in decoder.feed(event)] + decoder.close()


def written(door: Door, chunks: list[JSON], ctx: Context) -> bytes:
    """Return what a door writes of hub chunks."""
    encoder = door.encode_stream(ctx)
    return b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.close()])


def crossed(codec: Codec, door: Door, events: list[Event], ctx: Context) -> bytes:
    """Return a provider's stream as a door's caller gets it."""
    return written(door, hub_chunks(codec, events, ctx), ctx)


def cuts(raw: bytes) -> st.SearchStrategy[list[bytes]]:
    """Return a body cut at any bytes."""
    places = st.lists(st.integers(0, len(raw)), max_size=30).map(sorted)
    return places.map(lambda at: [raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True)])


def recorded_answer(bodies: list[JSON], *, pieces: Callable[[JSON], Any]) -> dict[int, JSON]:
    """Add up what a provider's own chunks or body say, without the code under test.

    By choice: text, thinking, and calls as pairs of name and arguments.
    """
    choices: dict[int, JSON] = {}
    for body in bodies:
        for choice in body.get("choices") or ():
            known = choices.setdefault(
                choice.get("index") or 0, {"text": "", "thinking": "", "calls": {}, "refusal": ""}
            )
            _add(known, pieces(choice) or {})
    return choices


def _add(known: JSON, message: JSON) -> None:
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            known["text"] += part
        elif isinstance(part, dict) and part.get("type") == "text":
            known["text"] += part["text"]
        elif isinstance(part, dict) and part.get("type") == "thinking":
            known["thinking"] += "".join(piece["text"] for piece in part["thinking"])
        elif isinstance(part, dict):
            known["text"] += json.dumps(part)
    details = "".join(d.get("text") or "" for d in message.get("reasoning_details") or ())
    known["thinking"] += message.get("reasoning_content") or message.get("reasoning") or details
    known["refusal"] += message.get("refusal") or ""
    calls = message.get("tool_calls") or ()
    old = message.get("function_call") or {}
    for place, call in enumerate(calls or ([{"function": old}] if any(old.values()) else ())):
        function = call.get("function") or {}
        key = (call.get("index", place), call.get("id") or None)
        found = _same_call(known["calls"], key)
        found["name"] = found["name"] or function.get("name") or ""
        found["arguments"] += function.get("arguments") or ""


def _same_call(calls: dict[Any, JSON], key: tuple[int, str | None]) -> JSON:
    """Return the call of an index; a new id at an old index is a new call."""
    same = [call for (at, name), call in calls.items() if at == key[0] and key[1] in (None, name)]
    if same:
        return same[-1]
    found: JSON = calls.setdefault(key, {"name": "", "arguments": ""})
    return found


def calls_of(recorded: JSON) -> list[tuple[str, Any]]:
    """Return recorded calls as pairs of name and parsed arguments."""
    return [
        (call["name"], json.loads(call["arguments"] or "{}")) for call in recorded["calls"].values()
    ]
