"""Recorded exchanges, whole: what the client gets, what the provider got, what is written down.

General properties by endpoint and tag, so that a new recording is a new test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from llmgateway.types.usage import UsageSource
from tests.cassettes.conftest import CALLERS_KEY, CLIENT_KEY, Answer
from tests.cassettes.corpus import Exchange, params
from tests.cassettes.expected import counts_tokens, details_of, error_of, stream_of, usage_of

Whole = Callable[[Exchange], tuple[Answer, dict[str, Any]]]

OTHER_PATHS = {
    "deepseek": "it serves /chat/completions with and without /v1",
    "zai": "plans for coding have a path of their own",
}
"""Recorded providers that were called on another path than the row's, and why both are right."""

anything = pytest.mark.parametrize("exchange", params())
successes = pytest.mark.parametrize("exchange", params(lambda e: e.status < 400))
bodies = pytest.mark.parametrize("exchange", params(lambda e: e.status < 400 and not e.is_stream))
streams = pytest.mark.parametrize("exchange", params(lambda e: e.is_stream))
errors = pytest.mark.parametrize("exchange", params(lambda e: e.status >= 400))


# ---- to the client


@anything
def test_the_status_is_kept(exchange: Exchange, whole: Whole) -> None:
    answer, _ = whole(exchange)

    assert exchange.status == answer.status == answer.record.status


@bodies
def test_a_body_arrives_byte_for_byte(exchange: Exchange, whole: Whole) -> None:
    answer, _ = whole(exchange)

    assert (exchange.raw, False) == (answer.body, answer.is_cut)


@streams
def test_a_stream_arrives_byte_for_byte(exchange: Exchange, whole: Whole) -> None:
    answer, _ = whole(exchange)
    expected = stream_of(exchange)

    assert expected.body == answer.body[: len(expected.body)]
    assert expected.ends_well is not answer.is_cut
    assert_end(expected.ends_well or expected.has_error, answer.body[len(expected.body) :])


def assert_end(is_told: bool, rest: bytes) -> None:
    """Hold what follows a stream: nothing, or, if its bad end was not told of, our error event."""
    if is_told:
        assert b"" == rest
    else:
        data = rest.partition(b"data: ")[2]

        assert rest.startswith(b"\n") and rest.endswith(b"\n\n")
        assert "upstream_protocol_error" == json.loads(data)["error"]["code"]


@anything
def test_the_head_says_what_clients_go_by(exchange: Exchange, whole: Whole) -> None:
    answer, _ = whole(exchange)
    recorded: dict[str, str] = exchange.case.response["headers"]
    passed = {
        name: value
        for name, value in recorded.items()
        if name.startswith("x-ratelimit-") or name in ("retry-after", "x-request-id")
    }
    if exchange.status < 400 and "content-type" in recorded:
        passed["content-type"] = recorded["content-type"]

    assert passed == {name: answer.headers.get(name) for name in passed}
    assert exchange.row.name == answer.headers["x-llmgateway-provider"]
    assert answer.headers["x-request-id"] and "private, no-store" == answer.headers["cache-control"]
    assert not {"server", "set-cookie", "x-should-retry"} & set(answer.headers)


@errors
def test_an_error_keeps_its_words_type_and_code(exchange: Exchange, whole: Whole) -> None:
    answer, _ = whole(exchange)
    told = json.loads(answer.body)
    request_id = answer.headers["x-llmgateway-trace-id"]

    assert {**error_of(exchange), "request_id": request_id} == told["error"]
    assert exchange.row.name == told["provider"]


# ---- to the provider


@anything
def test_the_provider_is_called_where_it_was(exchange: Exchange, whole: Whole) -> None:
    _, sent = whole(exchange)
    path = urlsplit(sent["path"]).path.removeprefix(f"/@{exchange.provider}")
    is_elsewhere = exchange.provider in OTHER_PATHS or exchange.is_at_generic_path

    assert exchange.method == sent["method"]
    assert is_elsewhere or exchange.recorded_path == path
    assert exchange.endpoint == "proxy" or exchange.openai_path in path


@anything
def test_the_provider_gets_the_callers_key_and_no_other(exchange: Exchange, whole: Whole) -> None:
    _, sent = whole(exchange)
    head = {name.lower(): value for name, value in sent["headers"].items()}
    shown = [name for name, value in head.items() if CALLERS_KEY in value]

    assert not [name for name, value in head.items() if CLIENT_KEY in value]
    assert len(shown) <= 1 and set(shown) <= {"authorization", "api-key"}


@anything
def test_the_provider_gets_the_body_as_it_was_written(exchange: Exchange, whole: Whole) -> None:
    """But for what the row has to rename, and a wish for usage that is added at the end."""
    answer, sent = whole(exchange)
    got, written = sent["body"], exchange.body.decode("utf-8", "replace")
    if answer.record.adjusted or answer.record.dropped:
        asked = exchange.request or {}
        kept = asked.keys() - {*answer.record.adjusted, *answer.record.dropped, "stream_options"}
        parsed = json.loads(got)

        assert {name: asked[name] for name in kept} == {name: parsed[name] for name in kept}
    elif got != written:
        assert got.startswith(written[:-1])
        assert {"stream_options": {"include_usage": True}} == json.loads("{" + got[len(written) :])


# ---- the record


@successes
def test_usage_is_recorded_as_the_provider_counted_it(exchange: Exchange, whole: Whole) -> None:
    usage, recorded = whole(exchange)[0].record.usage, usage_of(exchange)
    if recorded is None or not counts_tokens(recorded):
        assert UsageSource.NONE is usage.source
        return
    named = details_of(recorded)
    read = named.get("prompt_tokens", named.get("input_tokens", 0))
    written = named.get("completion_tokens", named.get("output_tokens", 0))

    assert UsageSource.PROVIDER is usage.source
    assert named.get("total_tokens", read + written) == usage.total
    assert named.get("reasoning_tokens", 0) == usage.reasoning
    assert named.get("cached_tokens", 0) == usage.cache_read


@anything
def test_the_record_tells_what_happened(exchange: Exchange, whole: Whole) -> None:
    answer, _ = whole(exchange)
    record = answer.record

    assert ("config", exchange.row.name) == (record.target, record.provider)
    assert [exchange.status] == [attempt.status for attempt in record.attempts]
    assert exchange.is_stream <= record.stream
    assert (exchange.status < 400 and not answer.is_cut) == (record.error is None)
