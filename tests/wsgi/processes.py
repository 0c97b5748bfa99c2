"""Real servers in processes of their own, and a provider that counts its open connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.examples.ports import reserved_port
from tests.http.loops import LoopThread

ROOT = Path(__file__).parents[2]
WITHIN_S = 15.0

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
JSON = (
    b'{"id":"c","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hello"}}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)


def soon(what: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    """Wait for what another process does."""
    until = time.monotonic() + within_s
    while not what():
        if time.monotonic() > until:
            return False
        threading.Event().wait(0.02)
    return True


class Provider(asyncio.Protocol):
    """By the model's name: one answer, an event every 50 ms, or events without a pause."""

    open: set[Provider] = set()
    """Those that stream."""
    all: set[Provider] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        Provider.all.add(self)
        self.data = b""
        self.sent = 0
        self.streams = False
        self.paused = False

    def data_received(self, data: bytes) -> None:
        """Answer a whole request."""
        self.data += data
        if not self.data.endswith(b"}"):
            return
        data, self.data = self.data, b""
        if b'"json"' in data:
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            self.transport.write(head % len(JSON) + JSON)
            return
        self.streams = True
        Provider.open.add(self)
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        self.event = EVENT % (b"x" * 4000 if b'"flood"' in data else b"x")
        self.flood() if b'"flood"' in data else self.pace()

    def pace(self) -> None:
        """Send an event, and again in a while."""
        if not self.transport.is_closing():
            self.transport.write(self.event)
            asyncio.get_running_loop().call_later(0.05, self.pace)

    def flood(self) -> None:
        """Send what the connection takes."""
        while not self.paused and not self.transport.is_closing():
            self.transport.write(self.event)
            self.sent += len(self.event)

    def pause_writing(self) -> None:
        """Hold on."""
        self.paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self.paused = False
        self.flood()

    def connection_lost(self, error: Exception | None) -> None:
        """Count it out."""
        Provider.open.discard(self)
        Provider.all.discard(self)


@contextlib.contextmanager
def provider() -> Iterator[int]:
    """Listen; yields the port."""
    thread = LoopThread("provider")

    async def listen() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)

    server = thread.run(listen())

    async def close() -> None:
        server.close()
        for each in list(Provider.all):
            each.transport.abort()

    yield server.sockets[0].getsockname()[1]
    thread.run(close())
    assert soon(lambda: not Provider.all)
    thread.close()


@dataclass
class Process:
    """A server that runs."""

    popen: subprocess.Popen[bytes]
    port: int
    records: Path
    log: Path

    def workers(self) -> list[int]:
        """Return who serves: the children, or the process itself."""
        tasks = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()] or [self.popen.pid]

    def held(self) -> tuple[int, int]:
        """Return the open files and the threads of the only worker."""
        (pid,) = self.workers()
        return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))

    def rss(self) -> int:
        """Return the bytes of memory of the only worker."""
        (pid,) = self.workers()
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096

    def statuses(self) -> list[int]:
        """Return the statuses of all records, each counted once."""
        if not self.records.exists():
            return []
        # The last line may be on its way.
        lines = self.records.read_text().rpartition("\n")[0].splitlines()
        rows = {row.split()[1]: row.split()[2] for row in lines}
        return [int(status) for status in rows.values()]

    def ask(self, model: str) -> socket.socket:
        """Send a request and return its connection."""
        streamed = b"false" if model == "json" else b"true"
        body = b'{"model":"%s","stream":%s,"messages":[]}' % (model.encode(), streamed)
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN_S)
        connection.sendall(
            b"POST /llm/v1/chat/completions HTTP/1.1\r\nhost: localhost:%d\r\n"
            b"content-type: application/json\r\nx-llmgateway-provider: openai\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (self.port, len(body), body)
        )
        return connection

    def whole(self, model: str = "json") -> bytes:
        """Send a request and return the whole answer."""
        with self.ask(model) as connection:
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def live(self, number: int, model: str = "pace") -> list[socket.socket]:
        """Return so many streams, each of which has begun."""
        connections = [self.ask(model) for _ in range(number)]
        for connection in connections:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert soon(lambda: len(Provider.open) == number)
        return connections

    def terminate(self) -> int:
        """Send a SIGTERM and return the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(WITHIN_S)


def vanish(connection: socket.socket) -> None:
    """Leave at once, without a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


GUNICORN = [
    "gunicorn", "tests.wsgi.served:app", "--config", "python:tests.wsgi.served",
    "--graceful-timeout", "4", "--threads", "80", "--worker-connections", "500",
    "--bind", "127.0.0.1:{port}",
]  # fmt: skip
SERVERS = {
    "gthread": [*GUNICORN, "--worker-class", "gthread"],
    "gevent": [*GUNICORN, "--worker-class", "gevent"],
    "waitress": ["tests.wsgi.served", "{port}"],
}


@contextlib.contextmanager
def serve(
    kind: str, folder: Path, upstream: int, *more: str, **environment: str
) -> Iterator[Process]:
    """Run a server, with the provider by name."""
    records, log = folder / "records", folder / "log"
    with reserved_port() as port, log.open("wb") as output:
        words = [word.format(port=port) for word in (*SERVERS[kind], *more)]
        popen = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'integrations'}",
                "TEST_UPSTREAM": f"http://localhost:{upstream}/v1",
                "TEST_RECORDS": str(records),
                **environment,
            },
            stdout=output,
            stderr=output,
        )
        process = Process(popen, port, records, log)
        try:
            assert soon(lambda: _answers(process)), log.read_text()
            yield process
        finally:
            popen.kill()
            popen.wait(WITHIN_S)


def _answers(process: Process) -> bool:
    try:
        return process.whole().startswith(b"HTTP/1.1 200")
    except OSError:
        return False
