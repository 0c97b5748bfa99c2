"""What is refused before any provider is asked, in the contract's words and order."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.http.client import Client, chat_body, encode
from tests.http.upstreams import FakeUpstream

NEITHER = "Either x-portkey-config or x-portkey-provider header is required"
NOWHERE = (
    "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should have a "
    "valid config with provider details in it."
)
MIGRATE = (
    "This version of config is not supported in this route. Please migrate to the latest version"
)
ITSELF = "forward_headers must not contain the 'x-portkey-forward-headers' header"

ROWS: dict[int, tuple[dict[str, str], str]] = {
    1: ({"content-type": "text/csv"}, "Invalid content type passed"),
    2: ({}, NEITHER),
    3: ({"x-portkey-provider": "nobody"}, "Invalid provider passed"),
    4: (
        {"x-portkey-provider": "fake", "x-portkey-custom-host": "file:///etc/passwd"},
        "Invalid custom host",
    ),
    5: ({"x-portkey-config": '{"retry":{"attempts":1}}'}, NOWHERE),
    6: ({"x-portkey-config": '{"provider":"fake","retry":5}'}, "Invalid config passed"),
    7: ({"x-portkey-config": '{"options":[{"provider":"fake"}]}'}, MIGRATE),
    8: (
        {"x-portkey-config": "{nonsense"},
        "Invalid config passed. You need to pass a valid json",
    ),
    9: (
        {
            "x-portkey-provider": "fake",
            "x-portkey-forward-headers": "x-a, X-Portkey-Forward-Headers",
        },
        ITSELF,
    ),
}
"""The contract's section 2: by row, what a request has to be refused, and the message."""


def refused(client: Client, headers: Mapping[str, str]) -> str:
    """Post a chat with these headers and return the message of the refusal."""
    given = {"content-type": "application/json", **headers}
    answer = client.request("POST", "/v1/chat/completions", given, encode(chat_body()))

    assert 400 == answer.status
    assert "failure" == answer.json()["status"]
    assert "invalid_request_error" == answer.error["type"]
    assert [] == list(client.upstream.fake.requests)
    message: str = answer.json()["message"]
    return message


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_contract_is_refused_in_its_words(client: Client, row: int) -> None:
    headers, message = ROWS[row]

    assert refused(client, headers).startswith(message)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(a, b, id=f"{a}-before-{b}")
        for a, b in [(1, 2), (1, 3), (1, 4), (1, 6), (1, 9), (3, 4), (3, 6), (3, 9), (4, 6), (4, 9)]
    ],
)
def test_the_earlier_row_is_named_where_two_apply(client: Client, first: int, second: int) -> None:
    headers = {**ROWS[second][0], **ROWS[first][0]}

    assert refused(client, headers).startswith(ROWS[first][1])


def test_every_fault_of_a_config_is_listed_with_its_path(client: Client) -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "fake", "retry": {"attempts": "x"}},
            {"provider": "fake", "b": {}},
        ],
        "request_timeout": -1,
    }
    answer = client.chat(config=config)
    errors = "\n".join(answer.json()["errors"])

    assert 400 == answer.status
    assert "path: targets.0.retry.attempts, message: " in errors
    assert "path: request_timeout, message: " in errors


@pytest.mark.parametrize(
    ("config", "path"),
    [
        pytest.param({"provider": "nobody", "api_key": "k"}, "provider", id="root"),
        pytest.param(
            {"strategy": {"mode": "single"}, "targets": [{"provider": "opnai", "api_key": "k"}]},
            "targets.0.provider",
            id="target",
        ),
    ],
)
def test_an_unknown_provider_in_a_config_is_named_with_its_path(
    client: Client, config: object, path: str
) -> None:
    answer = client.chat(config=config)

    assert 400 == answer.status
    assert answer.json()["errors"][0].startswith(f"path: {path}, message: Invalid provider passed")


def test_a_misspelt_provider_is_told_what_is_near(client: Client) -> None:
    assert "Did you mean openai?" in refused(client, {"x-portkey-provider": "opnai"})


def test_a_feature_of_later_versions_is_refused_by_header(client: Client) -> None:
    headers = {"x-portkey-provider": "fake", "x-portkey-cache": "simple"}

    assert "later version" in refused(client, headers)


def test_a_feature_of_later_versions_is_refused_in_a_config(client: Client) -> None:
    answer = client.chat(config={"provider": "fake", "cache": {"mode": "simple"}})

    assert 400 == answer.status
    assert "not available yet" in answer.error["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request-timeout", "soon"),
        ("request-timeout", "-1"),
        ("request-timeout", "0"),
        ("request-timeout", "1e3"),
        ("retry-count", "11"),
        ("retry-count", "many"),
        ("strict-open-ai-compliance", "perhaps"),
        ("default-input-guardrails", "{"),
        ("default-output-guardrails", '[{"default.contains": {}, "deny": 1}]'),
        ("hook-events", "perhaps"),
        ("metadata", "[1]"),
        ("metadata", "{"),
        ("trace-id", "two words"),
        ("trace-id", "x" * 256),
        ("forward-headers", "a b"),
        ("custom-host", "ftp://x"),
        ("custom-host", "http://user@x"),
        ("custom-host", "http://x/?a"),
        ("custom-host", "http://x:0"),
        ("custom-host", "x"),
    ],
)
@pytest.mark.parametrize("family", ["x-portkey-", "x-llmgateway-"])
def test_an_unusable_header_is_refused(client: Client, family: str, name: str, value: str) -> None:
    refused(client, {f"{family}provider": "fake", family + name: value})


def test_metadata_of_any_text_is_taken(client: Client) -> None:
    metadata = {"_user": "Zoë", "nested": {"a": [1]}}
    header = json.dumps(metadata, ensure_ascii=False).encode().decode("latin-1")
    answer = client.chat(headers={"x-portkey-metadata": header})

    assert 200 == answer.status
    assert metadata == client.new_record().metadata


def test_a_trace_id_is_echoed_and_recorded(client: Client, upstream: FakeUpstream) -> None:
    answer = client.chat(headers={"x-portkey-trace-id": "my~trace/1"})

    assert "my~trace/1" == answer.field("trace-id")
    assert "my~trace/1" == client.new_record().trace_id
    assert "my~trace/1" == upstream.fake.requests[0].headers.get("x-client-request-id")
