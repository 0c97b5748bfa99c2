"""What providers say when they fail, in every shape that they say it in."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from llmgateway.codecs import faults
from llmgateway.codecs.chat import CHAT
from llmgateway.errors import UpstreamError
from llmgateway.types.http import Headers

JSON_TYPE = Headers.of(content_type="application/json")
DEEP: Any = 1
for _ in range(252):
    DEEP = [DEEP]


def decode(body: Any, status: int = 400, headers: Headers = JSON_TYPE) -> UpstreamError:
    """Decode an error answer; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CHAT.decode_error(status, headers, raw, "acme")


@pytest.mark.parametrize(
    ("body", "message", "kind", "code"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "m", "t", "c"),
        ({"error": {"message": "m", "type": "t", "code": 7}}, "m", "t", 7),
        ({"error": {"message": "m"}, "code": 7, "error_type": "t"}, "m", "t", 7),
        ({"error": {"code": 7}, "message": "m"}, "m", None, 7),
        ({"error": {"message": "m", "type": ["t"], "code": True}}, "m", None, None),
        ({"error": {"message": {"detail": [{"loc": ["a", 0], "msg": "m"}]}}}, "a.0: m", None, None),
        ({"error": "m"}, "m", None, None),
        ({"error": "m", "error_type": "t"}, "m", "t", None),
        ({"error": "Bad Request", "message": "m"}, "m", None, None),
        ({"error": ["m", "and n"]}, "m; and n", None, None),
        ({"error": "e", "error_description": "m"}, "m", None, None),
        ([{"error": {"message": "m", "type": "t", "code": 400}}], "m", "t", 400),
        (["m"], "m", None, None),
        ("m", "m", None, None),
        ({"object": "error", "message": "m", "type": "t", "code": 3000}, "m", "t", 3000),
        ({"type": "error", "message": "m"}, "m", None, None),
        ({"msg": "m", "code": 1}, "m", None, 1),
        ({"detail": "m"}, "m", None, None),
        ({"detail": {"message": "m", "type": "t"}}, "m", "t", None),
        (
            {
                "detail": [
                    {"loc": ["body", "model"], "msg": "m", "type": "missing", "input": {"a": 1}},
                    {"loc": "odd", "msg": "n"},
                ]
            },
            "body.model: m; n",
            "missing",
            None,
        ),
        ({"errors": [{"message": "m", "code": 10000}], "success": False}, "m", None, 10000),
        ({"errors": ["m"]}, "m", None, None),
        ({"error": {"error": {"message": "m"}}}, "m", None, None),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict | list) else None,
)
def test_the_provider_s_words_are_kept(
    body: Any, message: str, kind: str | None, code: str | int | None
) -> None:
    error = decode(body, 418)

    assert (418, "acme") == (error.status, error.provider)
    assert (message, kind, code) == (error.message, error.type, error.code)


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (
            {"error": {"message": "m", "param": "p", "failed_generation": "g", "innererror": {}}},
            {"failed_generation": "g", "innererror": {}},
        ),
        ({"message": "m", "param": "p", "raw_status_code": 1}, {"raw_status_code": 1}),
        ({"error": "m", "choices": ["an answer"]}, {}),
        ({"detail": [{"msg": "m", "input": "a prompt"}]}, {}),
        ({"error": {"message": "m", "a": "x" * 20_000, "b": 1}}, {"b": 1}),
        ({"error": {"message": "m", "a": DEEP, "b": 1}}, {"b": 1}),
    ],
    ids=["object", "top level", "beside an answer", "list", "too large", "too deep"],
)
def test_further_members_of_the_error_are_kept_within_bounds(
    body: Any, extra: dict[str, Any]
) -> None:
    error = decode(body)

    assert extra == error.extra
    assert orjson.dumps(CHAT.encode_error(error, "r"))


def test_param_is_kept() -> None:
    assert "messages" == decode({"error": {"message": "m", "param": "messages"}}).param
    assert decode({"error": {"message": "m", "param": 1}}).param is None


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "application/json", "Service Unavailable"),
        (b" \n", "text/plain", "Service Unavailable"),
        (b"upstream connect error", "text/plain", "upstream connect error"),
        (b"no healthy upstream", "", "no healthy upstream"),
        (b"caf\xe9", "text/plain", "caf\ufffd"),
        (b'{"error": ', "application/json", 'Invalid response received from acme: {"error":'),
        (b"[half", "text/plain", "Invalid response received from acme: [half"),
        (b"oops", "application/json", "Invalid response received from acme: oops"),
        (b"{}", "application/json", "Invalid response received from acme: {}"),
        (b"null", "application/json", "Invalid response received from acme: null"),
        (b'{"a": 1}', "", 'Invalid response received from acme: {"a": 1}'),
        (b'{"error": {}}', "", 'Invalid response received from acme: {"error": {}}'),
        (b'{"message": ""}', "", 'Invalid response received from acme: {"message": ""}'),
        (b"12", "", "Invalid response received from acme: 12"),
    ],
)
def test_a_body_that_says_little_becomes_a_message(body: bytes, kind: str, message: str) -> None:
    error = decode(body, 503, Headers.of(content_type=kind) if kind else Headers())

    assert (503, message) == (error.status, error.message)
    assert (None, None, None) == (error.type, error.code, error.param)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<p>secret page</p>", Headers.of(content_type="text/html; charset=utf-8")),
        (b"  <!DOCTYPE html><p>secret page</p>", Headers()),
        (b"<html><p>secret page</p>", JSON_TYPE),
    ],
)
def test_an_html_page_is_never_passed_on(body: bytes, headers: Headers) -> None:
    message = decode(body, 502, headers).message

    assert message.startswith("Bad Gateway (an HTML page")
    assert "secret" not in message


def test_a_status_without_a_name_has_its_number() -> None:
    assert "HTTP status 529" == decode(b"", 529).message


@pytest.mark.parametrize(
    "body", [b"x" * 100_000, b'{"error":' + b'"' + b"x" * 100_000 + b'"}', b"[" * 100_000]
)
def test_messages_are_bounded(body: bytes) -> None:
    error = decode(body, headers=Headers())

    assert len(error.message) <= faults.MAX_MESSAGE
    assert error.message.endswith("…")


def test_names_are_bounded() -> None:
    error = decode({"error": {"message": "m", "type": "x" * 1000, "code": "y" * 1000}})

    assert [faults.MAX_FIELD] * 2 == [len(str(error.type)), len(str(error.code))]


def test_a_huge_body_is_quoted_not_parsed() -> None:
    body = b'{"error": {"message": "m"}, "pad": "' + b"x" * faults.MAX_JSON_BYTES + b'"}'

    assert decode(body).message.startswith("Invalid response received from acme: {")


def test_words_that_lie_too_deep_are_not_looked_for() -> None:
    body: Any = {"message": "m"}
    for _ in range(20):
        body = {"error": body}

    assert decode(body).message.startswith("Invalid response received from acme: {")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "m", "code": 429}}, 429),
        ({"error": {"message": "m", "code": "429"}}, 429),
        ({"error": {"message": "m", "code": "1234"}}, 502),
        ({"error": {"message": "m", "code": 200}}, 502),
        ({"error": {"message": "m", "status": 503}}, 503),
        ({"error": {"message": "m"}, "status_code": 503}, 503),
        ({"error": {"message": "m", "statusCode": 404}}, 404),
        ({"error": {"message": "m", "code": "rate_limit_exceeded", "type": "tokens"}}, 429),
        ({"error": {"message": "m", "code": "model_not_found", "type": "invalid_request"}}, 404),
        ({"error": {"message": "m", "type": "Overloaded_Error"}}, 529),
        ({"error": {"message": "m", "type": "server_error"}}, 500),
        ({"error": {"message": "m", "type": "of a later year"}}, 502),
        ({"error": "m"}, 502),
        ({"errors": [{"message": "m", "code": 400}]}, 400),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_an_error_in_a_success_has_the_status_that_it_implies(body: Any, status: int) -> None:
    error = CHAT.body_error(body, "acme")

    assert error is not None
    assert (status, "m") == (error.status, error.message)
