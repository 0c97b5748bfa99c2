"""The door of Responses, in front of any provider that the hub reaches."""

from __future__ import annotations

from collections.abc import Mapping

from llmgateway.codecs.base import Context, Decoded, StreamEncoder, Unmarked
from llmgateway.codecs.chat.losses import Losses
from llmgateway.codecs.chat.usage import any_usage
from llmgateway.codecs.openai import OpenAIFormat
from llmgateway.codecs.responses.answer import ended_response, new_response
from llmgateway.codecs.responses.format import RESPONSES
from llmgateway.codecs.responses.marks import without_marks
from llmgateway.codecs.responses.output import Output
from llmgateway.codecs.responses.params import check_state, params_of
from llmgateway.codecs.responses.turns import messages_of
from llmgateway.codecs.responses.writer import ResponsesWriter, logprobs_of
from llmgateway.types import JSON
from llmgateway.types.http import Headers


class ResponsesDoor:
    """Callers of `/v1/responses` whose target is translated; implements `Door`."""

    format: OpenAIFormat = RESPONSES
    hub: str = "chat"
    marks: tuple[bytes, ...] | None = None

    def without_marks(self, body: JSON) -> Unmarked:
        """Take our reasoning items out of the input; only their own maker can read such items."""
        return without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a request; what needs a store is refused, what the hub lacks is named."""
        check_state(body)
        losses = Losses()
        read = {**params_of(body, losses), "messages": messages_of(body, losses)}
        return Decoded(
            read,
            stream=body.get("stream") is True,
            dropped=tuple(losses.dropped),
            adjusted=tuple(losses.adjusted),
        )

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer as a Response; it has one choice, the first."""
        output, finish = Output(ctx), None
        for choice in (body.get("choices") or [])[:1]:
            finish = choice.get("finish_reason")
            for _ in output.feed(_as_delta(choice.get("message") or {}), logprobs_of(choice)):
                pass  # a whole answer tells of no steps
        for _ in output.end(finish):
            pass
        usage = any_usage(body.get("usage"))
        return ended_response(new_response(body, ctx), output.values(), finish, usage)

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Begin to write a stream of events."""
        return ResponsesWriter(ctx)


RESPONSES_DOOR = ResponsesDoor()


def _as_delta(message: JSON) -> JSON:
    """Return a whole message as the one delta of a stream."""
    return {
        **message,
        "content_blocks": _numbered(message.get("content_blocks")),
        "tool_calls": _numbered(message.get("tool_calls")),
    }


def _numbered(entries: list[JSON] | None) -> list[JSON]:
    return [{**entry, "index": number} for number, entry in enumerate(entries or ())]
