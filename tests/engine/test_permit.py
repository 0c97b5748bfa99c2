"""What a key's policy lets through: scopes, addresses, providers, models, metadata."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import orjson
import pytest

from llmgateway.http.routes import LIST, MODEL_ROUTES, PROXY_ROUTE, ROUTES, WRITE, Access
from llmgateway.types.call import CallerPolicy
from llmgateway.types.documents import VirtualKey
from tests.engine.saved import Saved
from tests.scripted import Scripted

OURS = VirtualKey("ours", "openai", "sk-1")
UPLOAD = {"content_type": "multipart/form-data; boundary=x", "raw": b"--x--\r\n"}


def limited(**policy: Any) -> Saved:
    """Return a gateway whose caller has such a policy."""
    return Saved(OURS, policy=CallerPolicy(**policy))


def test_every_route_for_callers_has_a_scope() -> None:
    routes = [*ROUTES, *MODEL_ROUTES.values(), PROXY_ROUTE]
    assert {WRITE, LIST} == {route.scope for route in routes if route.access is Access.CALLER}


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        ({WRITE}, "POST", "/v1/other", 200),
        ({LIST}, "POST", "/v1/chat/completions", 403),
        (set(), "POST", "/v1/chat/completions", 403),
        ({LIST}, "GET", "/v1/models", 200),
        ({WRITE}, "GET", "/v1/models", 403),
        ({LIST}, "POST", "/v1/anything/else", 403),
        ({LIST}, "DELETE", "/v1/models/ft:x", 403),
    ],
)
async def test_scopes(scopes: set[str], method: str, path: str, status: int) -> None:
    answers = [Scripted(200, [b'{"data": []}']) for _ in range(2)]
    answered = await limited(scopes=frozenset(scopes)).ask(None, *answers, method=method, path=path)

    assert status == answered.status
    assert status == 200 or not answered.transport.requests


@pytest.mark.parametrize(
    ("client", "status"),
    [("192.0.2.7", 200), ("::ffff:192.0.2.7", 200), ("198.51.100.1", 403), ("", 403), (None, 403)],
)
async def test_addresses(client: str | None, status: int) -> None:
    saved = limited(addresses=(ip_network("192.0.2.0/24"),))

    answered = await saved.ask(client=client, x_forwarded_for="192.0.2.9")

    assert status == answered.status


@pytest.mark.parametrize(
    ("providers", "request_", "status"),
    [
        (("openai",), {}, 200),
        (("openai",), {"x_portkey_virtual_key": "ours"}, 200),
        (("@ours",), {"x_portkey_virtual_key": "ours"}, 200),
        (("@ours",), {}, 403),
        (("groq",), {}, 403),
        (("groq",), {"config": {"provider": "openai", "api_key": "sk-own"}}, 403),
    ],
)
async def test_providers(providers: tuple[str, ...], request_: dict[str, Any], status: int) -> None:
    answered = await limited(providers=providers).ask(**request_)

    assert status == answered.status
    assert status == 200 or not answered.transport.requests


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param({"body": {"model": "gpt-4o-mini"}}, 200, id="allowed"),
        pytest.param({"body": {"model": "gpt-4o-nano"}}, 200, id="by pattern"),
        pytest.param({"body": {"model": "gpt-4o"}}, 403, id="another"),
        pytest.param({"body": {"model": "@ours/gpt-4o-mini"}}, 200, id="by slug"),
        pytest.param({"body": {"model": "@ours/gpt-4o"}}, 403, id="another by slug"),
        pytest.param(
            {
                "body": {"model": "gpt-4o-mini"},
                "config": {"provider": "openai", "override_params": {"model": "gpt-4o"}},
            },
            403,
            id="overridden",
        ),
        pytest.param(
            {"body": {"model": "gpt-4o-mini", "models": ["gpt-4o"]}}, 403, id="alternatives"
        ),
        pytest.param({"path": "/v1/audio/transcriptions", **UPLOAD}, 403, id="an upload"),
        pytest.param({"path": "/v1/files", **UPLOAD}, 403, id="a file"),
        pytest.param({"path": "/v1/other", "raw": b"{}"}, 403, id="no model"),
        pytest.param({"path": "/v1/files", "method": "GET"}, 200, id="nothing is run"),
        pytest.param(
            {
                "body": {"model": "gpt-4o-mini"},
                "config": {
                    "provider": "azure-openai",
                    "api_key": "k",
                    "resource_name": "r",
                    "api_version": "v1",
                    "deployment_id": "gpt-4o",
                },
            },
            403,
            id="a deployment",
        ),
    ],
)
async def test_models(request_: dict[str, Any], status: int) -> None:
    answered = await limited(models=("gpt-4o-mini", "gpt-4o-n*")).ask(**request_)

    assert status == answered.status, answered.body
    assert status == 200 or not answered.transport.requests


async def test_a_model_that_stands_there_twice_is_sent_as_it_was_judged() -> None:
    raw = b'{"model": "gpt-4o", "model": "gpt-4o-mini", "messages": []}'

    answered = await limited(models=("gpt-4o-mini",)).ask(raw=raw)

    assert 200 == answered.status
    assert 1 == answered.transport.bodies[0].count(b'"model"')
    assert "gpt-4o-mini" == answered.sent["model"]


async def test_models_that_the_caller_may_not_use_are_not_listed() -> None:
    listed = Scripted(200, [b'{"data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}]}'])
    saved = Saved(policy=CallerPolicy(models=("@openai/gpt-4o-mini",)))

    answered = await saved.ask(None, listed, method="GET", path="/v1/models")

    assert ["@openai/gpt-4o-mini"] == [model["id"] for model in answered.body["data"]]


async def test_a_key_s_metadata_beats_the_request_s_and_reaches_conditions() -> None:
    saved = limited(metadata={"plan": "pro"})
    config = {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": {"metadata.plan": "pro"}, "then": "pro"}],
        },
        "targets": [{"name": "pro", "virtual_key": "ours"}],
    }
    metadata = orjson.dumps({"plan": "free", "team": "a"}).decode()

    answered = await saved.ask(config=config, x_portkey_metadata=metadata)

    assert 200 == answered.status
    assert {"plan": "pro", "team": "a"} == dict(answered.record.metadata)
