"""Usage and errors of the format."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.codecs.generate_content import GENERATE_CONTENT
from llmgateway.codecs.generate_content.shape import written
from llmgateway.codecs.generate_content.usage import read_usage, write_usage
from llmgateway.errors import InvalidAPIKey, InvalidRequest, UpstreamError, UpstreamTimeout
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage

# ---- usage


def audio(count: int) -> list[dict[str, Any]]:
    return [{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": count}]


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        (None, None),
        ({}, None),
        ({"trafficType": "ON_DEMAND"}, None),
        ({"promptTokenCount": "many"}, None),
        ({"promptTokenCount": 5}, Usage(input=5)),
        ({"promptTokenCount": 5, "totalTokenCount": 8}, Usage(input=5, output=3)),
        ({"candidatesTokenCount": 5, "totalTokenCount": 8}, Usage(input=3, output=5)),
        ({"prompt_token_count": 5, "candidates_token_count": 2.0}, Usage(input=5, output=2)),
        (
            {"promptTokenCount": 5, "cachedContentTokenCount": 4, "thoughtsTokenCount": 2},
            Usage(input=1, cache_read=4, reasoning=2),
        ),
        (
            {"promptTokenCount": 5, "toolUsePromptTokenCount": 3, "totalTokenCount": 8},
            Usage(input=8),
        ),
        (
            {
                "promptTokenCount": 5,
                "candidatesTokenCount": 4,
                "thoughtsTokenCount": 3,
                "totalTokenCount": 9,
            },
            Usage(input=5, output=1, reasoning=3),
        ),
        (
            {
                "promptTokenCount": 5,
                "candidatesTokenCount": 4,
                "thoughtsTokenCount": 3,
                "toolUsePromptTokenCount": 2,
                "totalTokenCount": 12,
            },
            Usage(input=5, output=4, reasoning=3),
        ),
        (
            {
                "promptTokenCount": 10,
                "promptTokensDetails": audio(6),
                "cacheTokensDetails": audio(2),
                "cachedContentTokenCount": 3,
                "candidatesTokenCount": 8,
                "candidatesTokensDetails": audio(7),
            },
            Usage(input=3, input_audio=4, cache_read=3, output=1, output_audio=7),
        ),
    ],
)
def test_usage(metadata: Any, usage: Usage | None) -> None:
    assert usage == read_usage(metadata)


_COUNTS = st.integers(0, 10_000)


@given(
    usage=st.builds(
        Usage,
        input=_COUNTS,
        input_audio=_COUNTS,
        cache_read=_COUNTS,
        cache_write=_COUNTS,
        cache_write_1h=_COUNTS,
        output=_COUNTS,
        output_audio=_COUNTS,
        reasoning=_COUNTS,
    )
)
def test_what_is_written_reads_as_the_same_total(usage: Usage) -> None:
    again = read_usage(write_usage(usage))

    assert again is not None
    assert (usage.total, usage.total_input, usage.reasoning) == (
        again.total,
        again.total_input,
        again.reasoning,
    )
    assert (usage.cache_read, usage.output, usage.output_audio) == (
        again.cache_read,
        again.output,
        again.output_audio,
    )


# ---- errors


def read(status: int, body: Any) -> UpstreamError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return GENERATE_CONTENT.decode_error(status, Headers(), raw, "acme")


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: [body]], ids=["bare", "array"])
def test_the_name_of_a_status_is_type_and_code_and_details_are_kept(wrap: Any) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "48s"}]
    within = {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": details}
    error = read(429, wrap({"error": within}))

    assert (429, "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "m") == (
        error.status,
        error.type,
        error.code,
        error.message,
    )
    assert details == error.extra["details"]


@pytest.mark.parametrize(
    ("body", "words", "code"),
    [
        (b"", "Bad Gateway", None),
        (b"oops", "oops", None),
        (b"[]", "Invalid response", None),
        ({"error": {}}, "Invalid response", None),
        ({"error": "oops"}, "oops", None),
        ({"error": {"message": "m", "code": 7}}, "m", 7),
        ({"error": {"message": "m", "status": "X" * 1_000}}, "m", None),
        ({"message": "m"}, "m", None),
    ],
)
def test_other_errors(body: Any, words: str, code: Any) -> None:
    error = read(502, body)

    assert words in error.message
    assert (502, code) == (error.status, error.code)


@pytest.mark.parametrize(
    ("within", "status"),
    [
        ({"code": 503, "status": "UNAVAILABLE"}, 503),
        ({"status": "NOT_FOUND"}, 404),
        ({"code": 14, "status": "unavailable"}, 503),
        ({"status": "ODD"}, 502),
    ],
)
def test_an_error_inside_a_200_gets_the_status_of_its_name(within: Any, status: int) -> None:
    error = GENERATE_CONTENT.body_error({"error": {"message": "m", **within}}, "acme")

    assert error is not None and status == error.status


def test_an_answer_is_no_error() -> None:
    assert GENERATE_CONTENT.body_error({"candidates": [], "error": {"message": "m"}}, "a") is None
    assert GENERATE_CONTENT.body_error({"promptFeedback": {}}, "acme") is None
    assert GENERATE_CONTENT.body_error({}, "acme") is None


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (InvalidRequest("m", param="p"), 400, "INVALID_ARGUMENT"),
        (InvalidAPIKey("m"), 401, "UNAUTHENTICATED"),
        (UpstreamTimeout("m"), 504, "DEADLINE_EXCEEDED"),
        (UpstreamError("m", status=422, provider="acme"), 422, "INVALID_ARGUMENT"),
        (UpstreamError("m", status=529, provider="acme"), 529, "UNAVAILABLE"),
        (UpstreamError("m", status=429, provider="acme"), 429, "RESOURCE_EXHAUSTED"),
        (UpstreamError("m", status=404, provider="acme", code="x"), 404, "NOT_FOUND"),
    ],
)
def test_errors_of_ours_in_the_shape_of_googles_clients(error: Any, status: int, name: str) -> None:
    """A number as `code`; the contract's own code stands in an `ErrorInfo`, its fields beside."""
    body = GENERATE_CONTENT.encode_error(error, "r1")
    within = body["error"]

    assert (status, name, "r1") == (within["code"], within["status"], within["request_id"])
    assert error.message in within["message"]
    assert {"type", "param"} <= set(within)
    reasons = [info["reason"] for info in within["details"]]
    assert ([error.code] if isinstance(error.code, str) else []) == reasons
    assert "status" not in body, "Google's SDK would take it for the error's"


def test_an_error_within_a_stream() -> None:
    raw = GENERATE_CONTENT.error_event(UpstreamTimeout("m"), "r1")

    assert raw.startswith(b"data: {") and raw.endswith(b"}\n\n")


def test_a_stream_tells_usage_unasked() -> None:
    assert GENERATE_CONTENT.ask_for_usage({"contents": []}) is None


# ---- writing


def test_values_deeper_than_the_fast_writer_takes() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    endless: Any = deep
    for _ in range(200_000):
        endless = [endless]

    assert "[" * 300 + "1" + "]" * 300 == written(deep)
    assert "{}" == written(endless)
