"""Header fields: the two families, what goes up to a provider, what comes down to a client."""

from __future__ import annotations

import json

import pytest

from llmgateway.engine.headers import NEVER_UP
from llmgateway.http.headers import LATER_HEADERS, LLMGATEWAY, PORTKEY, REQUEST_HEADERS
from tests.http.client import Client, chat_body
from tests.http.conftest import Serve
from tests.http.upstreams import COMPLETION, FakeUpstream, RawUpstream, answer

LENGTHS = {b"content-length", b"transfer-encoding", b"content-encoding", b"te", b"trailer"}
"""Fields that a client cannot send at will, since they say what its body is."""


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param({"x-portkey-provider": "fake"}, PORTKEY, id="portkey"),
        pytest.param({"x-llmgateway-provider": "fake"}, LLMGATEWAY, id="ours"),
        pytest.param({}, LLMGATEWAY, id="none"),
        pytest.param(
            {"x-portkey-provider": "groq", "x-llmgateway-provider": "fake"}, LLMGATEWAY, id="both"
        ),
        pytest.param({"X-PORTKEY-Provider": "fake"}, PORTKEY, id="upper-case"),
    ],
)
def test_an_answer_uses_the_family_of_the_request(
    client: Client, sent: dict[str, str], answered: str
) -> None:
    headers = {"x-portkey-provider": "", **{k.lower(): v for k, v in sent.items()}}
    found = client.chat("@fake/fake", headers=headers)

    assert {answered} == found.families
    assert "fake" == found.field("provider")


def test_a_refusal_uses_the_family_of_the_request(client: Client) -> None:
    assert {PORTKEY} == client.get("/v1/%2e", x_portkey_provider="fake").families
    assert {LLMGATEWAY} == client.get("/v1/%2e", x_llmgateway_provider="fake").families


@pytest.mark.parametrize("family", [PORTKEY, LLMGATEWAY])
@pytest.mark.parametrize("name", [*REQUEST_HEADERS, *LATER_HEADERS])
def test_an_empty_header_counts_as_absent(client: Client, family: str, name: str) -> None:
    headers = {"x-portkey-provider": "fake", family + name: ""}

    assert 200 == client.chat("@fake/fake", headers=headers).status


def test_a_good_answer_says_all_that_the_contract_wants(client: Client) -> None:
    found = client.chat()

    assert "config" == found.field("last-used-option-index")
    assert "0" == found.field("retry-attempt-count")
    assert "DISABLED" == found.field("cache-status")
    assert "fake" == found.field("provider")
    assert found.field("gateway-exception") is None
    assert found.header(
        "x-request-id",
    ).startswith("fake-")  # type: ignore[union-attr]


def test_a_refusal_says_that_the_gateway_made_it(client: Client) -> None:
    found = client.chat(headers={"x-portkey-provider": "nobody"})

    assert "true" == found.field("gateway-exception")
    assert found.field("last-used-option-index") is None
    assert found.field("trace-id") == found.header("x-request-id")


# ---- up


def sent_names(upstream: FakeUpstream) -> set[str]:
    """Return the names of the fields that the provider got."""
    (received,) = upstream.fake.requests
    return {name.decode() for name, _ in received.headers}


def test_a_provider_gets_what_it_needs_and_nothing_else(
    client: Client, upstream: FakeUpstream
) -> None:
    client.chat(headers={"accept": "application/json", "user-agent": "me/1", "x-mine": "1"})

    assert sent_names(upstream) == {
        "host", "content-type", "content-length", "accept", "accept-encoding", "user-agent",
        "x-client-request-id",
    }  # fmt: skip
    assert "llmgateway" == upstream.fake.requests[0].headers.get("user-agent")


NEVER = [name.decode() for name in sorted(NEVER_UP - LENGTHS - {b"connection", b"host", b"expect"})]
UNLIKELY = "x-portkey-api-key x-llmgateway-api-key x-portkey-metadata x-llmgateway-anything".split()


@pytest.mark.parametrize("asked", ["by-header", "by-config", "by-settings", "not-asked"])
def test_what_is_never_sent_cannot_be_asked_for(
    serve: Serve, upstream: FakeUpstream, asked: str
) -> None:
    names = [*NEVER, *UNLIKELY]
    client = serve(forward_headers=names) if asked == "by-settings" else serve()
    values = {name: "canary" for name in names if name != "authorization"}
    values |= {"x-portkey-metadata": "{}", "x-portkey-api-key": ""}
    config = None
    if asked == "by-header":
        values["x-portkey-forward-headers"] = ", ".join(names)
    if asked == "by-config":
        config = {"provider": "fake", "forward_headers": names}
    found = client.chat(config=config, headers=values)

    assert 200 == found.status
    assert set() == sent_names(upstream) & (set(names) - {"accept-encoding"})
    assert b"canary" not in b"".join(value for _, value in upstream.fake.requests[0].headers)


@pytest.mark.parametrize("asked", ["by-header", "by-config", "by-settings"])
def test_a_header_that_is_asked_for_goes_on(
    serve: Serve, upstream: FakeUpstream, asked: str
) -> None:
    client = serve(forward_headers=["X-Tenant"]) if asked == "by-settings" else serve()
    headers = {"x-tenant": "a\u00e4b", "x-other": "2"}
    config = {"provider": "fake", "forward_headers": ["X-Tenant"]} if asked == "by-config" else None
    if asked == "by-header":
        headers["x-portkey-forward-headers"] = " X-Tenant ,,x-absent"
    client.chat(config=config, headers=headers)

    assert "a\u00e4b" == upstream.fake.requests[0].headers.get("x-tenant")
    assert "x-other" not in sent_names(upstream)


def test_the_header_beats_the_configs_list(client: Client, upstream: FakeUpstream) -> None:
    client.chat(
        config={"provider": "fake", "forward_headers": ["x-one"]},
        headers={"x-one": "1", "x-two": "2", "x-portkey-forward-headers": "x-two"},
    )

    assert {"x-two"} == sent_names(upstream) & {"x-one", "x-two"}


def test_what_connection_names_stays_here(client: Client, upstream: FakeUpstream) -> None:
    headers = {
        "connection": "keep-alive, X-Hop",
        "x-hop": "1",
        "x-kept": "2",
        "x-portkey-forward-headers": "x-hop, x-kept",
    }
    client.chat(headers=headers)

    assert {"x-kept"} == sent_names(upstream) & {"x-hop", "x-kept"}


def test_what_is_forwarded_cannot_replace_what_the_gateway_says(
    client: Client, upstream: FakeUpstream
) -> None:
    names = "x-client-request-id, user-agent, content-length, host"
    client.chat(
        headers={
            "x-client-request-id": "forged",
            "user-agent": "me/1",
            "x-portkey-forward-headers": names,
        }
    )
    received = upstream.fake.requests[0].headers

    assert ["me/1"] == received.get_all("user-agent")
    assert [client.new_record().trace_id] == received.get_all("x-client-request-id")
    assert 1 == len(received.get_all("host")) == len(received.get_all("content-length"))


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"provider": "fake", "api_key": "k\r\nx-evil: 1"}, id="key"),
        pytest.param({"provider": "fake", "api_key": "k\x00"}, id="nul"),
        pytest.param(
            {"provider": "openai", "api_key": "k", "openai_organization": "o\nx-evil: 1"},
            id="option",
        ),
        pytest.param({"provider": "fake", "forward_headers": ["x\r\nx-evil"]}, id="name"),
        pytest.param({"provider": "fake", "custom_host": "http://x/\r\nx-evil: 1"}, id="host"),
        pytest.param({"provider": "fake\r\nx-evil: 1"}, id="provider"),
        pytest.param({"provider": "fake", "api_key": "\u20ac-beyond-latin-1"}, id="beyond-latin-1"),
    ],
)
def test_a_config_injects_no_header(client: Client, upstream: FakeUpstream, config: object) -> None:
    assert 400 == client.chat(config=config).status
    assert [] == list(upstream.fake.requests)


@pytest.mark.parametrize("model", ["m\r\nx-evil: 1", "@fake/m\nx", "@fa\r\nke/x"])
def test_a_model_injects_no_header(client: Client, upstream: FakeUpstream, model: str) -> None:
    assert 400 == client.chat(model).status
    assert [] == list(upstream.fake.requests)


def test_a_dropped_parameter_injects_no_header(client: Client, raw: RawUpstream) -> None:
    """Its name, which the caller has made up, stands in a header of the answer."""
    message = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]}
    raw.answers([answer({**message, "stop_reason": "end_turn"})])
    config = {"provider": "anthropic", "api_key": "k", "custom_host": raw.base}
    odd = {"a\r\nx-evil: 1": 1, "\x00\u20ac": 1, "long" * 5000: 1}
    body = {**chat_body("claude-sonnet-4-5"), **odd}
    found = client.post("/v1/chat/completions", body, x_portkey_config=json.dumps(config))
    dropped = str(found.field("dropped-params"))

    assert (200, None) == (found.status, found.header("x-evil"))
    assert dropped.startswith("a??x-evil: 1, ??, longlong")
    assert len(dropped) < 3000


def test_encoded_line_breaks_in_a_query_stay_encoded(
    client: Client, upstream: FakeUpstream
) -> None:
    client.get("/v1/things?a=%0d%0aX-Evil:%201&b=%00")

    assert "a=%0d%0aX-Evil:%201&b=%00" == upstream.fake.requests[0].query


# ---- down

BAD_DOWN = {
    "set-cookie": "a=1", "strict-transport-security": "max-age=1", "alt-svc": "h3=':1'",
    "server": "theirs", "www-authenticate": "Bearer", "proxy-authenticate": "Basic",
    "x-powered-by": "theirs", "access-control-allow-origin": "*", "location": "http://x/",
    "x-portkey-trace-id": "theirs", "x-llmgateway-provider": "theirs", "via": "1.1 x",
    "link": "</x>; rel=preload", "cache-control": "public", "x-accel-redirect": "/etc/passwd",
    "content-security-policy": "none", "keep-alive": "timeout=9", "x-should-retry": "true",
}  # fmt: skip
GOOD_DOWN = {
    "retry-after": "7", "x-request-id": "req-1", "x-ratelimit-remaining-requests": "9",
    "openai-processing-ms": "12", "content-type": "application/json; charset=utf-8",
}  # fmt: skip


@pytest.mark.parametrize("exposed", [(), tuple(BAD_DOWN)], ids=["as-it-is", "all-exposed"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_client_gets_the_usual_fields_of_a_provider(
    serve: Serve, raw: RawUpstream, status: int, exposed: tuple[str, ...]
) -> None:
    client = serve(expose_headers=exposed)
    raw.answers([answer(COMPLETION, status, **BAD_DOWN, **GOOD_DOWN)])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})
    names = {name for name, _ in found.headers}

    assert status == found.status
    for name, value in GOOD_DOWN.items():
        assert value == found.header(name) or (name, status) == ("content-type", 400)
    theirs = {"x-powered-by", "location", "link", "via", "content-security-policy"}
    assert names & theirs == (theirs if exposed else set())
    assert "theirs" not in [v for n, v in found.headers if n != "x-powered-by"]
    assert "no-store" in str(found.header("cache-control"))


def test_a_setting_exposes_a_providers_field(serve: Serve, raw: RawUpstream) -> None:
    client = serve(expose_headers=["X-Model-Region"])
    raw.answers([answer(COMPLETION, x_model_region="eu", x_other="1")])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert "eu" == found.header("x-model-region")
    assert found.header("x-other") is None


@pytest.mark.parametrize(
    "value",
    ["a\rset-cookie: x=1", "a\nset-cookie: x=1", "a\x00b", "a\r\n b"],
    ids=["cr", "lf", "nul", "folded"],
)
def test_a_providers_broken_field_is_never_passed_on(
    client: Client, raw: RawUpstream, value: str
) -> None:
    raw.answers([answer(COMPLETION, x_request_id=value)])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert found.status in (200, 502)
    assert found.header("set-cookie") is None
    assert not any(ord(char) < 0x20 for _, text in found.headers for char in text)
