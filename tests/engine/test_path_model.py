"""Models that stand in the path, where the provider is not to be called by that name."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine.test_translation import KEYS, whole
from tests.scripted import ScriptedTransport, world

CONTENT: Any = {"parts": [{"text": "Hi"}]}
NAMES = {"@google/g": None, "m": {"provider": "google", "override_params": {"model": "g"}}}


async def sent(operation: str, answer: Any, model: str, body: Any) -> tuple[str, Any]:
    """Call a path of Gemini's API; return the URL and the body that Google was sent."""
    transport = ScriptedTransport(whole(answer))
    gateway = Gateway(KEYS, transport=lambda: transport, world=world(transport))
    fields = {"host": "localhost", "content_type": "application/json"}
    config = NAMES[model]
    if config is not None:
        fields["x_portkey_config"] = orjson.dumps(config).decode()
    path = f"/v1beta/models/{model}:{operation}"
    request = HTTPRequest("POST", path, "", Headers.of(**fields), orjson.dumps(body))
    response = await gateway.handle(request)
    assert 200 == response.status, response.body
    return transport.requests[0].url, orjson.loads(transport.bodies[0])


@pytest.mark.parametrize("model", NAMES, ids=["written", "overridden"])
async def test_the_requests_of_a_batch_name_the_model_that_is_called(model: str) -> None:
    request = {"model": f"models/{model}", "content": CONTENT}
    other = {"model": "models/another", "content": CONTENT}
    answer = {"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}

    url, body = await sent("batchEmbedContents", answer, model, {"requests": [request, other]})

    assert url.endswith("/v1beta/models/g:batchEmbedContents")
    assert ["models/g", "models/another"] == [each["model"] for each in body["requests"]]
    assert {"requests"} == set(body)


@pytest.mark.parametrize("model", NAMES, ids=["written", "overridden"])
async def test_the_request_whose_tokens_are_counted_names_the_model(model: str) -> None:
    within = {"model": f"models/{model}", "contents": [CONTENT]}

    url, body = await sent(
        "countTokens", {"totalTokens": 2}, model, {"generateContentRequest": within}
    )

    assert url.endswith("/v1beta/models/g:countTokens")
    assert {"generateContentRequest": {**within, "model": "models/g"}} == body


@pytest.mark.parametrize("model", NAMES, ids=["written", "overridden"])
async def test_a_body_that_names_no_model_stays_without(model: str) -> None:
    answer = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}

    url, body = await sent("generateContent", answer, model, {"contents": [CONTENT]})

    assert url.endswith("/v1beta/models/g:generateContent")
    assert {"contents": [CONTENT]} == body
