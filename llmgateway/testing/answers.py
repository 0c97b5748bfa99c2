"""What the fake provider's endpoints answer with, before any fault is put in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from llmgateway.types import JSON

CREATED = 1_700_000_000
"""The time at which everything was made: answers are the same on every day."""

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Fields = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream, as bytes."""

    raw: bytes
    content: bool = False
    """Whether a reader would see something of it."""
    done: bool = False
    """Whether it is the sentinel after the last event."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer."""

    events: Iterable[Event]
    error: bytes
    """The event that a fault sends, in the format of this stream."""


class FakeError(Exception):
    """A request that the fake provider refuses, as OpenAI would."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Fields = (),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = headers

    def answer(self) -> Answer:
        """Return the error as an answer. Source: OpenAI's API reference, error codes."""
        return as_json(self.body(), self.status, self.headers)

    def body(self) -> JSON:
        """Return the error as a JSON object."""
        type_, code = _KINDS.get(self.status, _OTHER_KIND)
        return {
            "error": {
                "message": self.message,
                "type": type_,
                "param": self.param,
                "code": self.code or code,
            }
        }


_OTHER_KIND = ("server_error", None)
_KINDS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    409: ("invalid_request_error", "conflict"),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}

SCRIPTED = "This failure was asked for by the model's name."


def as_json(value: Any, status: int = 200, headers: Fields = ()) -> Answer:
    """Return a JSON answer."""
    return Answer(orjson.dumps(value), status, headers=headers)


def listing(items: list[JSON]) -> JSON:
    """Return OpenAI's list object around `items`, complete on one page."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0].get("id") if items else None,
        "last_id": items[-1].get("id") if items else None,
        "has_more": False,
    }


def stable_id(prefix: str, value: Any) -> str:
    """Return an id that is the same for the same request."""
    digest = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return prefix + digest[:24]


def sse(data: JSON, name: str | None = None) -> bytes:
    """Return one server-sent event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + orjson.dumps(data) + b"\n\n"


DONE = Event(b"data: [DONE]\n\n", done=True)


def text_field(body: JSON, name: str) -> str:
    """Return a string that the body must have; raises `FakeError`."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise FakeError(400, f"You must provide the parameter {name!r} as a string.", param=name)
    return value


def count_field(body: JSON, name: str, default: int, most: int) -> int:
    """Return a number from 1 to `most`, or the default where it is left out."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise FakeError(400, f"{name!r} must be a whole number from 1 to {most}.", param=name)
    return value
