"""Bodies whose client or socket does what no good one does."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import trustme

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop, BlockingBody
from llmgateway_wsgi import request_of
from llmgateway_wsgi.watch import Watch
from tests.scripted import ScriptedTransport, chat
from tests.wsgi.conftest import BODY, environ_of

SOON_S = 10


@pytest.fixture
def tls() -> Iterator[tuple[ssl.SSLSocket, socket.socket]]:
    """A server's end of TLS, and the bare socket of its client, past the handshake."""
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    ours, theirs = socket.socketpair()
    theirs.settimeout(SOON_S)
    ours.settimeout(SOON_S)
    wrapped: list[ssl.SSLSocket] = []
    server = threading.Thread(
        target=lambda: wrapped.append(serving.wrap_socket(ours, server_side=True))
    )
    server.start()
    client = trusting.wrap_socket(theirs, server_hostname="localhost")
    server.join()
    bare = socket.socket(fileno=client.detach())
    bare.settimeout(SOON_S)
    with wrapped[0], bare:
        yield wrapped[0], bare


def test_nothing_is_sent_in_the_clear_once_a_body_was_given_up(
    tls: tuple[ssl.SSLSocket, socket.socket],
) -> None:
    """A TLS socket that is shut down the usual way sends plain text from then on."""
    server, client = tls
    changes: dict[str, Any] = {"CONTENT_LENGTH": "100000", "gunicorn.socket": server}
    body = request_of(environ_of(**changes), 1).body
    assert isinstance(body, BlockingBody)
    assert body.interrupt is not None

    body.interrupt()
    assert b"" == server.recv(1)  # the read that waited has ended
    with suppress(ssl.SSLError):
        server.sendall(b"the answer")
    server.close()

    sent = b""
    while piece := client.recv(65536):
        sent += piece
    assert b"the answer" not in sent


@pytest.fixture
def tcp() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's end of a connection, with little room for what it has not read, and a client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        client = socket.create_connection(listener.getsockname(), SOON_S)
        server, _ = listener.accept()
    server.settimeout(SOON_S)
    with server, client:
        yield server, client


def send_until_held_up(client: socket.socket, for_s: float) -> None:
    """Send until the server's end has taken nothing for so long; raises once it is cut."""
    client.settimeout(for_s)
    with suppress(TimeoutError):
        while True:
            client.send(bytes(65536))


def test_a_client_whose_body_was_given_up_is_not_left_to_send_for_ever(
    tcp: tuple[socket.socket, socket.socket],
) -> None:
    """Closed as gunicorn does it: half, then what has come is read, then whole.

    The client's end believes that there is no room, and nobody is left to tell it otherwise.
    """
    server, client = tcp
    changes: dict[str, Any] = {"CONTENT_LENGTH": "99000000", "gunicorn.socket": server}
    body = request_of(environ_of(**changes), 1).body
    assert isinstance(body, BlockingBody)
    assert body.interrupt is not None

    body.interrupt()
    send_until_held_up(client, 0.1)
    server.sendall(b"the answer")
    server.shutdown(socket.SHUT_WR)
    while server.recv(65536):
        pass
    server.close()

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_until_held_up(client, SOON_S)
    assert b"the answer" == client.recv(100)


def test_a_short_body_has_a_time_for_all_of_it(gateway: Gateway, loop: BackgroundLoop) -> None:
    """Each byte comes in time, and yet it would take for ever."""
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def dribble() -> None:
        with suppress(OSError):
            while not over.wait(0.01):
                theirs.sendall(b" ")

    client = threading.Thread(target=dribble)
    client.start()
    with ours, theirs, ours.makefile("rb") as stream:
        changes: dict[str, Any] = {
            "CONTENT_LENGTH": "60000",
            "wsgi.input": stream,
            "gunicorn.socket": ours,
        }
        status = loop.handle(gateway, request_of(environ_of(**changes), 0.2)).status
        over.set()
        client.join()

    assert 408 == status


def test_a_body_that_is_there_costs_its_connection_nothing(
    gateway: Gateway, loop: BackgroundLoop, transport: ScriptedTransport
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        for _ in range(20):
            transport.steps.append(chat("Good day"))
            theirs.sendall(BODY)
            changes: dict[str, Any] = {"wsgi.input": stream, "gunicorn.socket": ours}
            assert 200 == loop.handle(gateway, request_of(environ_of(**changes), 5)).status


class Read:
    """A read that is overdue at once."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()

    def interrupt(self) -> None:
        """Note it."""
        self.interrupted.set()


def test_the_watch_goes_on_for_as_long_as_something_is_read() -> None:
    watch = Watch()
    late, early = Read(), Read()

    watch.begin(early, 60)
    assert watch.end(early)
    for _ in range(3):
        watch.begin(late, 0.001)
        assert late.interrupted.wait(SOON_S)
        assert not watch.end(late)
        late.interrupted.clear()
    assert not early.interrupted.is_set()


def test_a_child_leaves_its_parents_reads_alone() -> None:
    watch = Watch()
    of_parent = Read()
    watch.begin(of_parent, 60)

    watch.forget()

    assert not watch.end(of_parent)


class Closed:
    """A socket that the server has closed meanwhile."""

    def gettimeout(self) -> float | None:
        """Return what was set."""
        return None

    def settimeout(self, timeout: float | None) -> None:
        """Fail as sockets do."""
        raise OSError(9, "Bad file descriptor")


@pytest.mark.parametrize("length", [str(len(BODY)), "100000"])
def test_a_socket_that_is_gone_is_a_client_that_is_gone(
    gateway: Gateway, loop: BackgroundLoop, length: str
) -> None:
    changes: dict[str, Any] = {"CONTENT_LENGTH": length, "gunicorn.socket": Closed()}

    assert 499 == loop.handle(gateway, request_of(environ_of(**changes), 1)).status


@pytest.mark.parametrize("length", ["²", "9" * 5000, "5,5", "-1"])
def test_a_length_that_is_none_is_refused(
    gateway: Gateway, loop: BackgroundLoop, length: str
) -> None:
    """Not every server judges it before."""
    changes: dict[str, Any] = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO()}

    assert loop.handle(gateway, request_of(environ_of(**changes), 1)).status in (400, 413)
