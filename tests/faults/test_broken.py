"""Providers that break HTTP, JSON or server-sent events, byte by byte (R3, S9)."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from tests.faults.conftest import QUICKLY_S, outcome
from tests.http.client import Answer, Client, encode
from tests.http.upstreams import (
    COMPLETION,
    CONTENT,
    DONE,
    FINISH,
    LAST,
    RESET,
    ROLE,
    STAY_OPEN,
    STREAM_HEAD,
    RawUpstream,
    Step,
    answer,
    chunk,
    delta,
    event,
    head,
)

GOOD = encode(COMPLETION)
JSON = "Content-Type: application/json\r\n"
OK = "HTTP/1.1 200 OK\r\n"


def ask(client: Client, raw: RawUpstream, *steps: Step, stream: bool = False) -> Answer:
    """Ask for a chat and see that it is answered quickly."""
    raw.answers(steps)
    started = time.monotonic()
    found = client.chat(headers={"x-portkey-custom-host": raw.base}, stream=stream)
    assert time.monotonic() - started < QUICKLY_S
    return found


def lines(text: str) -> bytes:
    return text.encode("latin-1")


BROKEN_HTTP: list[Any] = [
    pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n"], id="another-protocol"),
    pytest.param([b"\x16\x03\x01\x02\x00\x01"], id="tls"),
    pytest.param([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], id="http-2"),
    pytest.param([lines("HTTP/2.0 200 OK\r\n\r\n")], id="version-2"),
    pytest.param([lines("HTTP/1.1 OK\r\n\r\n")], id="no-status"),
    pytest.param([lines("HTTP/1.1 2000 OK\r\n\r\n")], id="long-status"),
    pytest.param([lines("HTTP/1.1 099 No\r\n\r\n")], id="low-status"),
    pytest.param([lines("HTTP/1.1 700 No\r\nContent-Length: 0\r\n\r\n")], id="high-status"),
    pytest.param([lines(OK + JSON)], id="cut-in-the-head"),
    pytest.param([lines(OK) + b"X: y\r\n" * 20_000], id="endless-head"),
    pytest.param([lines(OK) + b"X" * 100_000], id="endless-line-in-the-head"),
    pytest.param([lines(OK + "no colon here\r\n\r\n")], id="no-colon"),
    pytest.param([lines(OK + "Content-Length: abc\r\n\r\n") + GOOD], id="length-in-letters"),
    pytest.param([lines(OK + "Content-Length: -5\r\n\r\n") + GOOD], id="length-negative"),
    pytest.param([lines(OK + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n") + GOOD], id="two"),
    pytest.param([lines(OK + JSON + "Content-Length: 500\r\n\r\n") + GOOD], id="short-body"),
    pytest.param([lines(OK + JSON + "Content-Length: 50\r\n\r\n") + GOOD], id="long-body"),
    pytest.param([lines(OK + JSON + "Transfer-Encoding: chunked\r\n\r\n") + b"zz\r\n"], id="chunk"),
    pytest.param([lines(OK + JSON + "Transfer-Encoding: chunked\r\n\r\n") + chunk(GOOD)],
                 id="no-last-chunk"),
    pytest.param([lines(OK + JSON + "Transfer-Encoding: chunked\r\n\r\n") + b"fff\r\n" + GOOD],
                 id="short-chunk"),
    pytest.param([lines(OK + JSON + "Transfer-Encoding: gzip\r\n\r\n") + GOOD], id="te-gzip"),
    pytest.param([lines(OK + "X: a\x00b\r\n\r\n") + GOOD], id="nul-in-a-field"),
    pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" * 100], id="interim-without-end"),
    pytest.param([b"HTTP/1.1 101 Switching Protocols\r\n\r\n", STAY_OPEN], id="switching"),
    pytest.param([answer(b"123456789", content_encoding="gzip")], id="no-gzip"),
    pytest.param([answer(gzip.compress(b" " * 3_000_000), content_encoding="gzip")], id="bomb"),
    pytest.param([answer(gzip.compress(GOOD), content_encoding="x-unknown")], id="unknown-coding"),
    pytest.param([RESET], id="reset"),
    pytest.param([], id="goodbye"),
    pytest.param([STAY_OPEN], id="silence"),
    pytest.param([lines(OK), STAY_OPEN], id="silence-in-the-head"),
    pytest.param([head(content_length="99", content_type="application/json"), STAY_OPEN],
                 id="silence-in-the-body"),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("steps", BROKEN_HTTP)
def test_broken_http_is_told_quickly(
    client: Client, raw: RawUpstream, steps: list[Step], stream: bool
) -> None:
    found = ask(client, raw, *steps, stream=stream)

    assert "error" == outcome(found)
    assert found.status in (502, 503, 504)


@pytest.mark.parametrize("steps", BROKEN_HTTP)
def test_broken_http_falls_back(client: Client, raw: RawUpstream, steps: list[Step]) -> None:
    raw.answers(steps)
    target = {"provider": "fake", "custom_host": raw.base}
    config = {"strategy": {"mode": "fallback"}, "targets": [target, {"provider": "fake"}]}

    assert (200, "fake") == ((found := client.chat(config=config)).status, found.field("provider"))


ODD_BUT_FINE: list[Any] = [
    pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" + answer(GOOD)], id="interim"),
    pytest.param([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(GOOD)], id="hints"),
    pytest.param([lines("HTTP/1.0 200 OK\r\n" + JSON + "\r\n") + GOOD], id="http-1.0"),
    pytest.param(
        [lines("HTTP/1.1 200\r\n" + JSON + "Connection: close\r\n\r\n") + GOOD], id="bare"
    ),
    pytest.param([answer(gzip.compress(GOOD), content_encoding="gzip")], id="gzip-unasked"),
    pytest.param([*(bytes([byte]) for byte in answer(GOOD))], id="byte-by-byte"),
    pytest.param([answer(GOOD, content_type="text/plain")], id="text-plain"),
    pytest.param([answer(GOOD, content_type="")], id="no-type"),
]


@pytest.mark.parametrize("steps", ODD_BUT_FINE)
def test_odd_http_is_read(client: Client, raw: RawUpstream, steps: list[Step]) -> None:
    assert "relayed" == outcome(ask(client, raw, *steps), GOOD)


BROKEN_JSON = [
    pytest.param(b"", id="empty"),
    pytest.param(b"   ", id="blank"),
    pytest.param(GOOD[:-1], id="cut"),
    pytest.param(GOOD + b"}", id="trailing"),
    pytest.param(GOOD + GOOD, id="two"),
    pytest.param(GOOD.replace(b"3", b"NaN"), id="nan"),
    pytest.param(b"\xef\xbb\xbf" + GOOD, id="byte-order-mark"),
    pytest.param(GOOD.replace(b"Hi", b"\xff\xfe"), id="no-utf-8"),
    pytest.param(GOOD.replace(b"Hi", b"\x00"), id="control-character"),
    pytest.param(b"[" + GOOD + b"]", id="list"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"Hi"', id="text"),
    pytest.param(b"42", id="number"),
    pytest.param(b"{}", id="no-members"),
    pytest.param(b'{"choices": null}', id="no-choices"),
    pytest.param(b'{"choices": "Hi"}', id="choices-of-another-type"),
    pytest.param(b"[" * 100_000, id="deep"),
    pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, id="deep-and-closed"),
    pytest.param(b"<html><body>Bad gateway</body></html>", id="html"),
    pytest.param(b'{"error": {"message": "no"}}', id="error-inside"),
    pytest.param(b'{"a": "' + b"x" * 400_000 + b'"}', id="over-the-cap"),
    pytest.param(b"data: " + GOOD + b"\n\n", id="an-event"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("body", BROKEN_JSON)
def test_broken_json_is_told(client: Client, raw: RawUpstream, body: bytes, stream: bool) -> None:
    found = ask(client, raw, answer(body), stream=stream)

    assert "error" == outcome(found)
    assert 502 == found.status


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\n " + GOOD + b"\r\n", id="white-space"),
        pytest.param(GOOD.replace(b'"Hi"', b"null"), id="null-content"),
        pytest.param(b'{"choices": []}', id="no-choice"),
        pytest.param(b'{"choices": [1, null, "x", {}], "usage": "x"}', id="odd-choices"),
        pytest.param(GOOD[:-1] + b',"choices":[],"n":1e300,"m":' + b"9" * 99 + b"}", id="odd-rest"),
        pytest.param(GOOD.replace(b':3', b":-3").replace(b":2", b":2.5"), id="odd-usage"),
        pytest.param(GOOD.replace(b"Hi", b"\\ud800"), id="lone-surrogate-or-not"),
    ],
)  # fmt: skip
def test_odd_json_is_passed_or_told(client: Client, raw: RawUpstream, body: bytes) -> None:
    found = ask(client, raw, answer(body))

    assert outcome(found, body) in ("relayed", "error")
    assert found.status in (200, 502)


def sse(*pieces: bytes) -> list[Step]:
    return [STREAM_HEAD, *(chunk(piece) for piece in pieces if piece), LAST]


ENDLESS = [chunk(b": ping\n\n" * 100)] * 500
FAILS_BEFORE_CONTENT: list[Any] = [
    pytest.param(sse(b"hello\n\n"), id="no-field"),
    pytest.param(sse(b"data: hello\n\n"), id="no-json"),
    pytest.param(sse(b"data: null\n\n", b"data: [1]\n\n", b"data: 5\n\n"), id="no-object"),
    pytest.param(sse(b"data:\n\n" * 5), id="empty-data"),
    pytest.param(sse(b"\n\n\n\n"), id="blank-lines"),
    pytest.param(sse(b": ping\n\n" * 3), id="comments"),
    pytest.param(sse(b'data: {"choices": null}\n\n'), id="choices-null"),
    pytest.param(sse(b'data: {"choices": [null, 5]}\n\n'), id="choices-of-another-type"),
    pytest.param(sse(DONE), id="only-done"),
    pytest.param(sse(ROLE, DONE), id="role-and-done"),
    pytest.param(sse(CONTENT.replace(b"\n\n", b"")[:-1]), id="one-cut-event"),
    pytest.param(sse(b"data: " + b"x" * 200_000), id="endless-line"),
    pytest.param(sse(b"\xff\xfe\xfd\n\n"), id="no-utf-8"),
    pytest.param([head(content_type="text/event-stream"), RESET], id="reset-after-the-head"),
    pytest.param([STREAM_HEAD, chunk(ROLE), STAY_OPEN], id="silence-after-the-role"),
    pytest.param(sse(GOOD), id="json-as-a-stream"),
    pytest.param(sse(event({"error": {"message": "no"}})), id="error"),
    pytest.param(sse(b"event: error\ndata: no\n\n"), id="error-in-words"),
    pytest.param(sse(b"retry: 1\nid: 5\n\n"), id="other-fields"),
    pytest.param([answer(b"", 200, content_type="text/event-stream")], id="empty"),
]


@pytest.mark.parametrize("steps", FAILS_BEFORE_CONTENT)
def test_a_stream_without_content_is_told_as_an_error(
    client: Client, raw: RawUpstream, steps: list[Step]
) -> None:
    found = ask(client, raw, *steps, stream=True)

    assert "error" == outcome(found)
    assert found.status in (502, 504)


def test_endless_comments_go_out_and_end_as_a_cut(client: Client, raw: RawUpstream) -> None:
    """They pass the bound of what is held, and then they are what there is."""
    found = ask(client, raw, STREAM_HEAD, *ENDLESS, stream=True)

    assert "cut" == outcome(found)


CUT: list[Any] = [
    pytest.param([], id="goodbye"),
    pytest.param([RESET], id="reset"),
    pytest.param([STAY_OPEN], id="silence"),
    pytest.param([LAST], id="no-finish"),
    pytest.param([chunk(b"data: " + b"x" * 200_000)], id="endless-line"),
    pytest.param([chunk(b"data: hello\n\n" + b"\xff\xfe\n\n"), LAST], id="junk"),
    pytest.param([chunk(FINISH[:-9]), LAST], id="half-a-finish"),
    pytest.param([chunk(b'event: error\ndata: {"message": "no"}\n\n' + FINISH), LAST], id="error"),
    pytest.param([chunk(event({"error": {"message": "no"}}))], id="error-and-goodbye"),
    pytest.param([b"zz\r\n"], id="bad-chunk"),
]


@pytest.mark.parametrize("steps", CUT)
def test_a_stream_that_breaks_is_cut(client: Client, raw: RawUpstream, steps: list[Step]) -> None:
    gate = raw.gate()
    raw.answers([STREAM_HEAD, chunk(CONTENT), gate, *steps])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) as live:
        next(live.events())
        gate.open()
        started = time.monotonic()
        found = live.rest()

    assert time.monotonic() - started < QUICKLY_S
    assert found.body.startswith(CONTENT)
    assert not found.whole
    assert 1 == found.body.count(b'"error"') or b"event: error" in found.body


FINE: list[Any] = [
    pytest.param(sse(CONTENT + FINISH + DONE), id="plain"),
    pytest.param(sse(CONTENT + FINISH), id="no-done"),
    pytest.param(sse(CONTENT + FINISH + DONE + DONE), id="two-dones"),
    pytest.param(sse(CONTENT + FINISH + DONE + delta("late")), id="late-event"),
    pytest.param([STREAM_HEAD, chunk(CONTENT + FINISH + DONE)], id="no-last-chunk"),
    pytest.param(sse(b"id: 1\nretry: 5\n" + CONTENT + FINISH + DONE), id="other-fields"),
    pytest.param(sse((CONTENT + FINISH + DONE).replace(b"\n", b"\r\n")), id="crlf"),
    pytest.param(sse((CONTENT + FINISH + DONE).replace(b"data: ", b"data:")), id="no-space"),
    pytest.param(sse(b"\xef\xbb\xbf" + CONTENT + FINISH + DONE), id="byte-order-mark"),
    pytest.param(sse(b"data: hello\n\n" + CONTENT + FINISH + DONE), id="junk-first"),
    pytest.param(sse(CONTENT.replace(b'"index":0,', b"") + FINISH + DONE), id="no-index"),
    pytest.param(
        [head(content_type="text/event-stream"), CONTENT + FINISH + DONE], id="until-the-close"
    ),
    pytest.param(
        [answer(gzip.compress(CONTENT + FINISH + DONE), content_type="text/event-stream",
                content_encoding="gzip")], id="gzip",
    ),
]  # fmt: skip


@pytest.mark.parametrize("steps", FINE)
def test_an_odd_stream_that_ends_well_is_whole(
    client: Client, raw: RawUpstream, steps: list[Step]
) -> None:
    found = ask(client, raw, *steps, stream=True)

    assert "relayed" == outcome(found)
    assert b"[DONE]" in found.body
    assert b'"Hello"' in found.body
