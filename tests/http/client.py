"""The one client of the suite: every answer it gets is judged, everything it sends is counted."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway import Gateway
from llmgateway.http.headers import LLMGATEWAY, PORTKEY
from llmgateway.stores import MemoryRecords
from llmgateway.types import JSON
from llmgateway.types.record import AttemptRecord, Record
from tests.http.clients.base import Host
from tests.http.loops import SOON_S
from tests.http.upstreams import FakeUpstream

Fields = Mapping[str, str | None] | Sequence[tuple[str, str | None]]

FORBIDDEN = {"set-cookie", "server", "alt-svc", "strict-transport-security"}
"""What no answer may have."""
GREETINGS = ("/", "/healthz")
"""Paths that leave no record: whoever watches over a server asks them all the time."""

NEVER_SENT = {"endpoint_not_supported", "address_refused", "upstream_unreachable"}
"""Errors of attempts that no provider has seen anything of."""
PERHAPS_SENT = {
    "invalid_request_error", "client_closed", "timeout_error", "request_timeout",
    "request_too_large", "upstream_timeout",
}  # fmt: skip
"""Errors of attempts that a provider may have seen or not."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    whole: bool = True
    """False: the connection was cut before the end of the body."""

    def header(self, name: str) -> str | None:
        """Return a field's value, or None; fails if it stands there twice."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} stands there {len(values)} times"
        return values[0] if values else None

    @property
    def families(self) -> set[str]:
        """The families of the gateway's own fields."""
        return {f for f in (PORTKEY, LLMGATEWAY) for name, _ in self.headers if name.startswith(f)}

    def field(self, name: str) -> str | None:
        """Return one of the gateway's own fields, by its name after the prefix."""
        (family,) = self.families
        return self.header(family + name)

    def json(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.body)

    @property
    def error(self) -> JSON:
        """The error object of the body."""
        error: JSON = self.json()["error"]
        return error

    @property
    def text(self) -> str:
        """The text of a whole chat answer."""
        text: str = self.json()["choices"][0]["message"]["content"]
        return text


@dataclass(eq=False)
class Sent:
    """A request that has left the client."""

    method: str
    path: str
    answer: Answer | None = None
    """None: nobody waited for it."""
    mounted: bool = False
    """Whether another app had it first, which may find nothing at odd paths by itself."""
    compressed: bool = False
    """Whether that app may have compressed the answer."""


class WatchedRecords(MemoryRecords):
    """Records that a test in another thread can wait for."""

    def __init__(self) -> None:
        super().__init__(limit=200_000)
        self._changed = threading.Condition()
        self._taken = 0

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep these records and tell of them."""
        await super().append(batch)
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, number: int) -> bool:
        """Wait until there are so many new ones."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.new()) >= number, SOON_S)

    def new(self) -> list[Record]:
        """Return those that came since the last `forget`."""
        return self.all()[self._taken :]

    def forget(self) -> None:
        """Count from here."""
        self._taken = len(self.all())


class Naps:
    """Sleeps for no time and keeps how long it should have been; or sleeps for ever."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.for_ever = False
        self.begun = threading.Event()

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.seconds.append(seconds)
        self.begun.set()
        if self.for_ever:
            await asyncio.Event().wait()


@dataclass
class Draws:
    """Gives the same number at each draw, until a test says otherwise."""

    number: float = 0.0

    def random(self) -> float:
        """Return the number."""
        return self.number


@dataclass(eq=False)
class Client:
    """Speaks to one gateway in one host."""

    host: Host
    gateway: Gateway
    records: WatchedRecords
    upstream: FakeUpstream
    naps: Naps
    draws: Draws
    defaults: dict[str, str] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    may_be_cut_short: int = 0
    """Requests that the server may have refused after the gateway had seen their head."""

    # ---- asking

    def request(
        self,
        method: str,
        path: str,
        headers: Fields = (),
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own and read its answer to the end."""
        with self.open(method, path, headers, body) as live:
            return live.rest()

    def open(
        self,
        method: str,
        path: str,
        headers: Fields = (),
        body: bytes | Iterable[bytes] | None = None,
    ) -> Live:
        """Send one request and read the head of its answer."""
        live = self.begin(method, path, headers, body)
        with live.gone_on_failure():
            live.read_head()
        return live

    def begin(
        self,
        method: str,
        path: str,
        headers: Fields = (),
        body: bytes | Iterable[bytes] | None = None,
    ) -> Live:
        """Send one request and wait for nothing."""
        sent = Sent(method, re.split("[?#]", path)[0], mounted=bool(self.host.prefix))
        self.sent.append(sent)
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=SOON_S)
        live = Live(sent, connection)
        given = self._with_defaults(headers)
        sent.compressed = ("accept-encoding", self.defaults.get("accept-encoding")) in given
        with live.gone_on_failure():
            _send(connection, method, self.host.prefix + path, given, body)
        return live

    def _with_defaults(self, headers: Fields) -> list[tuple[str, str]]:
        own = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        named = {name.lower() for name, _ in own}
        defaults = [(n, v) for n, v in self.defaults.items() if n not in named]
        return [*defaults, *((name, value) for name, value in own if value is not None)]

    def get(self, path: str, **headers: str | None) -> Answer:
        """Send a GET to the fake provider, unless the headers say otherwise."""
        return self.request("GET", path, fields(headers))

    def post(self, path: str, body: Any, **headers: str | None) -> Answer:
        """Post JSON to the fake provider, unless the headers say otherwise."""
        return self.request("POST", path, fields(headers), encode(body))

    def chat(
        self, model: str = "fake", *, config: Any = None, headers: Fields = (), **more: Any
    ) -> Answer:
        """Ask for a chat completion, of the fake provider if no config is given."""
        return self.request(*chat_request(model, config, headers, more))

    def open_chat(
        self, model: str = "fake", *, config: Any = None, headers: Fields = (), **more: Any
    ) -> Live:
        """Ask for a streamed chat completion and read the head of the answer."""
        return self.open(*chat_request(model, config, headers, {"stream": True, **more}))

    def beside(self, path: str) -> Answer:
        """Ask the host for what is not the gateway's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=SOON_S)
        with closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        return Answer(response.status, headers, body)

    def expect_record(self, status: int, headers: Mapping[str, str], path: str = "") -> None:
        """Add to the ledger an answer that came by another way than this client's."""
        answer = Answer(status, tuple(headers.items()))
        self.sent.append(Sent("", path, answer))

    def expect_vanished(self, method: str, path: str) -> None:
        """Add to the ledger a request whose sender left, sent by another way than this client's."""
        self.sent.append(Sent(method, path))

    # ---- settling

    def new_record(self) -> Record:
        """Return the only record since the test began."""
        assert self.records.wait_for(1)
        (record,) = self.records.new()
        return record

    def begin_test(self) -> None:
        """Forget what came before."""
        self.sent.clear()
        self.may_be_cut_short = 0
        self.naps.seconds.clear()
        self.naps.for_ever = False
        self.naps.begun.clear()
        self.draws.number = 0.0
        self.records.forget()
        self.host.taken = 0

    def settle(self) -> None:
        """Assert that each request has left exactly one record, and a true one."""
        expected = [sent for sent in self.sent if _leaves_record(sent)]
        assert self.records.wait_for(len(expected)), "a request left no record"
        assert self.host.wait_idle(), "a request is still being served"
        self.host.run(self.gateway.recorder.flush())
        records = self.records.new()
        surplus = len(records) - len(expected)
        assert 0 <= surplus <= self.may_be_cut_short, "a request left more than one record"
        assert 0 == self.gateway.recorder.dropped
        counts = self.upstream.counts()
        by_trace: dict[str, list[Record]] = {}
        for record in records:
            by_trace.setdefault(record.trace_id, []).append(record)
        for sent in expected:
            if sent.answer is not None:
                ours = by_trace.get(sent.answer.field("trace-id") or "")
                assert ours, "an answer's trace id is in no record"
                self._compare(sent, sent.answer, ours.pop(0), counts)
        left = [record for rest in by_trace.values() for record in rest]
        refused = {400} if self.may_be_cut_short else set()
        assert {499, *refused} >= {record.status for record in left}

    def _compare(
        self, sent: Sent, answer: Answer, record: Record, counts: Mapping[str, int]
    ) -> None:
        assert answer.status == record.status
        assert (sent.method, sent.path) in (("", ""), (record.method, record.path))
        assert (answer.whole and answer.status < 400) is (record.error is None), record.error
        if answer.field("gateway-exception") is None:
            assert answer.field("last-used-option-index") == record.target
            assert answer.field("provider") == record.provider
            _check_attempts(answer, record)
        rows = {attempt.provider for attempt in record.attempts}
        if all(self.gateway.registry[name].request_id_header for name in rows):
            seen = [a for a in record.attempts if a.error not in NEVER_SENT]
            sure = [a for a in seen if a.error not in PERHAPS_SENT]
            asked = counts.get(record.trace_id, 0)
            assert len(sure) <= asked <= len(seen), "attempts and requests differ"


def _leaves_record(sent: Sent) -> bool:
    return sent.answer is None or bool(sent.answer.families)


def _check_attempts(answer: Answer, record: Record) -> None:
    count = answer.field("retry-attempt-count")
    if record.target is None:
        return
    assert record.attempts
    last = record.attempts[-1]
    assert record.target == last.target
    tries = [a for a in record.attempts if a.target == record.target and not a.resent]
    assert count is not None
    assert len(tries) == int(count) + 1 or (count == "-1" and len(tries) > 0)
    _check_last(last, record)


def _check_last(last: AttemptRecord, record: Record) -> None:
    same = last.status == record.status
    hidden = last.status in (401, 403) and record.status == 502
    assert same or hidden, (last, record.status)


class Live:
    """An answer on its way. Leave it early, and the client is gone."""

    def __init__(self, sent: Sent, connection: http.client.HTTPConnection) -> None:
        self._sent = sent
        self._connection = connection
        self._response: http.client.HTTPResponse | None = None
        self._body = bytearray()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *error: object) -> None:
        self.vanish()

    def read_head(self) -> None:
        """Wait for the head of the answer."""
        self._response = self._connection.getresponse()

    @property
    def response(self) -> http.client.HTTPResponse:
        """The response, once its head has come."""
        assert self._response is not None
        return self._response

    def events(self) -> Iterator[bytes]:
        """Yield each event as it comes; an incomplete body ends it with an exception."""
        event = b""
        while line := self.response.readline():
            self._body += line
            event += line
            if line == b"\n":
                yield event
                event = b""

    def rest(self) -> Answer:
        """Read to the end and return the answer."""
        if self._response is None:
            self.read_head()
        whole = True
        try:
            while piece := self.response.read1(2**16):
                self._body += piece
        except (http.client.IncompleteRead, ConnectionResetError):
            whole = False
        raw = tuple((name.lower(), value) for name, value in self.response.getheaders())
        body = bytes(self._body)
        if self._sent.compressed and self.response.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answer = Answer(self.response.status, raw, body, whole and not self.response.length)
        self._sent.answer = answer
        self._connection.close()
        judge(self._sent, answer)
        return answer

    @contextmanager
    def gone_on_failure(self) -> Iterator[None]:
        """Vanish if what is done within fails: nobody has the answer then to leave it."""
        try:
            yield
        except BaseException:
            self.vanish()
            raise

    def half_close(self) -> None:
        """Send no more, but listen on."""
        self._connection.sock.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Be gone, whether the answer is whole or not."""
        if self._connection.sock is not None:
            linger = struct.pack("ii", 1, 0)
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if self._response is not None:
            self._response.close()
        self._connection.close()


def judge(sent: Sent, answer: Answer) -> None:
    """Assert what must be true of every answer."""
    names = {name for name, _ in answer.headers}
    assert not FORBIDDEN & names
    assert 500 != answer.status or "internal_error" != answer.error["code"]
    if not answer.families and (sent.path in GREETINGS or (sent.mounted and 404 == answer.status)):
        return
    trace_id = answer.field("trace-id")
    assert trace_id
    assert answer.header("x-request-id")
    assert "private, no-store" == answer.header("cache-control")
    if answer.status >= 400 and sent.method != "HEAD":
        assert "application/json" == answer.header("content-type")
        assert {"message", "type", "param", "code", "request_id"} <= answer.error.keys()
        assert trace_id == answer.error["request_id"]
        assert isinstance(answer.error["message"], str) and answer.error["message"]


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes | Iterable[bytes] | None,
) -> None:
    named = {name.lower() for name, _ in headers}
    connection.putrequest(method, target, skip_host="host" in named, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value.encode("latin-1"))
    chunked = body is not None and not isinstance(body, bytes) and "content-length" not in named
    if isinstance(body, bytes) and not {"content-length", "transfer-encoding"} & named:
        connection.putheader("content-length", str(len(body)))
    if chunked:
        connection.putheader("transfer-encoding", "chunked")
    try:
        connection.endheaders(body, encode_chunked=chunked)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has answered before it had all; the answer is there to be read


def fields(named: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return header fields from keywords, with the fake provider where none is named."""
    found = {name.replace("_", "-"): value for name, value in named.items()}
    if not any(name.endswith(("-provider", "-config")) for name in found):
        found["x-portkey-provider"] = "fake"
    return found


def encode(body: Any) -> bytes:
    """Return JSON, unless it is bytes already."""
    return body if isinstance(body, bytes) else orjson.dumps(body)


def chat_body(model: str = "fake", **more: Any) -> JSON:
    """Return the body of a short question."""
    return {"model": model, "messages": [{"role": "user", "content": "one two"}], **more}


def chat_request(
    model: str, config: Any, headers: Fields, more: JSON
) -> tuple[str, str, Fields, bytes]:
    """Return method, path, headers and body of a chat request."""
    given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    named = {name.lower() for name, _ in given}
    ours: list[tuple[str, str | None]]
    ours = [("content-type", "application/json")] if "content-type" not in named else []
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        ours.append(("x-portkey-config", text))
    elif not any(name.endswith(("-provider", "-config")) for name in named):
        ours.append(("x-portkey-provider", "fake"))
    return "POST", "/v1/chat/completions", [*ours, *given], encode(chat_body(model, **more))
