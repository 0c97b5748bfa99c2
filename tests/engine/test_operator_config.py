"""A key in the operator's own config is the operator's: where it goes, and for whom."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest
from tests.scripted import ScriptedTransport, chat, failure, world

BODY = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
CONFIG = {"provider": "openai", "api_key": "sk-operator"}
CLIENT = "a-client-key-of-16"


async def ask(settings: dict[str, Any], **head: str) -> tuple[int, bytes, ScriptedTransport]:
    transport = ScriptedTransport(chat())
    gateway = Gateway(settings, transport=lambda: transport, world=world(transport))
    headers = Headers.of(content_type="application/json", **head)
    response = await gateway.handle(HTTPRequest("POST", "/v1/chat/completions", "", headers, BODY))
    assert isinstance(response.body, bytes)
    return response.status, response.body, transport


def key_sent(transport: ScriptedTransport) -> bytes | None:
    return dict(transport.requests[0].headers).get(b"authorization")


async def test_known_callers_use_it_at_its_own_origin() -> None:
    status, _, transport = await ask(
        {"client_keys": {"me": CLIENT}, "config": CONFIG}, authorization=f"Bearer {CLIENT}"
    )

    assert (200, b"Bearer sk-operator") == (status, key_sent(transport))


@pytest.mark.parametrize(
    ("config", "head"),
    [
        pytest.param(CONFIG, {"x_llmgateway_custom_host": "http://evil.example/v1"}, id="host"),
        pytest.param(
            {"api_key": "sk-operator", "retry": {"attempts": 1}},
            {"x_llmgateway_azure_resource_name": "evil"},
            id="an-option-that-forms-the-url",
        ),
    ],
)
async def test_it_never_goes_where_a_caller_says(
    config: dict[str, Any], head: dict[str, str]
) -> None:
    settings = {
        "client_keys": {"me": CLIENT},
        "config": config,
        "default_provider": "azure-openai" if "retry" in config else None,
        "providers": {"azure-openai": {"resource_name": "ours", "api_version": "2024-10-21"}},
    }

    status, body, transport = await ask(settings, authorization=f"Bearer {CLIENT}", **head)

    assert (400, []) == (status, transport.requests)
    assert b"its own origin" in body


async def test_anonymous_callers_never_use_it() -> None:
    status, _, transport = await ask({"access": "open", "config": CONFIG})

    assert (400, []) == (status, transport.requests)


async def test_a_refusal_of_it_is_no_fault_of_the_callers_key() -> None:
    transport = ScriptedTransport(failure(401))
    gateway = Gateway(
        {"client_keys": {"me": CLIENT}, "config": CONFIG},
        transport=lambda: transport,
        world=world(transport),
    )
    headers = Headers.of(content_type="application/json", authorization=f"Bearer {CLIENT}")
    response = await gateway.handle(HTTPRequest("POST", "/v1/chat/completions", "", headers, BODY))

    assert 502 == response.status


async def test_the_operators_own_custom_host_is_its_origin() -> None:
    config = {**CONFIG, "custom_host": "https://llm.example.com/v1"}

    status, _, transport = await ask(
        {"client_keys": {"me": CLIENT}, "config": config}, authorization=f"Bearer {CLIENT}"
    )

    assert (200, b"Bearer sk-operator") == (status, key_sent(transport))
    assert transport.requests[0].url.startswith("https://llm.example.com/v1/")


async def test_a_key_of_the_settings_does_not_follow_the_configs_host() -> None:
    settings = {
        "client_keys": {"me": CLIENT},
        "providers": {"openai": {"api_key": "sk-settings"}},
        "config": {"provider": "openai", "custom_host": "https://llm.example.com/v1"},
    }

    status, body, transport = await ask(settings, authorization=f"Bearer {CLIENT}")

    assert (400, []) == (status, transport.requests)
    assert b"its own origin" in body
