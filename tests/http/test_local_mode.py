"""What local mode, the list of all models and the list of never-forwarded headers keep in."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from llmgateway import Gateway
from llmgateway.engine.headers import forwarded
from llmgateway.types.http import Headers, HTTPRequest
from tests.scripted import ScriptedTransport, world


async def status_of(
    settings: Mapping[str, object], transport: ScriptedTransport, client: str | None, **head: str
) -> int:
    gateway = Gateway(settings, transport=lambda: transport, world=world(transport))
    headers = Headers.of(host="localhost", **head)
    response = await gateway.handle(HTTPRequest("GET", "/v1/models", "", headers, b"", client))
    return response.status


@pytest.mark.parametrize(
    ("client", "head", "status"),
    [
        pytest.param("127.0.0.1", {}, 200, id="this-machine"),
        pytest.param("::1", {}, 200, id="this-machine-by-v6"),
        pytest.param("::ffff:127.0.0.1", {}, 200, id="this-machine-mapped"),
        pytest.param(None, {}, 200, id="a-socket-without-address"),
        pytest.param("203.0.113.9", {}, 403, id="another-machine-that-says-localhost"),
        pytest.param("testclient", {}, 403, id="no-address"),
        pytest.param("127.0.0.1", {"sec_fetch_site": "cross-site"}, 403, id="a-page-elsewhere"),
        pytest.param("127.0.0.1", {"sec_fetch_site": "same-origin"}, 200, id="its-own-page"),
    ],
)
async def test_local_mode_serves_this_machine_only(
    client: str | None, head: dict[str, str], status: int
) -> None:
    assert status == await status_of({"access": "local"}, ScriptedTransport(), client, **head)


async def test_listing_all_models_hands_the_callers_key_to_nobody() -> None:
    transport = ScriptedTransport()
    settings = {
        "access": "local",
        "providers": {"openai": {"base_url": "https://a.example/v1"}, "groq": {}},
    }

    status = await status_of(settings, transport, None, authorization="Bearer sk-my-own-key")

    assert (200, []) == (status, transport.requests)


def test_what_proxies_tell_of_a_user_never_goes_up() -> None:
    headers = Headers.of(
        x_forwarded_access_token="t", x_amzn_oidc_data="t", x_tenant="acme", accept="*/*"
    )

    sent = forwarded(headers, ("x-forwarded-access-token", "x-amzn-oidc-data", "x-tenant"))

    assert ((b"x-tenant", b"acme"), (b"accept", b"*/*")) == sent
