"""What the formats of Google's RPC family share: how errors look, and where usage stands.

A format is one `RpcFormat`, made of what is its own: what an answer has, how a stream is read.
Source: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from llmgateway.codecs.base import Denial, Watch
from llmgateway.codecs.generate_content import faults
from llmgateway.codecs.generate_content.guarding import GenerateContentDenial, insert
from llmgateway.codecs.generate_content.shape import number, pick
from llmgateway.codecs.generate_content.slots import count_slots, embed_slots, slots
from llmgateway.codecs.generate_content.usage import read_usage
from llmgateway.codecs.generate_content.watch import GenerateContentWatch
from llmgateway.codecs.opaque import OpaqueWatch
from llmgateway.codecs.openai import MAX_IMAGE_EVENT_BYTES, SilentDenial, no_message
from llmgateway.codecs.slots import Part, Slot
from llmgateway.errors import GatewayError, UpstreamError
from llmgateway.types import JSON
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage


@dataclass(frozen=True, slots=True)
class RpcFormat:
    """One format of the family; implements `Format`."""

    name: str
    answers: Callable[[JSON], bool]
    """Whether a body has what makes it an answer."""
    new_watch: Callable[[JSON | None, str], Watch] = GenerateContentWatch
    read_slots: Callable[[JSON, Part], list[Slot]] = slots
    put_message: Callable[[JSON, str, str], None] = insert
    new_denial: Callable[[], Denial] = GenerateContentDenial
    is_json: bool = True
    max_event_bytes: int | None = None

    def usage(self, body: JSON) -> Usage | None:
        """Read the usage of a whole success body."""
        return read_usage(pick(body, "usageMetadata"))

    def watch(self, request: JSON | None, provider: str) -> Watch:
        """Begin to follow a stream that answers `request`."""
        return self.new_watch(request, provider)

    def ask_for_usage(self, request: JSON) -> JSON | None:
        """Return None: every stream tells its usage unasked."""
        return None

    def is_answer(self, body: JSON) -> bool:
        """Whether a 2xx body has what makes it an answer."""
        return self.answers(body)

    def body_error(self, body: JSON, provider: str) -> UpstreamError | None:
        """Find the error in a body that came with a 2xx status."""
        fault = None if self.answers(body) else faults.fault_of(body)
        return None if fault is None else fault.to_error(provider)

    def decode_error(
        self, status: int, headers: Headers, body: bytes, provider: str
    ) -> UpstreamError:
        """Rebuild a provider's error answer; unreadable bodies become one too."""
        return faults.decode_error(status, headers, body, provider)

    def encode_error(self, error: GatewayError, request_id: str) -> JSON:
        """Return an error answer's body in the shape of this family's clients."""
        return faults.encode_error(error, request_id)

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the event that tells of an error within a stream already begun."""
        return b"data: " + orjson.dumps(self.encode_error(error, request_id)) + b"\n\n"

    def slots(self, body: JSON, part: Part) -> list[Slot]:
        """Return every place of a body where words stand."""
        return self.read_slots(body, part)

    def insert(self, body: JSON, role: str, text: str) -> None:
        """Add a message to a request, in place."""
        self.put_message(body, role, text)

    def denial(self) -> Denial:
        """Begin to follow a stream that goes out to a caller."""
        return self.new_denial()


def _has_candidates(body: JSON) -> bool:
    """Take a refused prompt, which has no candidates, for an answer too."""
    return isinstance(body.get("candidates"), list) or isinstance(
        pick(body, "promptFeedback"), dict
    )


GENERATE_CONTENT = RpcFormat(
    name="generate_content",
    answers=_has_candidates,
    # Pictures come whole, within one event.
    max_event_bytes=MAX_IMAGE_EVENT_BYTES,
)

COUNT_TOKENS = RpcFormat(
    name="generate_content_count_tokens",
    answers=lambda body: number(pick(body, "totalTokens")) is not None,
    new_watch=OpaqueWatch,
    read_slots=count_slots,
    new_denial=SilentDenial,
)

EMBED_CONTENT = RpcFormat(
    name="embed_content",
    answers=lambda body: (
        isinstance(body.get("embedding"), dict) or isinstance(body.get("embeddings"), list)
    ),
    new_watch=OpaqueWatch,
    read_slots=embed_slots,
    put_message=no_message,
    new_denial=SilentDenial,
)
