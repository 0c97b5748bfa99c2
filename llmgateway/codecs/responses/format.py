"""Responses. Source: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

import orjson

from llmgateway.codecs.openai import MAX_IMAGE_EVENT_BYTES, OpenAIFormat
from llmgateway.codecs.responses.guarding import ResponsesDenial, insert
from llmgateway.codecs.responses.slots import slots
from llmgateway.codecs.typed import Grammar
from llmgateway.types import JSON

_GRAMMAR = Grammar(
    ends=frozenset({"response.completed", "response.incomplete"}),
    failures=frozenset({"response.failed", "error"}),
    preludes=frozenset(
        {
            "response.created",
            "response.queued",
            "response.in_progress",
            "response.content_part.added",
            "response.reasoning_summary_part.added",
            "keepalive",
            "ping",
        }
    ),
)


def _is_answer(body: JSON) -> bool:
    """Take every object of the API for an answer, also lists of items, deletions and the like.

    A response that failed is one too: whoever fetches it later wants to read why.
    """
    name = body.get("object")
    return isinstance(body.get("output"), list) or (isinstance(name, str) and name != "error")


def _error_event(error: JSON) -> bytes:
    """Return the format's own `error` event.

    The specification has the members at top level, OpenAI sends them nested, and its SDKs raise
    only for the latter (openai 3.57): both stand here. The number is one that clients want to see;
    which would be next is not known here.
    Source: https://platform.openai.com/docs/api-reference/responses-streaming/error
    """
    within = error["error"]
    event = {
        "type": "error",
        "sequence_number": 0,
        "code": within["code"],
        "message": within["message"],
        "param": within["param"],
        **error,
    }
    return b"event: error\ndata: " + orjson.dumps(event) + b"\n\n"


RESPONSES = OpenAIFormat(
    name="responses",
    new_watch=_GRAMMAR.watcher(),
    answers=_is_answer,
    # Generated images come within events, and all of them again within the last one.
    max_event_bytes=MAX_IMAGE_EVENT_BYTES,
    write_error_event=_error_event,
    read_slots=slots,
    put_message=insert,
    new_denial=ResponsesDenial,
)
