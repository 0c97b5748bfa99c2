"""Providers of formats of their own, played from recordings behind the gateway."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.cassettes.corpus import corpus
from tests.sdk.stage import Stage

TRACE = "x-llmgateway-trace-id"
_NUMBERS = itertools.count(1)


def _png() -> bytes:
    """Return a picture of one white pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return len(data).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    head = (1).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    pixels = zlib.compress(b"\x00\xff")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


PIXEL = _png()
PIXEL_BASE64 = base64.b64encode(PIXEL).decode()


@dataclass(frozen=True)
class Sent:
    """What a provider was sent."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]


@dataclass(frozen=True)
class Replay:
    """A gateway in front of recordings, and of the fake provider."""

    stage: Stage
    state: Any
    """The replay tool's; `Any`, since it is no part of the project."""

    @property
    def origin(self) -> str:
        """The gateway's address, for SDKs that put the version into the path themselves."""
        return self.stage.url.removesuffix("/v1")

    def plays(self, *cases: str, fault: str = "") -> None:
        """Let the providers answer with these recordings, one after the other."""
        self.state.queue.extend({"case": case, "fault": fault} for case in cases)

    def fails(self, status: int) -> None:
        """Let the next answer have an error's status, and the provider's own shape of errors."""
        self.state.queue.append({"fault": f"status={status}"})

    def answers(self, *bodies: Any) -> None:
        """Let the providers answer with these bodies, for what nobody has recorded."""
        for body in bodies:
            self._play("json", "application/json", json.dumps(body))

    def streams(self, events: Iterable[Any]) -> None:
        """Let the provider answer with these events, each named by its `type` if it has one."""
        pieces = []
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            pieces.append(f"{name}data: {json.dumps(event)}\n\n")
        self._play("sse", "text/event-stream", "".join(pieces))

    def _play(self, wire: str, content_type: str, raw: str) -> None:
        name = f"made/{next(_NUMBERS)}"
        like = next(iter(self.state.corpus.cases.values()))
        case = copy.copy(like)
        vars(case).update(
            id=name,
            wire=wire,
            response={"status": 200, "headers": {"content-type": content_type}, "raw": raw},
        )
        self.state.corpus.cases[name] = case
        self.plays(name)

    @property
    def sent(self) -> list[Sent]:
        """What the providers were sent in this test, the oldest first."""
        return [
            Sent(
                entry["path"],
                {name.lower(): value for name, value in entry["headers"].items()},
                json.loads(entry["body"] or "{}"),
            )
            for entry in self.state.log
        ]

    def recorded(self, case: str) -> Any:
        """Return the body of a recorded answer, or the data of its events."""
        response = self.state.corpus.named(case).response
        if response.get("body") is not None:
            return response["body"]
        lines = response["raw"].replace("\r\n", "\n").split("\n")
        return [json.loads(line[5:]) for line in lines if line.startswith("data:")]


def private_corpus() -> Any:
    """Return all recordings, in a book that more can be written into."""
    own = copy.copy(corpus())
    own.cases = dict(own.cases)
    return own
