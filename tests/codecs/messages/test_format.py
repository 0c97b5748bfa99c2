"""How messages are read without translating them: usage, ends, errors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import EventKind
from llmgateway.codecs.messages import COUNT_TOKENS, MESSAGES
from llmgateway.errors import (
    GatewayError,
    InvalidConfig,
    InvalidRequest,
    PermissionDenied,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmgateway.types.usage import Usage
from tests.codecs.messages.schemas import SCHEMAS, check_error
from tests.codecs.streams import event, feed

JSON = dict[str, Any]
START = event({"type": "message_start", "message": {"usage": {"input_tokens": 3}}}, "message_start")
TEXT = event({"type": "content_block_start", "content_block": {"type": "text", "text": ""}})
WORDS = event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}})
NAMED = event(
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
    "content_block_delta",
)
END = event(
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": None, "output_tokens": 4},
    },
    "message_delta",
)
STOP = event({"type": "message_stop"}, "message_stop")
PING = event({"type": "ping"}, "ping")


def test_the_prelude_ends_with_the_first_word() -> None:
    watch = MESSAGES.watch(None, "p")

    assert [EventKind.PRELUDE] * 3 + [EventKind.CONTENT] * 5 == feed(
        watch, START, PING, TEXT, WORDS, NAMED, PING, END, STOP
    )
    assert watch.ended_well and b"" == watch.owed()
    assert Usage(input=3, output=4) == watch.usage


@pytest.mark.parametrize(
    "said",
    [
        {"type": "content_block_start", "content_block": {"type": "tool_use", "id": "a"}},
        {"type": "content_block_start", "content_block": {"type": "redacted_thinking"}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": "Hi"}},
        {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "message_start", "message": {"content": [{"type": "tool_use"}]}},
    ],
    ids=lambda said: str(said)[:60],
)
def test_what_is_content(said: JSON) -> None:
    assert [EventKind.CONTENT] == feed(MESSAGES.watch(None, "p"), event(said))


@pytest.mark.parametrize(
    "said",
    [
        {"type": "content_block_start", "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_start", "content_block": None},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": ""}},
        {"type": "content_block_stop"},
        {"type": "message_start", "message": None},
        {"type": "message_delta", "delta": None},
        {"type": "of the future"},
        {},
    ],
    ids=lambda said: str(said)[:60],
)
def test_what_is_none(said: JSON) -> None:
    assert [EventKind.PRELUDE] == feed(MESSAGES.watch(None, "p"), event(said))


def test_a_stream_whose_reason_is_known_may_end_and_is_owed_its_last_event() -> None:
    watch = MESSAGES.watch(None, "p")
    feed(watch, START, WORDS, END)

    assert watch.ended_well
    assert b'event: message_stop\ndata: {"type":"message_stop"}\n\n' == watch.owed()


def test_a_stream_that_breaks_off_has_not_ended() -> None:
    watch = MESSAGES.watch(None, "p")
    feed(watch, START, WORDS)

    assert not watch.ended_well and b"" == watch.owed()


@pytest.mark.parametrize("before", [[], [WORDS]], ids=["before", "after"])
@pytest.mark.parametrize("name", ["error", None])
def test_an_error_within_a_stream_has_the_status_of_its_type(
    name: str | None, before: list[Any]
) -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    watch = MESSAGES.watch(None, "p")
    kinds = feed(watch, START, *before, event(said, name))

    assert EventKind.ERROR is kinds[-1]
    assert watch.error is not None and not watch.ended_well
    assert (529, "overloaded_error") == (watch.error.status, watch.error.type)


# ---- usage


@pytest.mark.parametrize(
    ("figures", "usage"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": -1, "output_tokens": True}, None),
        ({"input_tokens": 2}, Usage(input=2)),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 5},
            Usage(input=1, output=2, cache_write=5),
        ),
        (
            {
                "input_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
            },
            Usage(input=1, cache_write=2, cache_write_1h=3),
        ),
        (
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 5,
                "cache_creation": {"ephemeral_1h_input_tokens": 9},
            },
            Usage(input=1, cache_write_1h=5),
        ),
        (
            {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
            Usage(output=5, reasoning=4),
        ),
        (
            {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 40}},
            Usage(reasoning=9),
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "iterations": [
                    {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 3},
                    {"input_tokens": 1, "output_tokens": 1},
                    {},
                    "odd",
                ],
            },
            Usage(input=6, output=3, cache_read=3),
        ),
        ({"input_tokens": 9, "iterations": [{"input_tokens": 2}]}, Usage(input=9)),
        ({"iterations": [{"input_tokens": 2}]}, None),
    ],
)
def test_usage_is_read_in_disjoint_parts(figures: Any, usage: Usage | None) -> None:
    assert usage == MESSAGES.usage({"usage": figures})


def test_later_figures_replace_earlier_ones_but_nothing_replaces_one() -> None:
    watch = MESSAGES.watch(None, "p")
    odd = event({"type": "message_delta", "usage": "odd"}, "message_delta")
    feed(watch, START, END, odd)

    assert Usage(input=3, output=4) == watch.usage


def test_a_count_of_tokens_costs_none() -> None:
    assert COUNT_TOKENS.usage({"usage": {"input_tokens": 3}}) is None
    assert COUNT_TOKENS.is_answer({"input_tokens": 3})
    assert not COUNT_TOKENS.is_answer({"input_tokens": None})


def test_nobody_has_to_ask_for_usage() -> None:
    assert MESSAGES.ask_for_usage({"stream": True}) is None


# ---- errors


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "message", "content": []}, None),
        ({"content": [], "error": {"message": "no"}}, None),
        ({"odd": True}, None),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}, 429),
        ({"type": "error"}, 502),
        ({"error": {"message": "no"}}, 502),
    ],
)
def test_an_error_in_a_success_is_found(body: JSON, status: int | None) -> None:
    found = MESSAGES.body_error(body, "p")

    assert status == (found and found.status)


def upstream(status: int, kind: str | None) -> UpstreamError:
    return UpstreamError("no", status=status, provider="p", type=kind)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("no", param="x"), "invalid_request_error"),
        (PermissionDenied("no"), "permission_error"),
        (UpstreamTimeout("no"), "timeout_error"),
        (UpstreamUnreachable("no"), "api_error"),
        (upstream(400, "billing_error"), "billing_error"),
        (upstream(401, "invalid_api_key"), "authentication_error"),
        (upstream(404, None), "not_found_error"),
        (upstream(413, None), "request_too_large"),
        (upstream(422, None), "invalid_request_error"),
        (upstream(429, "insufficient_quota"), "rate_limit_error"),
        (upstream(503, None), "overloaded_error"),
        (upstream(529, "overloaded_error"), "overloaded_error"),
        (upstream(500, "server_error"), "api_error"),
    ],
)
def test_an_error_has_the_formats_word_for_its_kind(error: GatewayError, kind: str) -> None:
    assert kind == MESSAGES.encode_error(error, "r")["error"]["type"]


def test_an_error_has_the_contracts_members_beside() -> None:
    said = MESSAGES.encode_error(InvalidConfig("Bad.", [("retry", "odd")]), "req_1")

    assert ("error", "req_1") == (said["type"], said["request_id"])
    assert {"type", "message", "param", "code", "request_id"} == said["error"].keys()
    assert ("failure", ["path: retry, message: odd"]) == (said["status"], said["errors"])


@pytest.mark.skipif(not SCHEMAS.exists(), reason="no schemas beside the project")
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 502, 503, 504, 529], ids=str)
def test_an_error_is_valid(status: int) -> None:
    check_error(MESSAGES.encode_error(upstream(status, None), "req_1"))


def test_an_error_within_a_stream_is_an_event_of_its_own() -> None:
    raw = MESSAGES.error_event(upstream(529, "overloaded_error"), "req_1")
    head, _, data = raw.partition(b"\n")

    assert b"event: error" == head
    said = orjson.loads(data.removeprefix(b"data: "))
    assert ("error", "p", "overloaded_error") == (
        said["type"],
        said["provider"],
        said["error"]["type"],
    )
