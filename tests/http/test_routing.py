"""Which provider and target: choice, strategies, inheritance, conditions, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.client import Client, chat_body, encode
from tests.http.conftest import STORED_KEY, Serve
from tests.http.loops import SOON_S
from tests.http.upstreams import (
    CONTENT,
    ROLE,
    STAY_OPEN,
    STREAM_HEAD,
    FakeUpstream,
    RawUpstream,
    chunk,
)

KEY = "k-of-the-config"


# ---- which provider


@pytest.mark.parametrize(
    ("headers", "model", "provider", "sent"),
    [
        pytest.param({"x-portkey-provider": "openai"}, "fake", "openai", "fake", id="header"),
        pytest.param({"x-portkey-provider": "@openai"}, "fake", "openai", "fake", id="at-header"),
        pytest.param({"x-llmgateway-provider": "openai"}, "fake", "openai", "fake", id="ours"),
        pytest.param(
            {"x-portkey-provider": "fake", "x-portkey-config": '{"provider":"openai"}'},
            "fake", "openai", "fake", id="config-before-header",
        ),
        pytest.param(
            {"x-portkey-provider": "openai", "x-portkey-config": '{"retry":{"attempts":1}}'},
            "fake", "openai", "fake", id="header-completes-a-config",
        ),
        pytest.param({}, "@openai/fake", "openai", "fake", id="model"),
        pytest.param({}, "@openai/a/b", "openai", "a/b", id="model-with-slash"),
        pytest.param(
            {"x-portkey-provider": "fake"}, "@openai/m", "fake", "@openai/m", id="header-first"
        ),
        pytest.param(
            {"x-portkey-config": '{"provider":"fake"}'}, "@openai/m", "fake", "@openai/m",
            id="config-first",
        ),
        pytest.param({}, "@openai/@fake/m", "openai", "@fake/m", id="only-the-first"),
    ],
)  # fmt: skip
def test_a_provider_is_chosen(
    client: Client, upstream: FakeUpstream, headers: dict[str, str], model: str,
    provider: str, sent: str,
) -> None:  # fmt: skip
    found = client.chat(model, headers={"x-portkey-provider": "", **headers})

    assert (200, provider) == (found.status, found.field("provider"))
    assert sent == upstream.fake.requests[0].model


@pytest.mark.parametrize("model", ["m", "@nobody/m", "@openai", "@openai/", "@/m", "@", "openai/m"])
def test_any_other_model_goes_to_the_default_provider(
    serve: Serve, upstream: FakeUpstream, model: str
) -> None:
    client = serve(default_provider="fake")
    found = client.chat(model, headers={"x-portkey-provider": ""})

    assert "fake" == found.field("provider")
    assert model == upstream.fake.requests[0].model


def test_the_default_provider_is_the_last_resort(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve(default_provider="groq")

    assert "openai" == client.chat("@openai/m", headers={"x-portkey-provider": ""}).field(
        "provider"
    )
    assert "fake" == client.chat(headers={"x-portkey-provider": "fake"}).field("provider")


def test_the_settings_config_serves_who_names_nothing(serve: Serve, upstream: FakeUpstream) -> None:
    config = {"strategy": {"mode": "single"}, "targets": [{"provider": "openai"}]}
    client = serve(config=config, default_provider="fake")
    found = client.chat(headers={"x-portkey-provider": ""})

    assert "config.targets[0]" == found.field("last-used-option-index")
    assert "fake" == client.chat().field("provider")
    assert "groq" == client.chat(config={"provider": "groq", "api_key": KEY}).field("provider")


def test_a_prefix_is_taken_off_and_nothing_else_is_changed(
    client: Client, upstream: FakeUpstream
) -> None:
    body = chat_body("@fake/fake", unknown={"b": 1, "a": [None]})
    client.post("/v1/chat/completions", encode(body), x_portkey_provider="")

    assert {**body, "model": "fake"} == upstream.fake.requests[0].json()


def test_an_endpoint_that_a_provider_lacks_is_400_and_names_what_it_has(client: Client) -> None:
    found = client.post("/v1/embeddings", {"model": "m", "input": "x"}, x_portkey_provider="groq",
                        x_portkey_api_key="")  # fmt: skip

    assert (400, "endpoint_not_supported") == (found.status, found.error["code"])
    assert "chat" in found.error["message"]


def test_an_endpoint_that_a_provider_lacks_falls_back(client: Client) -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": "groq", "api_key": KEY}, {"provider": "fake"}],
    }
    body = {"model": "fake", "input": "x"}
    found = client.post("/v1/embeddings", body, x_portkey_config=encode(config).decode())

    assert (200, "fake") == (found.status, found.field("provider"))
    assert ["endpoint_not_supported", None] == [a.error for a in client.new_record().attempts]


# ---- the contract's examples


def test_example_1_inheritance_and_overrides(client: Client, upstream: FakeUpstream) -> None:
    config = {
        "retry": {"attempts": 3, "on_status_codes": [429]},
        "override_params": {"temperature": 0, "user": "a"},
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "openai", "api_key": "k1"},
            {
                "provider": "fake", "api_key": "k2", "retry": {"attempts": 1},
                "override_params": {"model": "fake-503-once", "user": "b"},
            },
        ],
    }  # fmt: skip
    found = client.chat("fake-429-x4", config=config)
    first, second = upstream.fake.requests[0], upstream.fake.requests[-1]

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))
    assert [429] * 4 + [503, 200] == [attempt.status for attempt in client.new_record().attempts]
    assert ("fake-429-x4", 0, "a") == tuple(
        first.json()[k] for k in ("model", "temperature", "user")
    )
    assert ("fake-503-once", 0, "b") == tuple(
        second.json()[k] for k in ("model", "temperature", "user")
    )
    assert ["Bearer k1", "Bearer k2"] == [r.headers.get("authorization") for r in (first, second)]
    assert [1.0, 2.0, 4.0, 1.0] == client.naps.seconds


EXAMPLE_2 = {
    "strategy": {
        "mode": "conditional",
        "conditions": [
            {
                "query": {
                    "metadata.plan": {"$in": ["pro", "team"]}, "params.max_tokens": {"$gt": 1000}
                },
                "then": "big",
            },
            {
                "query": {"$or": [{"params.model": {"$regex": "^gpt-4"}}, {"metadata.vip": "yes"}]},
                "then": "mid",
            },
        ],
        "default": "small",
    },
    "targets": [
        {"name": "big", "provider": "openai", "api_key": "a"},
        {"name": "mid", "provider": "groq", "api_key": "b"},
        {"name": "small", "provider": "fake", "api_key": "c"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "model", "more", "target"),
    [
        pytest.param('{"plan":"pro"}', "m", {"max_tokens": 2000}, 0, id="big"),
        pytest.param('{"plan":"pro"}', "gpt-4o", {"max_tokens": 10}, 1, id="mid-by-model"),
        pytest.param("", "x", {}, 2, id="small"),
        pytest.param('{"vip":"yes"}', "x", {}, 1, id="mid-by-metadata"),
        pytest.param('{"plan":"pro"}', "x", {}, 2, id="missing-is-not-greater"),
        pytest.param('{"plan":"free"}', "x", {"max_tokens": 2000}, 2, id="another-plan"),
        pytest.param('{"plan":"team"}', "x", {"max_tokens": 1001}, 0, id="just-over"),
    ],
)
def test_example_2_conditions(
    client: Client, metadata: str, model: str, more: dict[str, Any], target: int
) -> None:
    found = client.chat(model, config=EXAMPLE_2, headers={"x-portkey-metadata": metadata}, **more)

    assert f"config.targets[{target}]" == found.field("last-used-option-index")


@pytest.mark.parametrize(
    ("model", "codes", "attempts", "statuses", "count", "waits"),
    [
        pytest.param("fake-503", None, 2, [503] * 3, "-1", [1.0, 2.0], id="exhausted"),
        pytest.param("fake-503-once", None, 2, [503, 200], "1", [1.0], id="second-try"),
        pytest.param("fake-401", None, 2, [401], "0", [], id="not-listed"),
        pytest.param("fake-401", [401], 1, [401, 401], "-1", [1.0], id="listed"),
    ],
)
def test_example_3_retries(
    client: Client, model: str, codes: list[int] | None, attempts: int,
    statuses: list[int], count: str, waits: list[float],
) -> None:  # fmt: skip
    retry = {"attempts": attempts} | ({} if codes is None else {"on_status_codes": codes})
    found = client.chat(model, config={"retry": retry, "provider": "groq", "api_key": "k"})

    assert (statuses[-1], count) == (found.status, found.field("retry-attempt-count"))
    assert statuses == [attempt.status for attempt in client.new_record().attempts]
    assert waits == client.naps.seconds


# ---- strategies


def targets(*models: str, **strategy: Any) -> dict[str, Any]:
    """Return a config whose targets ask the fake provider for these models."""
    return {
        "strategy": strategy,
        "targets": [{"provider": "fake", "override_params": {"model": m}} for m in models],
    }


@pytest.mark.parametrize(
    ("draw", "target"), [(0.0, 0), (0.24, 0), (0.26, 1), (0.99, 1), (0.999999, 1)]
)
def test_a_draw_picks_by_weight(client: Client, draw: float, target: int) -> None:
    config = targets("fake", "fake", "fake", mode="loadbalance")
    for index, weight in enumerate((1, 3, 0)):
        config["targets"][index]["weight"] = weight
    client.draws.number = draw
    found = client.chat(config=config)

    assert f"config.targets[{target}]" == found.field("last-used-option-index")


def test_a_balanced_target_that_fails_is_the_answer(client: Client) -> None:
    found = client.chat(config=targets("fake-503", "fake", mode="loadbalance"))

    assert (503, "config.targets[0]") == (found.status, found.field("last-used-option-index"))


def test_weights_that_are_all_zero_are_400(client: Client) -> None:
    config = targets("fake", mode="loadbalance")
    config["targets"][0]["weight"] = 0

    assert 400 == client.chat(config=config).status


def test_single_uses_the_first(client: Client) -> None:
    found = client.chat(config=targets("fake-503", "fake", mode="single"))

    assert (503, "config.targets[0]") == (found.status, found.field("last-used-option-index"))


@pytest.mark.parametrize(
    ("models", "codes", "status", "target"),
    [
        pytest.param(["fake-503", "fake"], None, 200, 1, id="second"),
        pytest.param(["fake-400", "fake-404", "fake"], None, 200, 2, id="any-failure"),
        pytest.param(["fake-503", "fake-429"], None, 429, 1, id="last-one-is-returned"),
        pytest.param(["fake-503", "fake"], [429], 503, 0, id="not-in-the-list"),
        pytest.param(["fake-429", "fake-503"], [429], 503, 1, id="in-the-list"),
        pytest.param(["fake", "fake"], [200], 200, 1, id="even-a-success"),
        pytest.param(["fake-html", "fake"], None, 200, 1, id="html"),
        pytest.param(["fake-bad-json", "fake"], None, 200, 1, id="bad-json"),
        pytest.param(["fake-empty", "fake"], None, 200, 1, id="empty"),
        pytest.param(["fake-cut", "fake"], None, 200, 1, id="cut"),
        pytest.param(["fake-early-error", "fake"], None, 200, 1, id="error-in-a-200"),
    ],
)
def test_fallback_goes_on(
    client: Client, models: list[str], codes: list[int] | None, status: int, target: int
) -> None:
    strategy = {"mode": "fallback"} | ({} if codes is None else {"on_status_codes": codes})
    found = client.chat(config=targets(*models, **strategy))

    assert (status, f"config.targets[{target}]") == (
        found.status,
        found.field("last-used-option-index"),
    )
    assert target + 1 == len(client.new_record().attempts)


def test_a_refused_connection_falls_back(client: Client) -> None:
    config = targets("fake", "fake", mode="fallback")
    config["targets"][0]["custom_host"] = "http://127.0.0.1:1/v1"
    found = client.chat(config=config)

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))
    assert ["upstream_unreachable", None] == [a.error for a in client.new_record().attempts]


def test_strategies_nest_and_name_their_path(client: Client) -> None:
    inner = targets("fake-500", "fake", mode="fallback")
    config = {
        "strategy": {"mode": "conditional", "default": "b",
                     "conditions": [{"query": {"url.pathname": "/v1/nothing"}, "then": "a"}]},
        "targets": [{"name": "a", "provider": "groq", "api_key": KEY}, {"name": "b", **inner}],
    }  # fmt: skip
    found = client.chat(config=config)

    assert "config.targets[1].targets[1]" == found.field("last-used-option-index")
    assert ["config.targets[1].targets[0]", "config.targets[1].targets[1]"] == [
        attempt.target for attempt in client.new_record().attempts
    ]


def test_conditions_that_select_nothing_are_400(client: Client) -> None:
    conditions = [{"query": {"metadata.plan": "pro"}, "then": "a"}]
    config = {
        "strategy": {"mode": "conditional", "conditions": conditions},
        "targets": [{"name": "a", "provider": "fake"}],
    }
    found = client.chat(config=config)

    assert (400, "routing_failed") == (found.status, found.error["code"])
    assert found.error["message"].startswith("Query router did not resolve to any valid target")


def test_conditions_that_select_nothing_below_a_fallback_are_400(
    client: Client, raw: RawUpstream
) -> None:
    raw.answers([STREAM_HEAD + chunk(ROLE + CONTENT), STAY_OPEN])
    conditions = [{"query": {"metadata.plan": "pro"}, "then": "a"}]
    nested = {
        "strategy": {"mode": "conditional", "conditions": conditions},
        "targets": [{"name": "a", "provider": "fake"}],
    }
    config = {
        "strategy": {"mode": "fallback", "on_status_codes": [200]},
        "targets": [{"provider": "fake", "custom_host": raw.base}, nested],
    }
    found = client.chat(config=config, stream=True)

    assert (400, "routing_failed") == (found.status, found.error["code"])
    assert 1 == len(client.new_record().attempts)
    assert raw.peer().gone.wait(SOON_S)


def test_a_condition_reads_the_body_as_it_came(client: Client) -> None:
    config = {**EXAMPLE_2, "override_params": {"model": "gpt-4-by-override"}}
    found = client.chat("x", config=config)

    assert "config.targets[2]" == found.field("last-used-option-index")


def test_headers_beat_the_config(client: Client, upstream: FakeUpstream) -> None:
    config = {"provider": "fake", "custom_host": "http://127.0.0.1:1/v1", "request_timeout": 1}
    headers = {"x-portkey-custom-host": upstream.base, "x-portkey-request-timeout": "60000"}

    assert 200 == client.chat("fake-slow-20ms", config=config, headers=headers).status


def test_credentials_in_headers_do_not_mix_with_a_configs_provider(
    client: Client, upstream: FakeUpstream
) -> None:
    headers = {"x-portkey-openai-organization": "org-of-the-header"}
    client.chat(config={"provider": "openai"}, headers=headers)
    client.chat(headers={**headers, "x-portkey-provider": "openai"})

    assert [None, "org-of-the-header"] == [
        received.headers.get("openai-organization") for received in upstream.fake.requests
    ]


def test_camel_case_means_the_same(client: Client, upstream: FakeUpstream) -> None:
    config = {
        "strategy": {"mode": "fallback", "onStatusCodes": [418]},
        "overrideParams": {"max_tokens": 1},
        "targets": [{"provider": "openai", "apiKey": "k1", "requestTimeout": 9000}],
    }
    client.chat(config=config)

    assert 1 == upstream.fake.requests[0].json()["max_tokens"]
    assert "Bearer k1" == upstream.fake.requests[0].headers.get("authorization")


def test_an_option_of_a_row_goes_where_the_row_says(serve: Serve, upstream: FakeUpstream) -> None:
    stored = {"base_url": upstream.base, "api_key": STORED_KEY, "openai_project": "p-settings"}
    client = serve(providers={"openai": stored})
    client.chat(config={"provider": "openai", "openai_organization": "org-1"})
    received = upstream.fake.requests[0].headers

    assert ("org-1", "p-settings") == (
        received.get("openai-organization"),
        received.get("openai-project"),
    )
