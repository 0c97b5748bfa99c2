"""Request framing on raw sockets: what can be read in two ways is refused whole (S5).

The strict client is h11. Runs on uvicorn's two HTTP implementations: httptools refuses most of
this by itself, h11 leaves some of it to the app.
"""

from __future__ import annotations

import socket
import time

import h11
import pytest

from tests.http.client import Client, chat_body, encode
from tests.http.clients import Bare, BareH11
from tests.http.conftest import CLIENT_KEY, Serve
from tests.http.loops import SOON_S
from tests.http.upstreams import FakeUpstream

HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
    f"Authorization: Bearer {CLIENT_KEY}\r\nx-portkey-provider: fake\r\n"
    "Content-Type: application/json\r\n"
).encode()
BODY = encode(chat_body())
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\nx-portkey-provider: fake\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
LISTED = b"Content-Length: %d, %d\r\nConnection: close\r\n" % (len(BODY), len(BODY))
CLOSING = LENGTH + b"Connection: close\r\n"

pytestmark = pytest.mark.parametrize(
    "host", [Bare, BareH11], indirect=True, ids=["httptools", "h11"]
)


def exchange(
    client: Client, data: bytes, *, half_close: bool = False
) -> list[tuple[int, dict[str, str]]]:
    """Send these bytes and return the answers that a strict parser finds."""
    received = b""
    with socket.create_connection(("127.0.0.1", client.host.port), timeout=SOON_S) as sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        try:
            while piece := sock.recv(2**16):
                received += piece
        except ConnectionResetError:
            pass
    return list(parse(received))


def parse(data: bytes) -> list[tuple[int, dict[str, str]]]:
    """Read answers strictly; raises for anything that is none."""
    answers = []
    while data:
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(data)
        head = parser.next_event()
        assert isinstance(head, h11.Response)
        fields = {name.decode(): value.decode() for name, value in head.headers}
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                parser.receive_data(b"")  # an answer may end with its connection
        answers.append((head.status_code, fields))
        data = parser.trailing_data[0]
    return answers


def expect(client: Client, answers: list[tuple[int, dict[str, str]]]) -> None:
    """Tell the ledger of the answers that the gateway itself has given."""
    for status, fields in answers:
        if "x-llmgateway-trace-id" in fields or "x-portkey-trace-id" in fields:
            client.expect_record(status, fields)
        else:
            client.may_be_cut_short += 1


AMBIGUOUS = [
    pytest.param(HEAD + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED, id="cl-and-te"),
    pytest.param(
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        id="short-cl-and-te",
    ),
    pytest.param(HEAD + LENGTH + b"Content-Length: 4\r\n\r\n" + BODY, id="two-lengths"),
    pytest.param(HEAD + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY, id="plus"),
    pytest.param(HEAD + b"Content-Length: 0x%x\r\n\r\n" % len(BODY) + BODY, id="hex"),
    pytest.param(HEAD + b"Content-Length: -1\r\n\r\n" + BODY, id="negative"),
    pytest.param(HEAD + b"Content-Length: \r\n\r\n" + BODY, id="empty-length"),
    pytest.param(HEAD + b"Content-Length: 1 0\r\n\r\n" + BODY, id="spaces"),
    pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED, id="te-gzip"),
    pytest.param(
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKED, id="te-not-last"
    ),
    pytest.param(HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED, id="te-unknown"),
    pytest.param(HEAD + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKED, id="te-identity"),
    pytest.param(HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + CHUNKED, id="te-vertical-tab"),
    pytest.param(HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKED, id="te-space"),
    pytest.param(
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        id="te-twice",
    ),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + CHUNKED, id="chunk-size"),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + CHUNKED, id="chunk-negative"),
    pytest.param(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n" + BODY,
        id="chunk-overflow",
    ),
    pytest.param(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%bXX0\r\n\r\n" % (len(BODY), BODY),
        id="chunk-without-end",
    ),
    pytest.param(HEAD + LENGTH + b"X\x00A: 1\r\n\r\n" + BODY, id="nul-in-name"),
    pytest.param(HEAD + LENGTH + b"X-A: a\x00b\r\n\r\n" + BODY, id="nul-in-value"),
    pytest.param(HEAD + LENGTH + b"X-A: a\rb\r\n\r\n" + BODY, id="bare-cr"),
    pytest.param(HEAD + LENGTH + b": 1\r\n\r\n" + BODY, id="no-name"),
    pytest.param(HEAD + LENGTH + b"Host: y\r\n\r\n" + BODY, id="two-hosts"),
]


READ_IN_ONE_WAY = [
    pytest.param(HEAD + LENGTH + CLOSING + b"\r\n" + BODY, id="one-length-twice"),
    pytest.param(HEAD + LISTED + b"\r\n" + BODY, id="list"),
    pytest.param(HEAD + CLOSING + b"X-A: 1\r\n folded\r\n\r\n" + BODY, id="folded-line"),
]
"""What h11 takes and RFC 9112 lets it: it can be read in one way only."""


@pytest.mark.parametrize("data", READ_IN_ONE_WAY)
def test_what_can_be_read_in_one_way_is_one_request(
    serve: Serve, upstream: FakeUpstream, data: bytes
) -> None:
    client = serve()
    answers = exchange(client, data)
    expect(client, answers)

    assert [200 if client.host.name == "bare-h11" else 400] == [status for status, _ in answers]
    assert len(upstream.fake.requests) == (answers[0][0] == 200)


@pytest.mark.parametrize("data", AMBIGUOUS)
def test_an_ambiguous_request_is_refused_and_the_connection_closed(
    serve: Serve, upstream: FakeUpstream, data: bytes
) -> None:
    client = serve()
    answers = exchange(client, data + SMUGGLED)
    expect(client, answers)

    assert [400] == [status for status, _ in answers]
    assert "close" == answers[0][1]["connection"]
    assert [] == list(upstream.fake.requests)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD.replace(b"\r\n", b"\n") + CLOSING + b"\r\n" + BODY, id="head"),
        pytest.param(HEAD + b"X-A: 1\n" + CLOSING + b"\r\n" + BODY, id="line"),
    ],
)
def test_a_bare_line_feed_never_smuggles(serve: Serve, upstream: FakeUpstream, data: bytes) -> None:
    """h11 takes such heads, and nobody behind it can see that; httptools does not."""
    client = serve()
    answers = exchange(client, data)
    expect(client, answers)

    assert [200 if client.host.name == "bare-h11" else 400] == [status for status, _ in answers]
    assert len(upstream.fake.requests) == (answers[0][0] == 200)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD + LENGTH + b"\r\n" + BODY[:-5], id="length"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED[:-5], id="no-last-chunk"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED[:20], id="in-a-chunk"),
    ],
)
def test_a_body_that_breaks_off_is_never_relayed(
    serve: Serve, upstream: FakeUpstream, data: bytes
) -> None:
    client = serve()
    assert [] == exchange(client, data, half_close=True)
    client.expect_vanished("POST", "/v1/chat/completions")

    assert 499 == client.new_record().status
    assert [] == list(upstream.fake.requests)


def test_two_requests_on_one_connection_are_two(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve()
    one = HEAD + LENGTH + b"\r\n" + BODY
    two = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + CHUNKED
    answers = exchange(client, one + two)
    expect(client, answers)

    assert [200, 200] == [status for status, _ in answers]
    assert [BODY, BODY] == [received.body for received in upstream.fake.requests]


def test_a_body_of_a_get_is_not_taken_for_a_request(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve()
    head = HEAD.replace(b"POST /v1/chat/completions", b"GET /v1/models")
    data = head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED
    answers = exchange(client, data)
    expect(client, answers)

    assert [200] == [status for status, _ in answers]
    assert ["/v1/models"] == [received.path for received in upstream.fake.requests]


def test_a_head_that_dribbles_does_not_hold_up_others(serve: Serve) -> None:
    client = serve()
    socks = [socket.create_connection(("127.0.0.1", client.host.port)) for _ in range(200)]
    try:
        for sock in socks:
            sock.sendall(HEAD[:20])
        started = time.monotonic()
        assert 200 == client.chat().status
        assert time.monotonic() - started < SOON_S
    finally:
        for sock in socks:
            sock.close()
