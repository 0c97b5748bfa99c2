"""What all formats of OpenAI's family share: how errors look, and how a stream is asked for usage.

A format is one `OpenAIFormat`, made of what is its own: how usage, answers and streams are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from llmgateway.codecs import faults
from llmgateway.codecs.base import Denial, Watch
from llmgateway.codecs.slots import Part, Slot
from llmgateway.codecs.usage import read_usage
from llmgateway.errors import GatewayError, UpstreamError
from llmgateway.types import JSON
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage

MAX_IMAGE_EVENT_BYTES: Final = 16 * 1024 * 1024
"""For formats that carry whole pictures in one event, as base64."""


_WORDLESS: Final = "The provider answered with an error without saying which."


def plain_error_event(error: JSON) -> bytes:
    """Return the event in which the older formats of the family tell of an error."""
    return b"data: " + orjson.dumps(error) + b"\n\n"


def no_slots(body: JSON, part: Part) -> list[Slot]:
    """Find no words in a body."""
    return []


def no_message(body: JSON, role: str, text: str) -> None:
    """Leave a body as it is that has no place for a message."""


class SilentDenial:
    """Ends a stream that has no finish of its own; implements `Denial`.

    The error event that follows says all.
    """

    def see(self, event: JSON) -> None:
        """Take the next event; none of it matters here."""

    def write(self, hook_results: JSON) -> bytes:
        """Return nothing."""
        return b""

    def report(self, hook_results: JSON) -> bytes | None:
        """Return None: there is no harmless event."""
        return None


@dataclass(frozen=True, slots=True)
class OpenAIFormat:
    """One format of the family; implements `Format`."""

    name: str
    new_watch: Callable[[JSON | None, str], Watch]
    answers: Callable[[JSON], bool]
    """Whether a body has what makes it an answer."""
    is_json: bool = True
    max_event_bytes: int | None = None
    takes_stream_options: bool = False
    write_error_event: Callable[[JSON], bytes] = plain_error_event
    read_slots: Callable[[JSON, Part], list[Slot]] = no_slots
    put_message: Callable[[JSON, str, str], None] = no_message
    new_denial: Callable[[], Denial] = SilentDenial

    def usage(self, body: JSON) -> Usage | None:
        """Read the usage of a whole success body."""
        return read_usage(body.get("usage"))

    def watch(self, request: JSON | None, provider: str) -> Watch:
        """Begin to follow a stream that answers `request`."""
        return self.new_watch(request, provider)

    def ask_for_usage(self, request: JSON) -> JSON | None:
        """Return the request with `stream_options.include_usage`, or None if nothing is to do.

        Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options
        """
        options: Any = request.get("stream_options") or {}
        if not (self.takes_stream_options and request.get("stream") is True):
            return None
        if not isinstance(options, dict) or options.get("include_usage") is True:
            return None
        return {**request, "stream_options": {**options, "include_usage": True}}

    def is_answer(self, body: JSON) -> bool:
        """Whether a 2xx body has what makes it an answer."""
        return self.answers(body)

    def body_error(self, body: JSON, provider: str) -> UpstreamError | None:
        """Find the error in a body that came with a 2xx status, as aggregators send it."""
        if self.answers(body) or not (body.get("error") or body.get("errors")):
            return None
        fault = faults.find_fault(body, _WORDLESS)
        return None if fault is None else fault.to_error(provider)

    def decode_error(
        self, status: int, headers: Headers, body: bytes, provider: str
    ) -> UpstreamError:
        """Rebuild a provider's error answer; unreadable bodies become one too."""
        return faults.decode_error(status, headers, body, provider)

    def encode_error(self, error: GatewayError, request_id: str) -> JSON:
        """Return an error answer's body in OpenAI's shape."""
        return error.to_openai(request_id)

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the event that tells of an error within a stream already begun."""
        return self.write_error_event(error.to_openai(request_id))

    def slots(self, body: JSON, part: Part) -> list[Slot]:
        """Return every place of a body where words stand."""
        return self.read_slots(body, part)

    def insert(self, body: JSON, role: str, text: str) -> None:
        """Add a message to a request, in place."""
        self.put_message(body, role, text)

    def denial(self) -> Denial:
        """Begin to follow a stream of this format that goes out to a caller."""
        return self.new_denial()


def has_list(*names: str) -> Callable[[JSON], bool]:
    """Return a test for a body that has a list under one of `names`."""

    def test(body: JSON) -> bool:
        for name in names:
            if isinstance(body.get(name), list):
                return True
        return False

    return test
