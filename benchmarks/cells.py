"""What is measured: the cells of the table, as data, and the requests they send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

__all__ = ["EVENTS", "PACED_PER_S", "Cell", "Route", "cells", "paced"]

EVENTS = 100
"""Of one flat-out stream, as the mock upstream sends it."""
PACED_PER_S = 50
_RAMP_MS = 500

Route = Literal["plain", "spliced", "overridden", "translated"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement, made with every stack that can do it."""

    name: str
    title: str
    kind: Literal["json", "sse", "paced"]
    in_flight: int
    seconds: float
    route: Route = "plain"
    """plain: the body goes through as it is. spliced: the gateway writes another model into it.
    overridden: it changes a parameter that the body has. translated: the provider speaks
    Anthropic's format."""
    body_bytes: int = 1024
    model: str = "bench-json"
    """What the upstream is asked for in the end; it decides the answer's shape."""
    least: int = 800
    """An answer of fewer bytes, or a stream of fewer events, is short."""
    ramp_ms: int = 0

    @property
    def unit(self) -> str:
        """What the CPU time is divided by."""
        return "request" if self.kind == "json" else "event"

    def body(self, model: str) -> bytes:
        """Return the request's body: a chat of `body_bytes`, in messages of up to 2 KB."""
        fields: dict[str, object] = {"model": model}
        if self.kind != "json":
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.route == "translated":
            fields["max_tokens"] = 1024
        if self.route == "overridden":
            # What the body does not have would be spliced in.
            fields["temperature"] = 1.0
        room = self.body_bytes - len(json.dumps(fields)) - 20
        roles = ("user", "assistant")
        texts = [min(1950, left) for left in range(room, 60, -2000)]
        messages = [
            {"role": roles[place % 2], "content": _text(size - 45)}
            for place, size in enumerate(texts)
        ]
        return json.dumps({**fields, "messages": messages}).encode()


def _text(size: int) -> str:
    sentence = 'Tell me "why" it rains,\nand where the water goes. '
    return (sentence * (size // len(sentence) + 1))[: max(size, 1)]


def cells(seconds: float) -> tuple[Cell, ...]:
    """Return all cells, each `seconds` long and the paced one half as long again."""
    return (
        *(_chat(in_flight, seconds) for in_flight in (1, 16, 64, 256)),
        _big("big", "passed through", "plain", seconds),
        _big("spliced", "given another model", "spliced", seconds),
        _big("reencoded", "given another temperature", "overridden", seconds),
        Cell(
            "sse16",
            "100-event streams flat out, 16 at a time",
            "sse",
            16,
            seconds,
            model="bench-sse",
            least=EVENTS,
        ),
        Cell(
            "translated",
            "Anthropic's stream to a chat client, 16 at a time",
            "sse",
            16,
            seconds,
            "translated",
            model="bench-messages",
            least=EVENTS - 5,
        ),
        paced("paced256", 1.5 * seconds),
    )


def paced(name: str, seconds: float) -> Cell:
    """Return a cell of 256 streams that last `seconds` each, with an event each 20 ms."""
    events = max(1, round(seconds * PACED_PER_S))
    return Cell(
        name,
        "256 streams, 50 events/s each",
        "paced",
        256,
        seconds,
        model=f"bench-paced-{events}",
        least=events,
        ramp_ms=_RAMP_MS,
    )


def _chat(in_flight: int, seconds: float) -> Cell:
    return Cell(f"c{in_flight}", f"1 KB chat, {in_flight} in flight", "json", in_flight, seconds)


def _big(name: str, how: str, route: Route, seconds: float) -> Cell:
    title = f"100 KB body {how}, 16 in flight"
    return Cell(name, title, "json", 16, seconds, route, body_bytes=100 * 1024)
