"""What requests name by slug: virtual keys and saved configs of the caller's workspace."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.types.call import CallerPolicy
from llmgateway.types.documents import SavedConfig, VirtualKey
from tests.engine.saved import Saved
from tests.scripted import Scripted, chat, failure

OURS = VirtualKey("ours", "openai", "sk-of-the-virtual-key")
GROQ = VirtualKey("fast", "groq", "gsk-1", models=("llama-*",))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"x_portkey_virtual_key": "ours"}, id="header"),
        pytest.param({"x_llmgateway_virtual_key": "@ours"}, id="header with @"),
        pytest.param({"x_portkey_provider": "@ours"}, id="provider"),
        pytest.param({"body": {"model": "@ours/gpt-4o"}}, id="model"),
        pytest.param({"config": {"virtual_key": "ours"}}, id="config"),
        pytest.param({"config": {"virtualKey": "@ours"}}, id="config in camel case"),
        pytest.param({"config": {"provider": "@ours"}}, id="config's provider"),
        pytest.param(
            {
                "config": {
                    "strategy": {"mode": "single"},
                    "targets": [{"override_params": {"model": "@ours/gpt-4o"}}],
                }
            },
            id="model of a target",
        ),
        pytest.param(
            {"config": {"override_params": {"model": "@ours/gpt-4o"}}}, id="model of the root"
        ),
        pytest.param(
            {"config": {"retry": {"attempts": 1}}, "x_portkey_virtual_key": "ours"},
            id="header beside a config without provider",
        ),
    ],
)
async def test_ways_to_name_a_virtual_key(request_: dict[str, Any]) -> None:
    answered = await Saved(OURS).ask(**request_)

    assert (200, b"Bearer sk-of-the-virtual-key") == (answered.status, answered.authorization)
    assert "gpt-4o" == answered.sent["model"]
    assert "api.openai.com" in answered.transport.requests[0].url


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"x_portkey_virtual_key": "theirs"}, 404),
        ({"x_portkey_provider": "@theirs"}, 400),
        ({"config": {"virtual_key": "theirs"}}, 400),
        ({"config": "pc-theirs"}, 404),
    ],
)
async def test_another_workspace_s_are_as_if_there_were_none(
    request_: dict[str, Any], status: int
) -> None:
    saved = Saved(OURS)
    missing = await saved.ask(**request_)
    saved.documents.put("2", VirtualKey("theirs", "openai", "sk-theirs"))
    saved.documents.put("2", SavedConfig("pc-theirs", '{"provider": "openai"}'))

    answered = await saved.ask(**request_)

    assert status == missing.status == answered.status
    assert missing.body["error"]["message"] == answered.message
    assert not answered.transport.requests


async def test_a_model_that_only_looks_like_a_slug_is_sent_as_it_is() -> None:
    answered = await Saved(OURS).ask({"model": "@cf/meta/llama-3"})

    assert "@cf/meta/llama-3" == answered.sent["model"]


async def test_the_workspace_s_slug_goes_before_the_provider_s_id() -> None:
    answered = await Saved(VirtualKey("openai", "groq", "gsk")).ask({"model": "@openai/llama"})

    assert "groq.com" in answered.transport.requests[0].url
    assert b"Bearer gsk" == answered.authorization


async def test_a_config_names_the_path_of_a_virtual_key_that_is_not_there() -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"virtual_key": "ours"}, {"virtual_key": "gone"}],
    }
    answered = await Saved(OURS).ask(config=config)

    assert 400 == answered.status
    assert "targets.1.virtual_key" in orjson.dumps(answered.body).decode()


@pytest.mark.parametrize(
    "head",
    [
        {"x_portkey_custom_host": "https://evil.example/v1"},
        {"config": {"virtual_key": "ours", "custom_host": "https://evil.example/v1"}},
    ],
)
async def test_its_credential_goes_to_its_own_origin_only(head: dict[str, Any]) -> None:
    head.setdefault("config", {"virtual_key": "ours"})
    answered = await Saved(OURS).ask(**head)

    assert 400 == answered.status
    assert not answered.transport.requests


async def test_its_base_url_and_options_are_used() -> None:
    key = VirtualKey(
        "ours", "openai", "sk-1", "https://eu.openai.example/v1", {"openai_project": "p-1"}
    )
    answered = await Saved(key).ask(x_portkey_virtual_key="ours")
    (request,) = answered.transport.requests

    assert "https://eu.openai.example/v1/chat/completions" == request.url
    assert b"p-1" == dict(request.headers)[b"openai-project"]


async def test_models_that_it_may_not_be_asked_for() -> None:
    saved = Saved(GROQ)

    allowed = await saved.ask({"model": "@fast/llama-3.1-8b"})
    refused = await saved.ask({"model": "@fast/qwen"})

    assert 200 == allowed.status
    assert 403 == refused.status
    assert not refused.transport.requests


async def test_a_refused_model_falls_back() -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"virtual_key": "fast"}, {"virtual_key": "ours"}],
    }
    answered = await Saved(OURS, GROQ).ask({"model": "gpt-4o"}, config=config)

    assert (200, b"Bearer sk-of-the-virtual-key") == (answered.status, answered.authorization)


async def test_one_that_cannot_be_opened_fails_alone() -> None:
    broken = VirtualKey("broken", "openai", is_readable=False)
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"virtual_key": "broken"}, {"virtual_key": "ours"}],
    }
    alone = await Saved(broken).ask(x_portkey_virtual_key="broken")
    answered = await Saved(broken, OURS).ask(config=config)

    assert (502, "credential_unreadable") == (alone.status, alone.body["error"]["code"])
    assert (200, b"Bearer sk-of-the-virtual-key") == (answered.status, answered.authorization)


async def test_a_change_is_felt_by_the_next_request() -> None:
    saved = Saved(OURS)
    await saved.ask(x_portkey_virtual_key="ours")
    saved.documents.put("1", VirtualKey("ours", "openai", "sk-new"))

    answered = await saved.ask(x_portkey_virtual_key="ours")

    assert b"Bearer sk-new" == answered.authorization


async def test_a_saved_config_is_named_by_its_slug() -> None:
    config = SavedConfig("pc-main", '{"virtual_key": "ours", "override_params": {"user": "x"}}')

    answered = await Saved(OURS, config).ask(config="pc-main")

    assert (200, b"Bearer sk-of-the-virtual-key") == (answered.status, answered.authorization)
    assert "x" == answered.sent["user"]


async def test_a_saved_config_s_own_key_is_used_and_stays_at_its_host() -> None:
    text = '{"provider": "openai", "api_key": "sk-saved", "custom_host": "https://own.example/v1"}'
    saved = Saved(SavedConfig("pc-main", text))

    answered = await saved.ask(config="pc-main")
    elsewhere = await saved.ask(config="pc-main", x_portkey_custom_host="https://evil.example/v1")

    assert (200, b"Bearer sk-saved") == (answered.status, answered.authorization)
    assert 400 == elsewhere.status


DEFAULT = CallerPolicy(default_config="pc-main")
MAIN = SavedConfig("pc-main", '{"virtual_key": "ours"}')


async def test_a_key_s_default_config_counts_where_a_request_brings_none() -> None:
    saved = Saved(OURS, GROQ, MAIN, policy=DEFAULT)

    by_default = await saved.ask()
    its_own = await saved.ask({"model": "llama-3"}, config={"virtual_key": "fast"})

    assert b"Bearer sk-of-the-virtual-key" == by_default.authorization
    assert b"Bearer gsk-1" == its_own.authorization


async def test_a_key_may_be_bound_to_its_config() -> None:
    policy = CallerPolicy(default_config="pc-main", allow_config_override=False)
    saved = Saved(OURS, GROQ, MAIN, policy=policy)

    assert 200 == (await saved.ask()).status
    for config in ({"virtual_key": "fast"}, "pc-main"):
        refused = await saved.ask(config=config)
        assert 400 == refused.status
        assert "may not bring a config" in refused.message


async def test_models_are_listed_by_slug() -> None:
    concrete = VirtualKey("small", "openai", "sk", models=("gpt-4o-mini",))
    listed = Scripted(200, [b'{"data": [{"id": "llama-3"}, {"id": "qwen"}]}'])
    of_settings = Scripted(200, [b'{"data": [{"id": "gpt-4o"}]}'])

    answered = await Saved(GROQ, concrete).ask(
        None, of_settings, listed, method="GET", path="/v1/models"
    )

    assert ["@openai/gpt-4o", "@fast/llama-3", "@small/gpt-4o-mini"] == [
        model["id"] for model in answered.body["data"]
    ]


async def test_a_provider_s_refusal_of_a_virtual_key_is_not_the_caller_s_fault() -> None:
    answered = await Saved(OURS).ask(None, failure(401), x_portkey_virtual_key="ours")

    assert (502, "upstream_auth_failed") == (answered.status, answered.body["error"]["code"])


async def test_two_keys_of_one_provider_are_two_targets() -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"virtual_key": "one"}, {"virtual_key": "two"}],
    }
    saved = Saved(VirtualKey("one", "openai", "sk-1"), VirtualKey("two", "openai", "sk-2"))
    answered = await saved.ask(None, failure(500), chat(), config=config)

    sent = [dict(request.headers)[b"authorization"] for request in answered.transport.requests]
    assert [b"Bearer sk-1", b"Bearer sk-2"] == sent
