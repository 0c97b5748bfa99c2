"""A proxy as the settings name it: its URL, who it is for, and where its password stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from llmgateway import Gateway
from llmgateway.settings import Settings, UpstreamTransport, parse_proxy
from llmgateway.transport.choice import transport_of
from llmgateway.transport.proxy import Proxy
from llmgateway.transport.url import Origin
from tests.transport.conftest import Serve
from tests.transport.provider import OK, answer_each, ask, fetch
from tests.transport.test_tls import NAME, server_side


@pytest.mark.usefixtures("proxy_environment")
async def test_a_proxy_is_the_one_of_the_settings_and_never_the_environments(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct, proxy = await serve(answer_each(OK)), await serve(answer_each(OK))
    monkeypatch.setenv("OUR_PROXY", f"http://me:pa%3As@127.0.0.1:{proxy.port}")
    settings = Gateway(
        {
            "allow_loopback_upstreams": True,
            "upstream_transports": {"http://localhost:81": {"proxy": "env:OUR_PROXY"}},
        }
    ).settings
    transport = transport_of(settings)

    assert (200, b"ok") == await fetch(transport, ask(direct.url))
    assert (200, b"ok") == await fetch(transport, ask("http://localhost:81/"))
    assert (1, 1) == (direct.accepted, proxy.accepted)
    assert b"Basic bWU6cGE6cw==" in proxy.requests[0]
    assert "pa" not in str(settings.upstream_transports["http://localhost:81"].proxy)
    await transport.aclose()


async def test_a_proxy_with_tls_is_trusted_by_the_same_file(
    serve: Serve, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    proxy = await serve(answer_each(OK), server_side(authority.issue_cert("127.0.0.1")))
    way = {"proxy": proxy.tls_url, "ca_file": tmp_path / "ca.pem"}
    transport = transport_of(Settings.model_validate({"upstream_transport": way}))

    assert (200, b"ok") == await fetch(transport, ask(f"http://{NAME}.invalid/"))
    assert b"POST http://provider.example.invalid/ HTTP/1.1" in proxy.requests[0]
    await transport.aclose()


@pytest.mark.parametrize(
    ("url", "upstream", "user"),
    [
        ("http://proxy.example", ("http", "proxy.example", 80), None),
        ("https://Proxy.example/", ("https", "proxy.example", 443), None),
        ("http://u@[::1]:3128", ("http", "::1", 3128), ("u", "")),
        ("http://a%40b:c%3Ad:e@10.0.0.1:3128", ("http", "10.0.0.1", 3128), ("a@b", "c:d:e")),
    ],
)
def test_a_proxys_url(url: str, upstream: Any, user: Any) -> None:
    assert (upstream, user) == parse_proxy(url)


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example:3128",
        "socks5://proxy.example:1080",
        "http://",
        "http://u:secret@",
        "http://u:sec/ret@proxy.example",
        "http://u:sec@ret@proxy.example",
        "http://u:sec ret@proxy.example",
        "http://u:secret\r\n@proxy.example",
        "http://u:secret@proxy.example/path",
        "http://u:secret@proxy.example?q",
        "http://u:secret@proxy.example:0",
        "http://u:secret@proxy.example:65536",
        "http://u:secret@proxy.example:http",
        "",
    ],
)
def test_a_proxys_url_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        Settings.model_validate({"upstream_transport": {"proxy": url}})

    assert "sec" not in str(caught.value)
    assert "upstream_transport.proxy" in str(caught.value)


def test_a_proxy_asks_for_the_client_that_has_proxies() -> None:
    assert "httpx" == UpstreamTransport.model_validate({"proxy": "http://p.example"}).client
    with pytest.raises(ValueError, match="httpx"):
        UpstreamTransport.model_validate({"client": "h1", "proxy": "http://p.example"})


def test_a_proxys_password_stands_in_no_repr() -> None:
    way = UpstreamTransport.model_validate({"proxy": "http://u:hidden@p.example"})
    proxy = Proxy(Origin("http", "p.example", 80), ("u", "hidden"))

    assert "hidden" not in f"{way} {way!r} {way.proxy_address} {proxy!r} {way.model_dump()}"
