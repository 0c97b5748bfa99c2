"""Messages and its count of tokens, read without translating them.

Source: https://platform.claude.com/docs/en/api/messages and /en/api/errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from llmgateway.codecs import faults
from llmgateway.codecs.base import Denial, Watch
from llmgateway.codecs.messages.guarding import MessagesDenial, insert
from llmgateway.codecs.messages.slots import count_slots, slots
from llmgateway.codecs.messages.usage import read_usage
from llmgateway.codecs.messages.watch import MessagesWatch, error_event
from llmgateway.codecs.slots import Part, Slot
from llmgateway.errors import GatewayError, UpstreamError
from llmgateway.types import JSON
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage

TYPE_BY_STATUS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The format's word for a status; other 4xx are `invalid_request_error`, the rest `api_error`."""

_OWN_TYPES: Final = frozenset({*TYPE_BY_STATUS.values(), "api_error"})
_WORDLESS: Final = "The provider answered with an error without saying which."


@dataclass(frozen=True, slots=True)
class MessagesFormat:
    """One format of the family; implements `Format`."""

    name: str
    answers: Callable[[JSON], bool]
    read_slots: Callable[[JSON, Part], list[Slot]] = slots
    counts_usage: bool = True
    is_json: bool = True
    max_event_bytes: int | None = None

    def usage(self, body: JSON) -> Usage | None:
        """Read the usage of a whole success body; a count of tokens costs none."""
        return read_usage(body.get("usage")) if self.counts_usage else None

    def watch(self, request: JSON | None, provider: str) -> Watch:
        """Begin to follow a stream."""
        return MessagesWatch(provider)

    def ask_for_usage(self, request: JSON) -> JSON | None:
        """Return None: every stream of the format has its usage."""
        return None

    def is_answer(self, body: JSON) -> bool:
        """Whether a 2xx body has what makes it an answer."""
        return self.answers(body)

    def body_error(self, body: JSON, provider: str) -> UpstreamError | None:
        """Find the error in a body that came with a 2xx status."""
        if self.answers(body) or not (body.get("error") or body.get("type") == "error"):
            return None
        fault = faults.find_fault(body, _WORDLESS)
        return None if fault is None else fault.to_error(provider)

    def decode_error(
        self, status: int, headers: Headers, body: bytes, provider: str
    ) -> UpstreamError:
        """Rebuild a provider's error answer; unreadable bodies become one too."""
        return faults.decode_error(status, headers, body, provider)

    def encode_error(self, error: GatewayError, request_id: str) -> JSON:
        """Return an error in the format's shape, the members of the gateway's contract beside it.

        Its `type` is the format's own word, which clients choose their exceptions by; `code` and
        `param` keep what the gateway says more exactly.
        """
        said = error.to_openai(request_id)
        within = {**said.pop("error"), "type": _type_of(error)}
        kept = {key: within[key] for key in ("type", "message")}
        return {
            "type": "error",
            "error": {**kept, **within},
            "request_id": request_id,
            **said,
        }

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the event that tells of an error within a stream already begun."""
        return error_event(self.encode_error(error, request_id))

    def slots(self, body: JSON, part: Part) -> list[Slot]:
        """Return every place of a body where words stand."""
        return self.read_slots(body, part)

    def insert(self, body: JSON, role: str, text: str) -> None:
        """Add a message to a request, in place."""
        insert(body, role, text)

    def denial(self) -> Denial:
        """Begin to follow a stream that goes out to a caller."""
        return MessagesDenial()


def _type_of(error: GatewayError) -> str:
    # OpenAI has one word for whatever is wrong with a request, be it missing or too large.
    says_little = error.gateway_made or error.type == "invalid_request_error"
    if error.type in _OWN_TYPES and not says_little:
        return str(error.type)
    other = "invalid_request_error" if 400 <= error.status < 500 else "api_error"
    return TYPE_BY_STATUS.get(error.status, other)


def _is_message(body: JSON) -> bool:
    return body.get("type") == "message" or isinstance(body.get("content"), list)


def _is_count(body: JSON) -> bool:
    return isinstance(body.get("input_tokens"), int)


MESSAGES: Final = MessagesFormat(name="messages", answers=_is_message)
COUNT_TOKENS: Final = MessagesFormat(
    name="count_tokens", answers=_is_count, read_slots=count_slots, counts_usage=False
)
