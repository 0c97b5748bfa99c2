"""Who may name the host that is called, and which key goes along (C2, S10)."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.http.client import Client
from tests.http.conftest import CLIENT_KEY, STORED_KEY, Serve
from tests.http.keys import OWN_KEY, authorization, leaked
from tests.http.upstreams import COMPLETION, FakeUpstream, RawUpstream, answer

HUGGING = "huggingface_base_url"
NAMES_HOST: dict[str, tuple[Any, dict[str, str]]] = {
    "header": (None, {"x-portkey-provider": "fake", "x-portkey-custom-host": "http://{}/v1"}),
    "config": ({"provider": "fake", "custom_host": "http://{}/v1"}, {}),
    "target": (
        {
            "strategy": {"mode": "fallback"},
            "targets": [
                {"provider": "fake"},
                {"strategy": {"mode": "single"}, "targets": [{"provider": "groq", "custom_host": "http://{}/v1"}]},
            ],
        },
        {},
    ),
    "branch": (
        {
            "strategy": {"mode": "single"},
            "custom_host": "http://{}/v1",
            "targets": [{"provider": "fake"}],
        },
        {},
    ),
    "option": ({"provider": "huggingface", HUGGING: "http://{}/v1"}, {}),
    "option-header": (
        None,
        {"x-portkey-provider": "huggingface", "x-portkey-huggingface-base-url": "http://{}/v1"},
    ),
}  # fmt: skip
"""Every way to name a host, with a gap for it."""


def naming(way: str, host: str) -> dict[str, Any]:
    """Return the arguments of a chat that names `host` in one of these ways."""
    config, headers = NAMES_HOST[way]
    text = None if config is None else json.dumps(config).replace("{}", host)
    return {"config": text, "headers": {k: v.replace("{}", host) for k, v in headers.items()}}


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that anybody has looked up."""
    found: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **more: Any) -> Any:
        if host == "127.0.0.1":  # the client of the suite asks too
            return real(host, *args, **more)
        found.append(host)
        raise socket.gaierror("no such name, in this test")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


@pytest.mark.parametrize("way", NAMES_HOST)
@pytest.mark.parametrize("place", ["somewhere.example", "127.0.0.1:1", "169.254.169.254"])
def test_an_anonymous_caller_names_no_host(
    serve: Serve, lookups: list[str], way: str, place: str
) -> None:
    client = serve(access="open")
    asked = naming(way, place)
    asked["headers"]["authorization"] = f"Bearer {OWN_KEY}"
    found = client.chat(**asked)

    assert (403, "permission_denied") == (found.status, found.error["code"])
    assert [] == lookups
    assert () == client.new_record().attempts


@pytest.mark.parametrize("way", NAMES_HOST)
def test_nobody_names_a_host_where_the_setting_says_so(
    serve: Serve, lookups: list[str], way: str
) -> None:
    found = serve(custom_hosts="nobody").chat(**naming(way, "somewhere.example"))

    assert 403 == found.status
    assert [] == lookups


def test_an_anonymous_caller_names_a_host_where_the_setting_allows(
    serve: Serve, raw: RawUpstream
) -> None:
    client = serve(access="open", custom_hosts="anyone")
    raw.answers([answer(COMPLETION)])
    asked = naming("header", f"127.0.0.1:{raw.port}")

    assert 200 == client.chat(**asked).status


def test_the_operators_config_names_a_host_for_everyone(
    serve: Serve, upstream: FakeUpstream
) -> None:
    config = {"provider": "fake", "custom_host": upstream.base}
    client = serve(access="open", config=config)

    assert 200 == client.chat(headers={"x-portkey-provider": ""}).status


# ---- a stored credential goes to its own origin only

STORED_EVERYWHERE = {
    "providers": {
        "fake": {"base_url": "http://127.0.0.1:9/v1", "api_key": STORED_KEY},
        "groq": {"base_url": "http://127.0.0.1:9/v1", "api_key": STORED_KEY},
        "huggingface": {"api_key": STORED_KEY},
        "openai": {"api_key": STORED_KEY},
        "azure-openai": {"api_key": STORED_KEY, "resource_name": "ours"},
    }
}


@pytest.mark.parametrize("way", ["header", "config", "branch", "option", "option-header"])
@pytest.mark.parametrize("proxied", [False, True], ids=["chat", "proxy"])
def test_a_stored_key_goes_to_no_other_origin(
    serve: Serve, raw: RawUpstream, upstream: FakeUpstream, way: str, proxied: bool
) -> None:
    client = serve(**STORED_EVERYWHERE)
    asked = naming(way, f"127.0.0.1:{raw.port}")
    asked["config"] = (asked["config"] or "").replace('"fake"', '"openai"') or None
    asked["headers"] = {k: v.replace("fake", "openai") for k, v in asked["headers"].items()}
    if proxied:
        config = [("x-portkey-config", asked["config"])] if asked["config"] else []
        found = client.request("GET", "/v1/things", [*asked["headers"].items(), *config])
    else:
        found = client.chat(**asked)

    assert (400, "api_key") == (found.status, found.error["param"])
    assert [] == raw.peers


def test_a_stored_key_does_not_follow_a_nested_target(serve: Serve, raw: RawUpstream) -> None:
    client = serve(**STORED_EVERYWHERE)
    asked = naming("target", f"127.0.0.1:{raw.port}")
    found = client.chat(**asked)

    assert (400, "config.targets[1].targets[0]") == (
        found.status,
        found.field("last-used-option-index"),
    )
    assert [] == raw.peers


@pytest.mark.parametrize("place", ["header", "config"])
def test_an_option_that_forms_the_url_takes_no_stored_key_along(
    serve: Serve, lookups: list[str], place: str
) -> None:
    client = serve(**STORED_EVERYWHERE)
    if place == "header":
        headers = {"x-portkey-provider": "azure-openai", "x-portkey-azure-resource-name": "theirs"}
        found = client.chat(headers=headers)
    else:
        found = client.chat(config={"provider": "azure-openai", "resource_name": "theirs"})

    assert (400, "api_key") == (found.status, found.error["param"])
    assert [] == lookups


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:{port}/v1",
        "http://127.0.0.1:1/v1",
        "https://127.0.0.1:{port}/v1",
        "http://127.0.0.2:{port}/v1",
        "http://[::1]:{port}/v1",
    ],
)
def test_an_origin_is_scheme_host_and_port(
    client: Client, upstream: FakeUpstream, url: str
) -> None:
    port = upstream.base.rpartition(":")[2].removesuffix("/v1")
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": url.format(port=port)}
    found = client.chat(headers=headers)

    assert (400, "api_key") == (found.status, found.error["param"])
    assert [] == list(upstream.fake.requests)


def test_the_stored_key_goes_to_its_own_origin_by_any_name_of_it(
    client: Client, upstream: FakeUpstream
) -> None:
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream.base + "/"}

    assert 200 == client.chat(headers=headers).status
    assert f"Bearer {STORED_KEY}" == authorization(upstream)


@pytest.mark.parametrize("key", ["config", "own"])
def test_a_key_of_ones_own_goes_to_a_custom_host(
    client: Client, upstream: FakeUpstream, raw: RawUpstream, key: str
) -> None:
    raw.answers([answer(COMPLETION)])
    config = {"provider": "openai", "custom_host": raw.base}
    headers = {"x-portkey-api-key": CLIENT_KEY, "authorization": None}
    if key == "config":
        config["api_key"] = OWN_KEY
    else:
        headers["authorization"] = f"Bearer {OWN_KEY}"
    found = client.chat(config=config, headers=headers)

    assert 200 == found.status
    assert f"Bearer {OWN_KEY}" == raw.peer().header("authorization")
    assert set() == leaked(upstream)
