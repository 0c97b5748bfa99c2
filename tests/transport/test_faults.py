"""What the layers below raise, and what the engine is told."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence

import httpcore
import pytest

from llmgateway.errors import (
    ConnectionLost,
    GatewayError,
    InvalidRequest,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmgateway.transport import faults
from llmgateway.transport.faults import Progress
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.httpcore_faults import FAULTS, translate
from llmgateway.transport.limits import Phase
from llmgateway.transport.url import Origin
from tests.transport.conftest import Kind
from tests.transport.provider import ask

ORIGIN = Origin("https", "api.example.com", 8443)


def progress(answered: bool = False, reused: bool = False) -> Progress:
    return Progress(ORIGIN, reused=reused, answered=answered)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ssl.SSLCertVerificationError("x"), UpstreamUnreachable),
        (ssl.SSLEOFError("x"), UpstreamUnreachable),
        (ssl.SSLError("x"), UpstreamUnreachable),
        (socket.gaierror(-2, "x"), UpstreamUnreachable),
        (ConnectionRefusedError("x"), UpstreamUnreachable),
        (ConnectionResetError("x"), UpstreamUnreachable),
        (TimeoutError("x"), UpstreamUnreachable),
        (OSError(113, "x"), UpstreamUnreachable),
        (httpcore.ReadError("x"), ConnectionLost),
        (httpcore.WriteError("x"), ConnectionLost),
        (httpcore.RemoteProtocolError("x"), ConnectionLost),
        (httpcore.WriteTimeout("x"), UpstreamTimeout),
        (httpcore.LocalProtocolError("x"), InvalidRequest),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, Exception) else it.__name__,
)
def test_each_fault_has_its_error(raised: Exception, told: type[GatewayError]) -> None:
    assert type(translate(raised, progress())) is told


@pytest.mark.parametrize(
    "raised", [httpcore.ReadError(), httpcore.WriteError(), httpcore.RemoteProtocolError()]
)
def test_a_fault_in_the_middle_of_an_answer_is_the_answers(raised: Exception) -> None:
    assert type(translate(raised, progress(answered=True))) is UpstreamProtocolError


@pytest.mark.parametrize("reused", [True, False])
def test_a_lost_connection_says_whether_it_was_used_before(reused: bool) -> None:
    error = translate(httpcore.ReadError(), progress(reused=reused))

    assert isinstance(error, ConnectionLost)
    assert error.reused is reused


@pytest.mark.parametrize(
    "raised", [asyncio.CancelledError(), ValueError(), UpstreamTimeout("x"), KeyboardInterrupt()]
)
def test_what_is_not_in_the_table_is_not_ours(raised: BaseException) -> None:
    assert translate(raised, progress()) is None


def test_every_exception_of_httpcore_that_can_reach_us_is_in_the_table() -> None:
    """The others: its own time limits, pool, proxies and connecting, none of which we use."""
    unused = {
        httpcore.ConnectError,
        httpcore.ConnectTimeout,
        httpcore.ConnectionNotAvailable,
        httpcore.NetworkError,
        httpcore.PoolTimeout,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.ReadTimeout,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
    }
    public = {getattr(httpcore, name) for name in httpcore.__all__ if name[0].isupper()}
    kinds = {kind for kind in public if isinstance(kind, type) and issubclass(kind, Exception)}

    assert kinds - unused == {kind for kind, _, _ in FAULTS if kind.__module__ == "httpcore"}


def test_what_holds_without_httpcore_is_a_part_of_the_table() -> None:
    assert faults.FAULTS == tuple(FAULTS)[: len(faults.FAULTS)]
    assert {"builtins", "socket", "ssl"} == {kind.__module__ for kind, _, _ in faults.FAULTS}


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row[0].__name__)
def test_a_message_names_the_host_and_says_what_to_do(
    row: tuple[type[BaseException], type[GatewayError], str], answered: bool
) -> None:
    error = translate(row[0]("sk-secret /etc/ssl"), progress(answered))

    assert error is not None
    assert "api.example.com:8443" in error.message or isinstance(error, InvalidRequest)
    assert not re.search(r"sk-secret|/etc|Error|Exception|httpcore|h11|\{|\}", error.message)


@pytest.mark.parametrize("phase", Phase)
def test_a_limit_names_the_host_and_its_setting(phase: Phase) -> None:
    assert "{host}" in phase.value
    assert re.search(r"`(connect_s|first_byte_s|idle_s|total_s)`", phase.value)


async def no_such_name(host: str, port: int) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def nowhere(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1", "127.0.0.2"]


async def broken(host: str, port: int) -> Sequence[str]:
    raise OSError(101, "Network is unreachable")


@pytest.mark.parametrize(
    ("resolver", "words"),
    [(no_such_name, "resolved"), (nowhere, "refused"), (broken, "No connection")],
)
async def test_a_place_that_is_not_there_is_unreachable(
    kind: Kind, resolver: object, words: str
) -> None:
    assert callable(resolver)
    transport = kind(AddressPolicy(allow_loopback=True), resolver=resolver)

    with pytest.raises(UpstreamUnreachable, match=words) as caught:
        await transport.send(ask("http://provider.example:1/path?key=secret"))

    assert isinstance(caught.value.__cause__, OSError)
    assert "provider.example:1" in caught.value.message
    assert "secret" not in caught.value.message
    assert (502, "upstream_unreachable") == (caught.value.status, caught.value.code)
    assert 0 == transport.in_use
