"""Many streams at once, and what is left behind when all their clients vanish (R6, R8)."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.http.client import Answer, Client, Sent, chat_request
from tests.http.clients import Bare, BareUvloop
from tests.http.clients.asgi import ASGIHost
from tests.http.conftest import CLIENT_KEY, Serve
from tests.http.loops import SOON_S
from tests.http.upstreams import (
    CONTENT,
    DONE,
    FINISH,
    LAST,
    ROLE,
    STAMP,
    STAY_OPEN,
    STREAM_HEAD,
    RawUpstream,
    Step,
    chunk,
    delta,
)

pytestmark = pytest.mark.parametrize("host", [Bare, BareUvloop], indirect=True)

FILES = 4096
"""Four for each of 500 streams, since all sides are in this process, and some to spare."""


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Allow as many open files as the tests need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"this machine allows {hard} open files; {FILES} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Held(NamedTuple):
    """What a process holds."""

    tasks: int
    files: int
    threads: int

    @classmethod
    def now(cls, client: Client) -> Held:
        """Count, on the loop that serves and in the whole process."""
        assert isinstance(client.host, ASGIHost)
        tasks = client.host.run(_count_tasks())
        return cls(tasks, len(os.listdir("/proc/self/fd")), threading.active_count())


async def _count_tasks() -> int:
    return len(asyncio.all_tasks())


def back_to(base: Held, client: Client) -> bool:
    """Tell whether no more is held than at the beginning; waits for what is being closed."""
    until = time.monotonic() + SOON_S
    while any(held > allowed for held, allowed in zip(Held.now(client), base, strict=True)):
        if time.monotonic() > until:
            return False
    return True


def request_bytes(raw: RawUpstream, trace_id: str, *, stream: bool = True) -> bytes:
    """Return a chat request to `raw` as it goes over the wire."""
    given = {"x-portkey-custom-host": raw.base, "x-portkey-trace-id": trace_id}
    method, path, fields, body = chat_request("fake", None, given, {"stream": stream})
    own = {"authorization": f"Bearer {CLIENT_KEY}", "content-length": str(len(body)), "host": "x"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**dict(fields), **own}.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


# ---- 200 clients that vanish

PHASES: dict[str, tuple[list[Step], bool, bytes]] = {
    "streaming": ([STREAM_HEAD, chunk(ROLE + CONTENT), STAY_OPEN], True, CONTENT),
    "before-content": ([STREAM_HEAD, chunk(ROLE), STAY_OPEN], True, b""),
    "json": ([STAY_OPEN], False, b""),
}


@pytest.mark.parametrize("phase", PHASES)
def test_200_clients_that_vanish_leave_nothing_behind(
    serve: Serve,
    raw: RawUpstream,
    phase: str,
    record_property: Callable[[str, object], None],
) -> None:
    client = serve()
    script, stream, awaited = PHASES[phase]
    raw.answers(*[script] * 200)
    client.chat()  # what is made once is made now
    base = Held.now(client)

    async def vanish() -> float:
        async def begin(number: int) -> asyncio.StreamWriter:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.host.port)
            writer.write(request_bytes(raw, f"vanish-{number}", stream=stream))
            if awaited:
                await reader.readuntil(awaited)
            return writer

        writers = await asyncio.gather(*map(begin, range(200)))
        await asyncio.to_thread(raw.peer, 199)
        await asyncio.to_thread(lambda: [peer.asked.wait(SOON_S) for peer in raw.peers])
        vanished_at = time.monotonic()
        for writer in writers:
            writer.transport.abort()
        return vanished_at

    vanished_at = asyncio.run(vanish())
    for _ in range(200):
        client.expect_vanished("POST", "/v1/chat/completions")
    assert all(peer.gone.wait(SOON_S) for peer in raw.peers)
    took_s = time.monotonic() - vanished_at
    record_property("all_closed_after_s", took_s)
    # R6 asks for 1 s, and 0.1 s is usual; a machine that others load too is given more.
    assert took_s < 2.0
    assert client.records.wait_for(201)
    assert client.host.wait_idle()
    assert back_to(base, client), (base, Held.now(client))
    assert {200, 499} == {record.status for record in client.records.new()}


# ---- 500 streams at once


def words(number: int) -> list[bytes]:
    """Return the 20 events of one stream, no two streams alike."""
    return [ROLE, *(delta(f"{number}·{n} ü€😀") for n in range(17)), FINISH, DONE]


class Timed(NamedTuple):
    """One stream as its reader saw it."""

    head: bytes
    data: bytes
    first_at: float

    def answer(self) -> Answer:
        """Return it as the suite's client would."""
        lines = [line.partition(b": ") for line in self.head.split(b"\r\n")[1:] if line]
        fields = tuple((name.decode().lower(), value.decode()) for name, _, value in lines)
        return Answer(200, fields, self.data)


async def read_stream(client: Client, raw: RawUpstream, number: int) -> Timed:
    """Ask for one stream and read it whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.host.port)
    writer.write(request_bytes(raw, f"many-{number}"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    body, first_at = b"", 0.0
    while size := int(await reader.readline(), 16):
        first_at = first_at or time.monotonic()
        body += (await reader.readexactly(size + 2))[:-2]
    writer.close()
    return Timed(head, body, first_at)


def test_500_streams_at_once_are_all_exact(
    serve: Serve, raw: RawUpstream, record_property: Callable[[str, object], None]
) -> None:
    client = serve()
    gate = raw.gate()
    # Which stream gets which words is for the upstream to say: by the order of arrival.
    contents = [words(number) for number in range(500)]
    for events in contents:
        pieces: list[Step] = [gate, STAMP, *(chunk(event) for event in events)]
        raw.answers([STREAM_HEAD, *pieces, LAST])
    client.chat()
    base = Held.now(client)

    async def read_all() -> list[Timed]:
        reading = [asyncio.create_task(read_stream(client, raw, n)) for n in range(500)]
        await asyncio.to_thread(raw.peer, 499)
        await asyncio.to_thread(lambda: [peer.asked.wait(SOON_S) for peer in raw.peers])
        gate.open()
        return await asyncio.gather(*reading)

    found = asyncio.run(read_all())
    client.sent += [Sent("POST", "/v1/chat/completions", timed.answer()) for timed in found]
    by_id = {peer.header("x-client-request-id"): peer for peer in raw.peers}
    delays = [
        timed.first_at - by_id[f"many-{number}"].stamped_at for number, timed in enumerate(found)
    ]

    assert sorted(b"".join(events) for events in contents) == sorted(timed.data for timed in found)
    assert back_to(base, client), (base, Held.now(client))
    held = f"median {statistics.median(delays):.3f} s, longest {max(delays):.3f} s"
    record_property("first event held", held)
    print(f"first event held: {held}")
