"""Request bodies: types, sizes, depths, numbers and repeated keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.client import Client, chat_body, encode
from tests.http.conftest import Serve
from tests.http.upstreams import FakeUpstream

CHAT = "/v1/chat/completions"
TO_FAKE = {"x-portkey-provider": "fake", "content-type": "application/json"}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        None,
        "",
    ],
)
def test_json_is_taken_under_its_names(client: Client, content_type: str | None) -> None:
    headers = {"x-portkey-provider": "fake"}
    if content_type is not None:
        headers["content-type"] = content_type

    assert 200 == client.request("POST", CHAT, headers, encode(chat_body())).status


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "x"])
@pytest.mark.parametrize(
    "path",
    [CHAT, "/v1/embeddings", "/v1/files", "/v1/audio/transcriptions", "/v1/responses"],
)
def test_another_type_is_refused_on_named_paths(
    client: Client, path: str, content_type: str
) -> None:
    headers = {"x-portkey-provider": "fake", "content-type": content_type}
    answer = client.request("POST", path, headers, b"{}")

    assert 400 == answer.status
    assert "content-type" == answer.error["param"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-ndjson", "image/png", ""])
def test_any_type_goes_through_the_proxy(
    client: Client, upstream: FakeUpstream, content_type: str
) -> None:
    headers = {"x-portkey-provider": "fake", "content-type": content_type}
    answer = client.request("POST", "/v1/vector_stores", headers, b"\x00any\xff")

    assert 200 == answer.status
    assert b"\x00any\xff" == upstream.fake.requests[0].body
    assert content_type == (upstream.fake.requests[0].headers.get("content-type") or "")


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "gzip, identity", "x"])
def test_an_encoded_body_is_415(client: Client, coding: str) -> None:
    answer = client.request("POST", CHAT, {**TO_FAKE, "content-encoding": coding}, b"\x1f\x8b")

    assert (415, "unsupported_media_type") == (answer.status, answer.error["code"])


def test_identity_is_no_encoding(client: Client) -> None:
    headers = {**TO_FAKE, "content-encoding": "identity"}

    assert 200 == client.request("POST", CHAT, headers, encode(chat_body())).status


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"  \n", id="white-space"),
        pytest.param(b"{", id="open"),
        pytest.param(b"{}{}", id="two"),
        pytest.param(b"{'a': 1}", id="single-quotes"),
        pytest.param(b'{"a": 1,}', id="trailing-comma"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b'"text"', id="a-string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"5", id="a-number"),
        pytest.param(b'{"model": NaN}', id="nan"),
        pytest.param(b'{"a": Infinity}', id="infinity"),
        pytest.param(b'{"a": 1e999}', id="overflow"),
        pytest.param(b'{"a": "\xff"}', id="no-utf-8"),
        pytest.param('{"a": "ü"}'.encode("latin-1"), id="latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="utf-16"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', id="byte-order-mark"),
        pytest.param(b'{"a": "\\ud800"}', id="lone-surrogate"),
        pytest.param(b'{"a": "\x00"}', id="control-character"),
        pytest.param(b"\x00\x01\x02", id="binary"),
        pytest.param(b"{" * 65 + b"}" * 65, id="braces"),
        pytest.param(b"[" * 2_000_000, id="deep-and-open"),
        pytest.param(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", id="65-deep"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, id="65-objects"),
        pytest.param(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", id="50000-deep"),
        pytest.param(b'{"n":' + b"9" * 5000 + b"e9999}", id="5000-digits-and-infinite"),
    ],
)
def test_a_body_that_is_no_json_object_is_400(client: Client, body: bytes) -> None:
    answer = client.request("POST", CHAT, TO_FAKE, body)

    assert 400 == answer.status
    assert answer.error["code"] in ("invalid_json", "invalid_request_error")
    assert [] == list(client.upstream.fake.requests)


def test_a_body_of_64_levels_is_taken(client: Client, upstream: FakeUpstream) -> None:
    body = b'{"a":' * 63 + b"[]" + b"}" * 63
    answer = client.request("POST", "/v1/things", TO_FAKE, body)

    assert 200 == answer.status
    assert body == upstream.fake.requests[0].body


@pytest.mark.parametrize(
    "model",
    [None, 5, True, ["fake"], {"a": 1}, "", "x" * 513, "a\x00b", "a\nb"],
    ids=["null", "number", "true", "list", "object", "empty", "long", "nul", "line-break"],
)
def test_a_model_that_is_no_name_is_400_or_judged_by_the_provider(
    client: Client, model: object
) -> None:
    answer = client.post(CHAT, chat_body(model=model))  # type: ignore[arg-type]  # the point

    assert 400 == answer.status


@pytest.mark.parametrize(
    "name", ["messages", "stream", "stream_options", "n", "tools", "max_tokens"]
)
def test_a_field_of_the_wrong_type_is_the_providers_to_judge(client: Client, name: str) -> None:
    values: list[Any] = [None, True, 5, "text", [], {}, [[]], [5], {"a": None}]
    found = {client.post(CHAT, {**chat_body(), name: value}).status for value in values}

    assert found <= {200, 400}


BIG = b"123456789012345678901234567890"


def test_a_huge_integer_is_relayed_as_it_was_written(
    client: Client, upstream: FakeUpstream
) -> None:
    body = encode(chat_body())[:-1] + b',"seed":' + BIG + b',"x":1.0000000000000000000001}'
    answer = client.post(CHAT, body)

    assert 200 == answer.status
    assert body == upstream.fake.requests[0].body


def test_a_huge_integer_survives_the_question_for_usage(
    client: Client, upstream: FakeUpstream
) -> None:
    body = encode(chat_body(stream=True))[:-1] + b',"seed":' + BIG + b"}"
    client.post(CHAT, body)
    sent = upstream.fake.requests[0].body

    assert body[:-1] + b',"stream_options":{"include_usage":true}}' == sent


@pytest.mark.parametrize(
    ("config", "member", "path"),
    [
        pytest.param(
            {"provider": "fake", "override_params": {"temperature": 0}},
            b'"seed":' + BIG,
            "seed",
            id="override",
        ),
        pytest.param(
            {"provider": "fake", "override_params": {"temperature": 0}},
            b'"tools":[{"a":[0,-' + BIG + b"]}]",
            "tools[0].a[1]",
            id="nested",
        ),
        pytest.param(
            {
                "strategy": {
                    "mode": "conditional",
                    "conditions": [{"query": {"params.model": "fake"}, "then": "t"}],
                },
                "targets": [{"name": "t", "provider": "fake"}],
            },
            b'"seed":' + BIG,
            "seed",
            id="condition",
        ),
    ],
)
def test_a_huge_integer_that_would_change_is_400_with_its_path(
    client: Client, config: object, member: bytes, path: str
) -> None:
    body = encode({**chat_body(), "temperature": 1})[:-1] + b"," + member + b"}"
    answer = client.post(CHAT, body, x_portkey_config=encode(config).decode())

    assert 400 == answer.status
    assert path == answer.error["param"]
    assert [] == list(client.upstream.fake.requests)


@pytest.mark.parametrize("number", ["9223372036854775807", "18446744073709551615", "-1", "1e+300"])
def test_an_integer_of_64_bits_is_written_anew(
    client: Client, upstream: FakeUpstream, number: str
) -> None:
    config = encode({"provider": "fake", "override_params": {"temperature": 0}}).decode()
    body = encode({**chat_body(), "temperature": 1})[:-1] + f',"seed":{number}}}'.encode()
    answer = client.post(CHAT, body, x_portkey_config=config)

    assert 200 == answer.status
    assert f'"seed":{number}'.encode() in upstream.fake.requests[0].body


def test_another_model_and_a_new_member_leave_all_other_bytes_as_they_came(
    client: Client, upstream: FakeUpstream
) -> None:
    override = {"model": "fake", "temperature": 0}
    config = encode({"provider": "fake", "override_params": override}).decode()
    expected = encode(chat_body())[:-1] + b', "seed" : ' + BIG + b" }"
    body = expected.replace(b'"model":"fake"', b'"model":"mine"')
    answer = client.post(CHAT, body, x_portkey_config=config)

    assert 200 == answer.status
    assert expected[:-1] + b',"temperature":0}' == upstream.fake.requests[0].body


def test_a_repeated_key_is_sent_as_the_condition_read_it(
    client: Client, upstream: FakeUpstream
) -> None:
    config = {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": {"params.model": "fake"}, "then": "cheap"}],
            "default": "dear",
        },
        "targets": [{"name": "cheap", "provider": "fake"}, {"name": "dear", "provider": "openai"}],
    }
    body = b'{"model":"gpt-dear","messages":[{"role":"user","content":"x"}],"model":"fake"}'
    answer = client.post(CHAT, body, x_portkey_config=encode(config).decode())

    assert "config.targets[0]" == answer.field("last-used-option-index")
    assert 1 == upstream.fake.requests[0].body.count(b'"model"')
    assert "fake" == upstream.fake.requests[0].model


def test_a_repeated_model_cannot_choose_one_provider_and_ask_for_another_model(
    client: Client, upstream: FakeUpstream
) -> None:
    body = b'{"model":"@fake/fake","messages":[{"role":"user","content":"x"}],"model":"@openai/m"}'
    answer = client.post(CHAT, body, x_portkey_provider=None)

    assert "openai" == answer.field("provider")
    assert "m" == upstream.fake.requests[0].model
    assert 1 == upstream.fake.requests[0].body.count(b'"model"')


LIMITS = {"max_json_bytes": 10_000, "max_upload_bytes": 20_000, "max_buffered_upload_bytes": 5_000}
SLACK = 2 * 64 * 1024
"""What uvicorn may have handed over at once when the limit was passed."""


@pytest.mark.parametrize("how", ["declared", "chunked"])
@pytest.mark.parametrize(
    ("path", "content_type", "limit"),
    [
        pytest.param(CHAT, "application/json", 10_000, id="json"),
        pytest.param("/v1/anything", "application/json", 10_000, id="json-proxied"),
        pytest.param("/v1/files", "multipart/form-data; boundary=b", 20_000, id="upload"),
        pytest.param("/v1/anything", "application/octet-stream", 20_000, id="proxied"),
    ],
)
def test_an_oversized_body_is_413_before_it_is_taken(
    serve: Serve, path: str, content_type: str, limit: int, how: str
) -> None:
    client = serve(limits=LIMITS)
    headers = {"x-portkey-provider": "fake", "content-type": content_type}
    if how == "declared":
        headers["content-length"] = str(5_000_000)
    answer = client.request("POST", path, headers, (b" " * 10_000 for _ in range(500)))

    assert (413, "request_too_large") == (answer.status, answer.error["code"])
    assert "close" == answer.header("connection") or not client.host.says_close
    assert client.host.taken <= (0 if how == "declared" else limit + SLACK)


def test_a_body_at_the_limit_is_taken(serve: Serve) -> None:
    client = serve(limits=LIMITS)
    body = encode(chat_body())

    assert 200 == client.post(CHAT, body + b" " * (10_000 - len(body))).status
    assert 413 == client.post(CHAT, body + b" " * (10_001 - len(body))).status


def test_a_length_of_too_many_digits_is_413(client: Client) -> None:
    headers = {**TO_FAKE, "content-length": "9" * 16}

    assert 413 == client.request("POST", CHAT, headers, iter([b"{"])).status


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("x-big", "v" * 70_000)], id="one-field"),
        pytest.param([(f"x-{n}", "v" * 700) for n in range(100)], id="many-fields"),
    ],
)
def test_a_head_over_64_kib_is_431(client: Client, fields: list[tuple[str, str]]) -> None:
    answer = client.request("GET", "/v1/models", [("x-portkey-provider", "fake"), *fields])

    assert (431, "headers_too_large") == (answer.status, answer.error["code"])


def test_a_body_that_does_not_come_is_408(serve: Serve) -> None:
    client = serve(limits={"body_s": 0.05})
    with client.begin("POST", CHAT, {**TO_FAKE, "content-length": "100"}, iter([b"{"])) as live:
        answer = live.rest()

    assert (408, "request_timeout") == (answer.status, answer.error["code"])
    assert "timeout_error" == answer.error["type"]
