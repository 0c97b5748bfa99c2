"""What a recording must look like behind the gateway, worked out without the gateway's own code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.cassettes.corpus import Exchange

DONE = b"data: [DONE]\n\n"
OF_CHOICES = {"chat", "completions"}
"""Endpoints whose streams end with `[DONE]` and may be asked for usage."""

_EVENT = re.compile(rb".*?(?:\r?\n){2,}|.+\Z", re.DOTALL)


@dataclass(frozen=True)
class Event:
    """One event of a recorded stream."""

    raw: bytes
    name: str | None
    data: Any
    """Parsed where it is JSON."""

    @property
    def body(self) -> dict[str, Any]:
        """The data as an object; empty where it is none."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def choices(self) -> list[dict[str, Any]]:
        """The choices, if it has any."""
        found: list[dict[str, Any]] = self.body.get("choices") or []
        return found

    @property
    def usage(self) -> dict[str, Any] | None:
        """The usage object, wherever a format keeps it."""
        body = self.body
        holders = (body, body.get("response"), body.get("x_groq"))
        return next((h["usage"] for h in holders if isinstance(h, dict) and h.get("usage")), None)

    @property
    def is_error(self) -> bool:
        """Whether the provider tells of an error."""
        words = (self.name, self.body.get("type"))
        return bool(self.body.get("error")) or not {"error", "response.failed"}.isdisjoint(words)


@dataclass(frozen=True)
class Stream:
    """What the client of the gateway gets of a recorded stream."""

    body: bytes
    ends_well: bool
    """False: the connection is cut after the body and, if none has passed, an error event."""
    has_error: bool
    usage: dict[str, Any] | None


def events_of(raw: bytes) -> list[Event]:
    """Return the events of a stream."""
    return [_event(piece) for piece in _EVENT.findall(raw)]


def _event(raw: bytes) -> Event:
    fields = [line.partition(b":") for line in raw.splitlines()]
    data = b"\n".join(value.removeprefix(b" ") for name, _, value in fields if name == b"data")
    names = [value.strip().decode() for name, _, value in fields if name == b"event"]
    try:
        parsed = json.loads(data)
    except ValueError:
        parsed = data.decode()
    return Event(raw, names[-1] if names else None, parsed)


def stream_of(exchange: Exchange) -> Stream:
    """Return what comes of a recorded stream: the same bytes, but for two things.

    A chunk of usage alone is left out where only the gateway has asked for it, and a stream of
    choices that ends well without `[DONE]` gets one.
    """
    events = events_of(exchange.raw)
    has_error = any(event.is_error for event in events)
    passed = [event.raw for event in events if not (_asked_by_us(exchange) and _is_usage(event))]
    ends_well = not has_error and _is_finished(exchange, events)
    if ends_well and exchange.endpoint in OF_CHOICES and not any(map(_is_done, events)):
        passed.append(DONE)
    usages = [event.usage for event in events if event.usage]
    return Stream(b"".join(passed), ends_well, has_error, usages[-1] if usages else None)


def _asked_by_us(exchange: Exchange) -> bool:
    request = exchange.request or {}
    options = request.get("stream_options") or {}
    can_ask = exchange.endpoint in OF_CHOICES and exchange.row.stream_usage
    return can_ask and bool(request.get("stream")) and not options.get("include_usage")


def _is_usage(event: Event) -> bool:
    return event.usage is not None and not event.choices


def _is_done(event: Event) -> bool:
    return bool(event.data == "[DONE]")


def _is_finished(exchange: Exchange, events: list[Event]) -> bool:
    if exchange.endpoint == "responses":
        ends = {"response.completed", "response.incomplete"}
        return any(event.body.get("type") in ends for event in events)
    if exchange.endpoint not in OF_CHOICES:
        return True
    choices = [choice for event in events for choice in event.choices]
    seen = {choice.get("index", 0) for choice in choices}
    finished = {choice.get("index", 0) for choice in choices if choice.get("finish_reason")}
    asked = int((exchange.request or {}).get("n") or 1)
    return seen == finished and (any(map(_is_done, events)) or len(finished) >= asked)


def usage_of(exchange: Exchange) -> dict[str, Any] | None:
    """Return the usage object that is to count, if the recording has one.

    What is only fetched has been counted when it was made, and nobody reads a stream whose format
    is not known.
    """
    if exchange.status >= 400 or exchange.method == "GET":
        return None
    if exchange.is_stream:
        return None if exchange.endpoint == "proxy" else stream_of(exchange).usage
    body = exchange.case.response.get("body")
    usage = body.get("usage") if isinstance(body, dict) else None
    return usage if isinstance(usage, dict) else None


def counts_tokens(usage: dict[str, Any] | None) -> bool:
    """Tell whether a usage object counts tokens; some count seconds or characters."""
    return any("tokens" in name and value is not None for name, value in (usage or {}).items())


def details_of(usage: dict[str, Any]) -> dict[str, Any]:
    """Return a usage object with the members of its details beside its own."""
    details = [value for name, value in usage.items() if name.endswith("details") and value]
    return {key: value for part in (usage, *details) for key, value in part.items()}


def error_of(exchange: Exchange) -> dict[str, Any]:
    """Return the error object that a recorded error becomes, but for the request's id.

    The members that OpenAI's shape does not name stay beside those that it does.
    """
    body = exchange.case.response["body"]
    said = body.get("error", body)
    told = {**said, **{name: said.get(name) for name in ("type", "code", "param")}}
    words = told.pop("detail", None) or told["message"]
    return {**told, "message": f"{exchange.row.name} error: {words}"}
