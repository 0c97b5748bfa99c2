"""Each origin goes out by the transport that the settings name for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from llmgateway import Gateway
from llmgateway.engine.check import SettingsFault
from llmgateway.errors import AddressRefused, InvalidRequest, UpstreamUnreachable
from llmgateway.settings import Settings, UpstreamTransport
from llmgateway.transport.choice import Chooser, transport_of
from llmgateway.transport.tls import Contexts
from llmgateway.types.upstream import UpstreamRequest, UpstreamResponse
from tests.transport.conftest import Serve
from tests.transport.provider import OK, Peer, answer_each, ask, fetch
from tests.transport.test_tls import server_side


class Noted:
    """A transport that keeps the URLs it was handed."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.closed = False

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.urls.append(request.url)
        raise UpstreamUnreachable("noted")

    async def aclose(self) -> None:
        self.closed = True


class Choice:
    """A chooser over transports that only take notes."""

    def __init__(self, by_origin: Sequence[tuple[str, Any]] = (), general: Any = "h1") -> None:
        self.made: dict[UpstreamTransport, Noted] = {}
        ways = {url: UpstreamTransport.model_validate(way) for url, way in by_origin}
        self.chooser = Chooser(self._make, UpstreamTransport.model_validate(general), ways)

    def _make(self, way: UpstreamTransport, contexts: Contexts) -> Noted:
        return self.made.setdefault(way, Noted())

    async def send(self, *urls: str) -> None:
        for url in urls:
            with pytest.raises(UpstreamUnreachable, match="noted"):
                await self.chooser.send(ask(url))

    def sent(self, way: Any) -> list[str]:
        return self.made[UpstreamTransport.model_validate(way)].urls


async def test_an_origin_goes_by_its_own_transport_and_all_others_by_the_general_one() -> None:
    choice = Choice([("https://a.example", "httpx"), ("http://[::2]:8080/", "httpx")])
    own = [
        "https://a.example",
        "https://a.example/v1?q=https://b.example/",
        "HTTPS://A.example:443/v1",
        "http://[0:0::2]:8080/",
        "https://a.example?q",
    ]
    others = [
        "http://a.example/",
        "https://a.example:8443/",
        "https://b.example/https://a.example/",
        "http://[::2]/",
    ]
    await choice.send(*own, *others)

    assert own == choice.sent("httpx")
    assert others == choice.sent("h1")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://a.example@b.example/", AddressRefused),
        ("ftp://a.example/", AddressRefused),
        ("a.example", AddressRefused),
        ("https://a.example\\@b.example/", InvalidRequest),
        ("https://a.example#/", InvalidRequest),
    ],
)
async def test_a_url_without_an_origin_is_refused_as_elsewhere(
    url: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await Choice([("https://a.example", "httpx")]).chooser.send(ask(url))


async def test_equal_settings_share_a_transport_and_unequal_ones_do_not() -> None:
    choice = Choice(
        [("https://a.example", "httpx"), ("https://b.example", {"client": "httpx"})],
        general={"client": "h1"},
    )
    await choice.send("https://a.example/", "https://b.example/", "https://c.example/")

    assert 2 == len(choice.made)
    assert ["https://a.example/", "https://b.example/"] == choice.sent("httpx")


async def test_origins_without_end_are_not_remembered() -> None:
    choice = Choice([("https://a.example", "httpx")])
    await choice.send(*(f"https://{number}.example/" for number in range(1100)))

    assert 1024 == choice.chooser._way_to.cache_info().currsize


async def test_all_transports_are_closed() -> None:
    choice = Choice([("https://a.example", "httpx")])
    await choice.send("https://a.example/", "https://b.example/")
    await choice.chooser.aclose()

    assert [True, True] == [made.closed for made in choice.made.values()]


async def test_a_transport_that_is_made_after_the_end_keeps_nothing() -> None:
    choice = Choice()
    await choice.chooser.aclose()
    await choice.send("https://a.example/")

    assert [True] == [made.closed for made in choice.made.values()]


async def test_without_settings_of_origins_nothing_is_chosen() -> None:
    assert not isinstance(transport_of(Settings()), Chooser)


# TLS files


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Mapping[str, Path]:
    """The files of the settings: the authority, a certificate of ours, and its key."""
    ours = authority.issue_cert("gateway.example")
    paths = {name: tmp_path / name for name in ("ca_file", "client_certificate", "client_key")}
    authority.cert_pem.write_to_path(paths["ca_file"])
    ours.cert_chain_pems[0].write_to_path(paths["client_certificate"])
    ours.private_key_pem.write_to_path(paths["client_key"])
    return paths


def demanding(authority: trustme.CA) -> ssl.SSLContext:
    """A server's side that takes nobody without a certificate."""
    context = server_side(authority.issue_cert("127.0.0.1", "localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    return context


async def test_a_private_authority_and_a_client_certificate(
    serve: Serve, authority: trustme.CA, files: Mapping[str, Path]
) -> None:
    named: list[Any] = []

    async def script(peer: Peer) -> None:
        named.append(peer.certificate)
        await answer_each(OK)(peer)

    provider = await serve(script, demanding(authority))
    way = UpstreamTransport.model_validate({"client": "httpx", **files})
    transport = transport_of(
        Settings(allow_loopback_upstreams=True, upstream_transports={f"{provider.tls_url}/": way})
    )
    calls = [fetch(transport, ask(f"{provider.tls_url}/{number}")) for number in range(3)]

    assert [(200, b"ok")] * 3 == await asyncio.gather(*calls)
    assert (("DNS", "gateway.example"),) == named[0]["subjectAltName"]
    await transport.aclose()


async def test_a_certificate_goes_to_no_other_origin(
    serve: Serve, authority: trustme.CA, files: Mapping[str, Path]
) -> None:
    """Not even to one at the same address, over connections that are there already."""
    certificates: list[Any] = []
    context = server_side(authority.issue_cert("127.0.0.1", "localhost"))
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(context)

    async def script(peer: Peer) -> None:
        certificates.append(peer.certificate)
        await answer_each(OK)(peer)

    provider = await serve(script, context)
    with_all = UpstreamTransport.model_validate({"client": "httpx", **files})
    only_trust = UpstreamTransport(client="httpx", ca_file=files["ca_file"])
    transport = transport_of(
        Settings(
            allow_loopback_upstreams=True,
            upstream_transport=only_trust,
            upstream_transports={provider.tls_url: with_all},
        )
    )

    assert (200, b"ok") == await fetch(transport, ask(provider.tls_url))
    assert (200, b"ok") == await fetch(transport, ask(f"https://localhost:{provider.port}"))
    assert [True, False] == [bool(certificate) for certificate in certificates]
    await transport.aclose()


async def test_a_private_authority_alone_is_trusted(
    serve: Serve, authority: trustme.CA, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    provider = await serve(answer_each(OK), server_side(authority.issue_cert("127.0.0.1")))
    transport = transport_of(
        Settings(
            allow_loopback_upstreams=True,
            upstream_transport=UpstreamTransport(client="httpx", ca_file=other),
        )
    )

    with pytest.raises(UpstreamUnreachable, match="certificate"):
        await transport.send(ask(provider.tls_url))
    await transport.aclose()


async def test_a_file_that_went_away_is_told_without_its_path(files: Mapping[str, Path]) -> None:
    settings = Settings(upstream_transport=UpstreamTransport(ca_file=files["ca_file"]))
    files["ca_file"].unlink()

    with pytest.raises(UpstreamUnreachable, match="`ca_file`") as caught:
        await transport_of(settings).send(ask("https://a.example/"))

    assert str(files["ca_file"].parent) not in caught.value.message


async def test_calls_at_once_make_one_transport(
    files: Mapping[str, Path],
) -> None:
    choice = Choice(general={"ca_file": files["ca_file"]})
    sent = [choice.chooser.send(ask("https://a.example/")) for _ in range(5)]
    await asyncio.gather(*sent, return_exceptions=True)

    assert [5] == [len(made.urls) for made in choice.made.values()]
    assert 1 == len(choice.chooser._transports)


# Settings that cannot be used


def fault_of(settings: Mapping[str, Any]) -> str:
    with pytest.raises(ValueError, match="upstream_transport") as caught:
        Gateway(settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("api.example.com", "must be an origin"),
        ("https://api.example.com/v1", "must be an origin"),
        ("https://user:secret@api.example.com", "must be an origin"),
        ("wss://api.example.com", "http or https"),
        ("https://api.example.com:0", "host name"),
        ("https://api.example.com:77777", "host name"),
        ("https://0x7f.1", "host name"),
        ("https://-", "host name"),
    ],
)
def test_a_key_that_is_no_origin(key: str, words: str) -> None:
    said = fault_of({"upstream_transports": {key: "httpx"}})

    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "others",
    [("https://a.example", "https://A.example:443"), ("http://[::2]", "http://[0:0::2]:80/")],
)
def test_one_origin_in_two_spellings(others: tuple[str, str]) -> None:
    said = fault_of({"upstream_transports": dict.fromkeys(others, "httpx")})

    assert "same origin" in said or "twice" in said


@pytest.mark.parametrize("way", ["h3", {"client": "h2"}, {"clinet": "h1"}, 7, ["h1"]])
def test_a_transport_that_there_is_not(way: Any) -> None:
    fault_of({"upstream_transport": way})


def test_a_key_without_its_certificate(files: Mapping[str, Path]) -> None:
    said = fault_of({"upstream_transport": {"client_key": files["client_key"]}})

    assert "client_key needs its client_certificate" in said


def test_tls_files_for_an_origin_without_tls(files: Mapping[str, Path]) -> None:
    with pytest.raises(SettingsFault) as caught:
        Gateway({"upstream_transports": {"http://a.example": {"ca_file": files["ca_file"]}}})

    ((path, words),) = caught.value.faults
    assert ("upstream_transports", "http://a.example", "ca_file") == path
    assert "https://" in words


PRIVATE = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        ("ca_file", None, "cannot be read"),
        ("ca_file", b"", "no CA certificate"),
        ("ca_file", PRIVATE, "no CA certificate"),
        ("client_certificate", None, "cannot be read"),
        ("client_certificate", b"secret", "certificate in PEM"),
        ("client_key", None, "cannot be read"),
        ("client_key", PRIVATE, "private key"),
    ],
)
@pytest.mark.parametrize("place", ["all", "origin"])
def test_files_that_cannot_be_used_are_told_at_the_start(
    files: Mapping[str, Path], key: str, content: bytes | None, words: str, place: str
) -> None:
    if content is None:
        files[key].unlink()
    else:
        files[key].write_bytes(content)
    settings: dict[str, Any] = {"upstream_transport": files}
    path: tuple[str, ...] = ("upstream_transport",)
    if place == "origin":
        settings = {"upstream_transports": {"https://a.example": files}}
        path = ("upstream_transports", "https://a.example")

    with pytest.raises(SettingsFault) as caught:
        Gateway(settings)

    ((found, said),) = caught.value.faults
    assert found[: len(path)] == path
    assert found[-1] in (key, "client_certificate")
    assert words in said
    assert "secret" not in said


def test_a_key_with_a_password_asks_nobody(
    files: Mapping[str, Path], authority: trustme.CA
) -> None:
    """OpenSSL would ask at the terminal, and a server would hang there."""
    key = serialization.load_pem_private_key(files["client_key"].read_bytes(), None)
    files["client_key"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )

    assert "without a password" in fault_of({"upstream_transport": files})


def test_one_file_may_hold_certificate_and_key(files: Mapping[str, Path]) -> None:
    both = files["client_certificate"].read_bytes() + files["client_key"].read_bytes()
    files["client_certificate"].write_bytes(both)

    Gateway({"upstream_transport": {"client_certificate": str(files["client_certificate"])}})
