"""Follows streams of Messages. Source: https://platform.claude.com/docs/en/build-with-claude/streaming."""

from __future__ import annotations

import re
from typing import Final

import orjson

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.choices import event_fault, parse_object
from llmgateway.codecs.messages.shape import kind_of
from llmgateway.codecs.messages.usage import merge, read_usage
from llmgateway.errors import UpstreamError
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
"""The event with which every stream of the format ends."""

_TELLING: Final = frozenset({"message_start", "message_delta", "message_stop", "error"})
# Where an event has no name. A quote inside a JSON text is escaped, so no text can hide a key.
_TELLING_DATA: Final = re.compile(
    rb'"(?:type"\s*:\s*"(?:message_|error)|error"(?!\s*:\s*null))'
).search

# Of some events at once, with their names; all others that tell something hold `message_`.
_TELLS_OF_ERROR: Final = re.compile(rb'event: ?error|"error').search

_SILENT_BLOCKS: Final = frozenset({"text", "thinking"})
"""Blocks that announce text; any other is content by itself."""


class MessagesWatch:
    """Follows one stream; implements `Watch`.

    It may end once its `stop_reason` is known: what follows holds nothing. Events after the first
    content are parsed only if their names promise usage, an end or an error.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._figures: JSON = {}
        self._has_content = False
        self._has_reason = False
        self._has_stop = False
        self.error: UpstreamError | None = None

    @property
    def usage(self) -> Usage | None:
        """The tokens so far: the last word on each figure."""
        return read_usage(self._figures)

    @property
    def ended_well(self) -> bool:
        """Whether the format allows the stream to end now."""
        return self.error is None and (self._has_stop or self._has_reason)

    def owed(self) -> bytes:
        """Return the `message_stop` that a good end still needs."""
        return STOP if self.ended_well and not self._has_stop else b""

    def feed(self, event: Event) -> EventKind:
        """Take the next event."""
        if self._has_content and not self._is_telling(event):
            return EventKind.CONTENT
        body = parse_object(event.data)
        fault = event_fault(event, body)
        if fault is not None:
            self.error = self.error or fault.to_error(self._provider)
            return EventKind.ERROR
        self._follow(body)
        return EventKind.CONTENT if self._has_content and body else EventKind.PRELUDE

    def skim(self, block: bytes) -> bool:
        """Take some whole events, if none of them tells anything; see `Watch`."""
        return (
            self._has_content
            and b"message_" not in block
            and (b"error" not in block or not _TELLS_OF_ERROR(block))
        )

    def _is_telling(self, event: Event) -> bool:
        if event.name is None:
            return _TELLING_DATA(event.data) is not None
        return event.name in _TELLING

    def _follow(self, body: JSON) -> None:
        match body.get("type"):
            case "message_start":
                message = body.get("message")
                if isinstance(message, dict):
                    self._figures = merge(self._figures, message.get("usage"))
                    self._has_content = self._has_content or bool(message.get("content"))
                self._has_stop = False
            case "message_delta":
                self._figures = merge(self._figures, body.get("usage"))
                delta = body.get("delta")
                if isinstance(delta, dict) and isinstance(delta.get("stop_reason"), str):
                    self._has_reason = True
            case "message_stop":
                self._has_stop = True
            case "content_block_start":
                self._has_content = _is_content(body.get("content_block"))
            case "content_block_delta":
                self._has_content = _says_something(body.get("delta"))


def _is_content(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    kind = kind_of(block)
    return kind not in _SILENT_BLOCKS or bool(block.get(kind))


def _says_something(delta: object) -> bool:
    return isinstance(delta, dict) and any(value for key, value in delta.items() if key != "type")


def error_event(error: JSON) -> bytes:
    """Return the event in which a stream tells of an error."""
    return b"event: error\ndata: " + orjson.dumps(error) + b"\n\n"
