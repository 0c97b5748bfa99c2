"""Whose key goes where: who may call, and what a provider is sent (C2)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from llmgateway import Gateway, Principal
from llmgateway.settings import client_key_digest
from llmgateway.types.http import Headers, HTTPRequest
from tests.http.client import Client, chat_body, encode
from tests.http.conftest import CLIENT_KEY, STORED_KEY, Serve
from tests.http.keys import OWN_KEY, PLAIN_KEY, authorization, leaked
from tests.http.upstreams import FakeUpstream, RawUpstream, answer
from tests.scripted import ScriptedTransport, chat

TWO_KEYS = {"suite": CLIENT_KEY, "plain": PLAIN_KEY}


PLACES = [
    pytest.param("authorization", "Bearer {}", id="bearer"),
    pytest.param("authorization", "bearer {}", id="bearer-lower-case"),
    pytest.param("authorization", "Bearer  {} ", id="bearer-with-spaces"),
    pytest.param("authorization", "{}", id="authorization-bare"),
    pytest.param("x-api-key", "{}", id="x-api-key"),
    pytest.param("x-portkey-api-key", "{}", id="x-portkey-api-key"),
    pytest.param("x-llmgateway-api-key", "{}", id="x-llmgateway-api-key"),
]


@pytest.mark.parametrize("key", [CLIENT_KEY, PLAIN_KEY], ids=["ours", "plain"])
@pytest.mark.parametrize(("place", "form"), PLACES)
def test_a_client_key_opens_and_goes_no_further(
    serve: Serve, upstream: FakeUpstream, place: str, form: str, key: str
) -> None:
    client = serve(client_keys=TWO_KEYS)
    headers = {"authorization": None, place: form.format(key)}
    found = client.chat(
        headers={**headers, "x-portkey-provider": "groq", "x-portkey-api-key": ""} | headers
    )

    assert 400 == found.status, "groq has no stored key, and the client key is none"
    assert 200 == client.chat(headers=headers).status
    assert authorization(upstream) is None
    assert set() == leaked(upstream)
    assert {"key:suite", "key:plain"} >= {r.principal for r in client.records.new()} != {None}


@pytest.mark.parametrize(("place", "form"), PLACES)
def test_a_client_key_uses_the_stored_credential(
    serve: Serve, upstream: FakeUpstream, place: str, form: str
) -> None:
    headers = {"authorization": None, place: form.format(CLIENT_KEY)}
    found = serve().chat(headers={**headers, "x-portkey-provider": "openai"})

    assert 200 == found.status
    assert f"Bearer {STORED_KEY}" == authorization(upstream)
    assert set() == leaked(upstream, STORED_KEY)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


BAD_KEYS = [
    pytest.param({}, id="none"),
    pytest.param({"authorization": ""}, id="empty"),
    pytest.param({"authorization": "Bearer"}, id="bearer-only"),
    pytest.param({"authorization": "Bearer "}, id="bearer-and-space"),
    pytest.param({"authorization": "Bearer x"}, id="x"),
    pytest.param({"authorization": f"Bearer {OWN_KEY}"}, id="a-provider-key"),
    pytest.param({"authorization": f"Bearer {CLIENT_KEY}x"}, id="longer"),
    pytest.param({"authorization": f"Bearer {CLIENT_KEY[:-1]}"}, id="shorter"),
    pytest.param({"authorization": f"Bearer {CLIENT_KEY.upper()}"}, id="upper-case"),
    pytest.param({"authorization": f"Bearer {CLIENT_KEY} {CLIENT_KEY}"}, id="twice"),
    pytest.param({"authorization": f"Bearer {CLIENT_KEY},{CLIENT_KEY}"}, id="comma"),
    pytest.param({"authorization": f"Token {CLIENT_KEY}"}, id="another-scheme"),
    pytest.param({"authorization": basic(CLIENT_KEY)}, id="basic"),
    pytest.param({"authorization": f"Bearer {client_key_digest(CLIENT_KEY)}"}, id="digest"),
    pytest.param({"authorization": f"Bearer {STORED_KEY}"}, id="the-stored-credential"),
    pytest.param({"authorization": "Bearer " + "k" * 20_000}, id="20-kB"),
    pytest.param({"authorization": "Bearer \u00fc\u00ff"}, id="beyond-ascii"),
    pytest.param({"authorization": "Bearer ' OR 1=1 --"}, id="sql"),
    pytest.param({"authorization": "Bearer {{7*7}}"}, id="template"),
    pytest.param({"x-api-key": "wrong", "x-portkey-api-key": "wrong"}, id="elsewhere"),
    pytest.param({"cookie": f"key={CLIENT_KEY}"}, id="cookie"),
    pytest.param({"proxy-authorization": f"Bearer {CLIENT_KEY}"}, id="proxy-authorization"),
    pytest.param({"x-forwarded-user": "admin", "remote-user": "admin"}, id="identity-headers"),
]


@pytest.mark.parametrize("headers", BAD_KEYS)
def test_bad_keys_are_all_refused_alike(
    client: Client, upstream: FakeUpstream, headers: dict[str, str]
) -> None:
    found = client.chat(headers={"authorization": None, **headers})

    assert (401, "invalid_api_key") == (found.status, found.error["code"])
    assert found.error["message"].startswith("Unknown API key.")
    assert "Bearer" == found.header("www-authenticate")
    assert [] == list(upstream.fake.requests)
    assert client.new_record().principal is None


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-portkey-api-key"])
@pytest.mark.parametrize("good_first", [True, False], ids=["good-first", "good-last"])
def test_a_doubled_key_is_refused(client: Client, name: str, good_first: bool) -> None:
    values = [CLIENT_KEY, "wrong-key-of-somebody"]
    pairs = [(name, value) for value in (values if good_first else reversed(values))]
    found = client.request(
        "POST",
        "/v1/chat/completions",
        [
            ("x-portkey-provider", "fake"),
            ("x-portkey-config", ""),
            *([] if name == "authorization" else [("authorization", "")]),
            *pairs,
        ],
        encode(chat_body()),
    )

    assert 401 == found.status


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/files/file-1/content", "/v1/anything", "/v1/proxy/x"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_every_inference_route_asks_for_a_key(client: Client, method: str, path: str) -> None:
    headers = {"authorization": None, "x-portkey-provider": "openai"}

    assert client.request(method, path, headers).status in (401, 405)


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_greetings_need_no_key(client: Client, path: str) -> None:
    assert 200 == client.request("GET", path, {"authorization": None}).status


# ---- which key a provider gets


@pytest.mark.parametrize(
    ("config", "own", "expected"),
    [
        pytest.param({"provider": "openai", "api_key": "k-config"}, None, "k-config", id="config"),
        pytest.param({"provider": "openai"}, None, STORED_KEY, id="stored"),
        pytest.param({"provider": "openai"}, OWN_KEY, STORED_KEY, id="stored-before-own"),
        pytest.param({"provider": "openai"}, "x", STORED_KEY, id="bearer-x-shadows-nothing"),
        pytest.param({"provider": "groq"}, OWN_KEY, OWN_KEY, id="own"),
        pytest.param({"provider": "groq", "api_key": "k-own"}, OWN_KEY, "k-own", id="config-first"),
        pytest.param({"provider": "fake"}, None, None, id="none-needed"),
    ],
)  # fmt: skip
def test_the_provider_gets_the_first_key_that_there_is(
    client: Client, upstream: FakeUpstream, config: Any, own: str | None, expected: str | None
) -> None:
    headers = {
        "x-portkey-api-key": CLIENT_KEY,
        "authorization": None if own is None else f"Bearer {own}",
    }
    found = client.chat(config=config, headers=headers)

    assert 200 == found.status
    assert (None if expected is None else f"Bearer {expected}") == authorization(upstream)


def test_a_provider_without_any_key_is_a_400_that_says_what_to_do(client: Client) -> None:
    found = client.chat(config={"provider": "groq"})

    assert 400 == found.status
    assert "No credential for groq" in found.error["message"]


@pytest.mark.parametrize("key", [CLIENT_KEY, PLAIN_KEY, "lgw_live_of-another-gateway"])
def test_a_key_of_this_gateway_in_a_config_is_refused(
    serve: Serve, upstream: FakeUpstream, key: str
) -> None:
    client = serve(client_keys=TWO_KEYS)
    found = client.chat(config={"provider": "openai", "api_key": key})

    assert 400 == found.status
    assert [] == list(upstream.fake.requests)


@pytest.mark.parametrize("access", ["open", "local"])
@pytest.mark.parametrize("place", ["authorization", "x-api-key", "x-portkey-api-key"])
def test_a_token_that_looks_like_one_of_ours_is_never_sent(
    serve: Serve, upstream: FakeUpstream, access: str, place: str
) -> None:
    client = serve(access=access, client_keys={})
    token = "lgw_live_revoked-or-of-another-gateway"
    client.chat(headers={place: token})
    client.chat(headers={place: token, "x-portkey-provider": "groq"})

    assert [None] == [r.headers.get("authorization") for r in upstream.fake.requests]


def test_a_providers_401_on_the_stored_key_is_not_the_clients_fault(
    client: Client, upstream: FakeUpstream
) -> None:
    found = client.chat("fake-401", config={"provider": "openai"})

    assert (502, "upstream_auth_failed") == (found.status, found.error["code"])
    assert [401] == [attempt.status for attempt in client.new_record().attempts]
    assert STORED_KEY not in found.body.decode()


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("key", ["config", "own"])
def test_a_providers_401_on_the_callers_own_key_is_the_clients(
    client: Client, status: int, key: str
) -> None:
    config = {"provider": "groq"} | ({"api_key": OWN_KEY} if key == "config" else {})
    headers = {"x-portkey-api-key": CLIENT_KEY, "authorization": f"Bearer {OWN_KEY}"}

    assert status == client.chat(f"fake-{status}", config=config, headers=headers).status


def test_routing_still_sees_the_providers_401(client: Client) -> None:
    config = {
        "strategy": {"mode": "fallback", "on_status_codes": [401]},
        "targets": [
            {"provider": "openai", "override_params": {"model": "fake-401"}},
            {"provider": "fake", "override_params": {"model": "fake"}},
        ],
    }
    found = client.chat(config=config)

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))


def test_a_provider_that_repeats_our_key_is_silenced(client: Client, raw: RawUpstream) -> None:
    words = {"error": {"message": f"Incorrect API key: {OWN_KEY}", "key": OWN_KEY, "type": "t"}}
    raw.answers([answer(words, 400)])
    found = client.chat(config={"provider": "openai", "api_key": OWN_KEY, "custom_host": raw.base})

    assert 400 == found.status
    assert OWN_KEY not in found.body.decode()
    assert "[redacted]" in found.error["message"]


# ---- open mounts


def test_an_anonymous_caller_relays_with_a_key_of_its_own(
    serve: Serve, upstream: FakeUpstream
) -> None:
    client = serve(access="open")
    headers = {"authorization": f"Bearer {OWN_KEY}", "x-portkey-provider": "openai"}

    assert 200 == client.chat(headers=headers).status
    assert f"Bearer {OWN_KEY}" == authorization(upstream)
    assert "anonymous" == client.new_record().principal


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer"}, {"authorization": basic("a:b")}, {"x-portkey-api-key": "k"}],
    ids=["nothing", "no-token", "basic", "not-a-provider-key"],
)
def test_an_anonymous_caller_never_uses_a_stored_key(
    serve: Serve, upstream: FakeUpstream, headers: dict[str, str]
) -> None:
    client = serve(access="open")
    found = client.chat(headers={"authorization": None, "x-portkey-provider": "openai", **headers})

    assert 400 == found.status
    assert [] == list(upstream.fake.requests)


def test_a_client_key_uses_the_stored_key_on_an_open_mount(
    serve: Serve, upstream: FakeUpstream
) -> None:
    serve(access="open").chat(headers={"x-portkey-provider": "openai"})

    assert f"Bearer {STORED_KEY}" == authorization(upstream)


# ---- the host's own word


def by_token(request: HTTPRequest) -> Principal | None:
    """Know the user whose token it is; one of them brings a provider key along."""
    token = request.headers.get("authorization")
    if token == "Bearer host-token":
        return Principal("user:17")
    return Principal("user:18", brings_provider_key=True) if request.headers.get("x-user") else None


async def by_token_async(request: HTTPRequest) -> Principal | None:
    """Do the same, as a coroutine."""
    return by_token(request)


@pytest.mark.parametrize("authenticate", [by_token, by_token_async], ids=["sync", "async"])
def test_a_hosts_callable_lets_its_users_in(
    serve: Serve, upstream: FakeUpstream, authenticate: Any
) -> None:
    client = serve(authenticate=authenticate)
    headers = {"authorization": "Bearer host-token", "x-portkey-provider": "openai"}

    assert 200 == client.chat(headers=headers).status
    assert f"Bearer {STORED_KEY}" == authorization(upstream)
    assert "user:17" == client.new_record().principal


@pytest.mark.parametrize("authenticate", [by_token, by_token_async], ids=["sync", "async"])
def test_a_hosts_callable_keeps_others_out(serve: Serve, authenticate: Any) -> None:
    client = serve(authenticate=authenticate)

    assert 401 == client.chat(headers={"authorization": "Bearer another"}).status


def test_a_hosts_own_token_is_never_sent(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve(authenticate=by_token)
    headers = {"authorization": "Bearer host-token"}

    assert 200 == client.chat(headers=headers).status
    assert authorization(upstream) is None
    assert 400 == client.chat(headers={**headers, "x-portkey-provider": "groq"}).status


def test_a_host_can_say_that_the_key_is_the_providers(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve(authenticate=by_token)
    headers = {"authorization": f"Bearer {OWN_KEY}", "x-user": "18", "x-portkey-provider": "groq"}

    assert 200 == client.chat(headers=headers).status
    assert f"Bearer {OWN_KEY}" == authorization(upstream)


def test_a_client_key_still_opens_where_the_host_has_its_say(serve: Serve) -> None:
    client = serve(authenticate=by_token)

    assert 200 == client.chat().status
    assert "key:suite" == client.new_record().principal


@pytest.mark.parametrize(("brings", "sent"), [(False, []), (True, [b"Bearer host-token"])])
async def test_a_caller_whom_the_host_vouches_for(brings: bool, sent: list[bytes]) -> None:
    """A view that has its user already hands it in, and the same rule holds for its token."""
    transport = ScriptedTransport(chat())
    gateway = Gateway({}, transport=lambda: transport)
    headers = Headers.of(authorization="Bearer host-token", x_portkey_provider="groq")
    request = HTTPRequest("POST", "/v1/chat/completions", "", headers, encode(chat_body()))
    response = await gateway.handle(request, Principal("user:17", brings_provider_key=brings))
    await gateway.aclose()

    assert (200 if brings else 400) == response.status
    assert sent == [dict(asked.headers)[b"authorization"] for asked in transport.requests]


# ---- local mode


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"host": "localhost"}, 200, id="localhost"),
        pytest.param({"host": "LocalHost:8787"}, 200, id="port"),
        pytest.param({"host": "127.0.0.1:1"}, 200, id="ipv4"),
        pytest.param({"host": "[::1]:8787"}, 200, id="ipv6"),
        pytest.param({"host": "evil.example"}, 403, id="foreign"),
        pytest.param({"host": "localhost.evil.example"}, 403, id="prefix"),
        pytest.param({"host": "evil.localhost"}, 403, id="suffix"),
        pytest.param({"host": "127.0.0.1.evil.example:8787"}, 403, id="address-prefix"),
        pytest.param({"host": "localhost@evil.example"}, 403, id="user-info"),
        pytest.param({"host": "localhost,evil.example"}, 403, id="list"),
        pytest.param({"host": "0.0.0.0"}, 403, id="any"),
        pytest.param({"host": "127.0.0.2"}, 403, id="other-loopback"),
        pytest.param({"host": "[::1]evil"}, 403, id="after-brackets"),
        pytest.param({"host": ""}, 403, id="empty"),
        pytest.param({"host": "evil.example", "x-forwarded-host": "localhost"}, 403, id="proxy"),
        pytest.param({"host": "localhost", "origin": "http://localhost:3000"}, 200, id="own"),
        pytest.param({"host": "localhost", "origin": "http://127.0.0.1"}, 200, id="own-address"),
        pytest.param({"host": "localhost", "origin": "https://evil.example"}, 403, id="origin"),
        pytest.param({"host": "localhost", "origin": "null"}, 403, id="null-origin"),
        pytest.param({"host": "localhost", "origin": "http://localhost.evil"}, 403, id="o-prefix"),
        pytest.param({"host": "localhost", "origin": "http://a@localhost"}, 403, id="o-user"),
        pytest.param({"host": "localhost", "origin": "http://[evil"}, 403, id="o-broken"),
        pytest.param({"host": "localhost", "origin": ""}, 403, id="o-empty"),
        pytest.param({"host": "localhost", "origin": "file://"}, 403, id="o-file"),
    ],
)
def test_local_mode_keeps_web_pages_away(
    serve: Serve, headers: dict[str, str], status: int
) -> None:
    client = serve(access="local", client_keys={})
    found = client.chat(headers=headers)

    assert status == found.status
    assert not [name for name, _ in found.headers if name.startswith("access-control-")]


def test_local_mode_uses_the_stored_key_whatever_the_sdk_sends(
    serve: Serve, upstream: FakeUpstream
) -> None:
    client = serve(access="local", client_keys={})
    client.chat(headers={"authorization": "Bearer x", "x-portkey-provider": "openai"})

    assert f"Bearer {STORED_KEY}" == authorization(upstream)
    assert "local" == client.new_record().principal


def test_local_mode_answers_no_preflight(serve: Serve) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    found = serve(access="local", client_keys={}).request(
        "OPTIONS", "/v1/chat/completions", headers
    )

    assert 405 == found.status
    assert not [name for name, _ in found.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(("name", "status"), [("api.example", 200), ("evil.example", 403)])
def test_allowed_hosts_are_the_only_ones(serve: Serve, name: str, status: int) -> None:
    client = serve(allowed_hosts=["api.example"])

    assert status == client.chat(headers={"host": f"{name}:443"}).status


def test_a_request_has_the_address_of_its_peer(serve: Serve) -> None:
    client = serve(authenticate=_peer)
    client.chat(headers={"authorization": "Bearer x", "x-forwarded-for": "203.0.113.9"})

    assert "127.0.0.1" == client.new_record().principal


def _peer(request: HTTPRequest) -> Principal:
    return Principal(str(request.client))
