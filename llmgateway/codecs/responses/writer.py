"""Writes hub chunks as the events of a Response.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from llmgateway.codecs.base import Context
from llmgateway.codecs.chat.usage import any_usage
from llmgateway.codecs.responses.answer import ended_response, is_incomplete, new_response
from llmgateway.codecs.responses.items import Told
from llmgateway.codecs.responses.output import Output
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


class ResponsesWriter:
    """Writes one stream; implements `StreamEncoder`. A Response has one choice, the first."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._output = Output(ctx)
        self._response: JSON | None = None
        self._number = 0
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: JSON) -> bytes:
        """Return the events that the next chunk becomes."""
        self._usage = any_usage(chunk.get("usage")) or self._usage
        begun = b"" if self._response is not None else self._begin(chunk)
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            self._finish = choice.get("finish_reason") or self._finish
            if delta := choice.get("delta"):
                begun += self._events(self._output.feed(delta, logprobs_of(choice)))
        return begun

    def close(self) -> bytes:
        """Return the ends of all items and of the Response."""
        begun = b"" if self._response is not None else self._begin({})
        ends = self._events(self._output.end(self._finish))
        response = ended_response(
            self._response or {}, self._output.values(), self._finish, self._usage
        )
        kind = "response.incomplete" if is_incomplete(self._finish) else "response.completed"
        return begun + ends + self._events([(kind, {"response": response})])

    def _begin(self, chunk: JSON) -> bytes:
        self._response = new_response(chunk, self._ctx)
        told = {"response": self._response}
        return self._events([("response.created", told), ("response.in_progress", told)])

    def _events(self, told: Iterable[Told]) -> bytes:
        written = []
        for kind, members in told:
            event = {"type": kind, "sequence_number": self._number, **members}
            written.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(event)))
            self._number += 1
        return b"".join(written)


def logprobs_of(choice: JSON) -> list[Any]:
    """Return the log probabilities of a choice's text; both formats spell them alike."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return content if isinstance(content, list) else []
