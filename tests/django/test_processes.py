"""Django under real servers: what arrives of large bodies, and what many streams leave behind."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pytest
from pytest_django import DjangoDbBlocker

from llmgateway.testing import FakeProvider
from llmgateway_django.keys import create_key
from llmgateway_django.models import RequestLog, Workspace
from tests.django.conftest import BODY, CHAT
from tests.django.project.routers import routed_to
from tests.django.servers import Kind, ServerProcess
from tests.http.upstreams import FakeUpstream
from tests.stores.servers import connected
from tests.wsgi.processes import soon

pytestmark = pytest.mark.matrix

KINDS: list[Kind] = ["gunicorn", "uvicorn", "uvicorn-front"]
ALIAS = "served"
MIB = 2**20
AT_ONCE = 64
REQUESTS = 1000
GROWING = 128
"""Streams at once that need more threads than a server may have."""
DATABASE_THREADS = 12
"""How many the stores may have beside what they have at first: started when a query is slow."""
DONE = b"data: [DONE]\n\n"
CHUNKS_END = b"\r\n0\r\n\r\n"


class Served(NamedTuple):
    """A server and the key that opens it."""

    process: ServerProcess
    secret: str

    def request(self, body: bytes) -> bytes:
        """Return a chat request as it goes over the wire."""
        head = (
            f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            f"authorization: Bearer {self.secret}\r\naccept-encoding: gzip, deflate\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def ask(self, body: bytes) -> bytes:
        """Return the whole answer to one request."""
        return asyncio.run(self.answer(body))

    async def answer(self, body: bytes) -> bytes:
        """Do as `ask`, beside others."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.process.port)
        writer.write(self.request(body))
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture(params=KINDS, scope="module")
def served(
    request: pytest.FixtureRequest,
    upstream: FakeUpstream,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Served]:
    """The project under each server, with a database of its own."""
    folder = tmp_path_factory.mktemp("served")
    llmgateway = {
        "ALLOW_LOOPBACK_UPSTREAMS": True,
        "DEFAULT_PROVIDER": "openai",
        "PROVIDERS": {"openai": {"BASE_URL": upstream.base, "API_KEY": "sk-of-the-operator"}},
    }
    kind = os.environ.get("LLMGATEWAY_TEST_DATABASE", "sqlite")
    with django_db_blocker.unblock(), connected(kind, ALIAS, folder) as database, routed_to(ALIAS):
        key = create_key(Workspace.objects.create(name="Served", slug="served"), "tests")
        process = ServerProcess(request.param, folder, database, llmgateway)
        try:
            yield Served(process, key.secret)
        finally:
            process.stop()
        assert "Traceback" not in process.log()


def test_a_large_image_arrives_whole(served: Served, fake: FakeProvider) -> None:
    """Django itself refuses bodies of more than 2.5 MB where its `body` is asked for."""
    image = base64.b64encode(os.urandom(4 * MIB)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
    body = orjson.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": [part]}]})
    assert len(body) > 5 * MIB

    assert served.ask(body).startswith(b"HTTP/1.1 200")
    (received,) = fake.requests
    assert hashlib.sha256(body).hexdigest() == received.body_sha256


class Held(NamedTuple):
    """What the process that serves holds."""

    files: int
    """Connections to clients, providers and the database among them."""
    threads: int
    tasks: int

    @classmethod
    def now(cls, process: ServerProcess) -> Held:
        """Count; the question about tasks is a task, too, the same one each time."""
        tasks = json.loads(process.get("/tasks"))["tasks"]
        proc = f"/proc/{process.worker}"
        return cls(len(os.listdir(f"{proc}/fd")), len(os.listdir(f"{proc}/task")), tasks)


async def streams(served: Served, number: int, at_once: int, model: str) -> Counter[bool]:
    """Ask for so many streams, some at once; returns how many ended well."""
    body = orjson.dumps({**BODY, "model": model, "stream": True})
    room = asyncio.Semaphore(at_once)

    async def one() -> bool:
        async with room:
            answer = await served.answer(body)
        return answer.startswith(b"HTTP/1.1 200") and DONE in answer

    return Counter(await asyncio.gather(*(one() for _ in range(number))))


def test_a_thousand_streams_leave_nothing_behind(served: Served) -> None:
    """Pools of threads grow to their size at first, and keep it; all else is given back."""
    quick = orjson.dumps({**BODY, "stream": True})
    assert served.ask(quick).endswith(DONE + CHUNKS_END)
    first = Held.now(served.process)
    grown = asyncio.run(streams(served, GROWING, GROWING, "fake-tokens-20-pace-20ms"))
    assert {True: GROWING} == grown
    threads = Held.now(served.process).threads + DATABASE_THREADS
    found = asyncio.run(streams(served, REQUESTS, AT_ONCE, "fake-tokens-20"))

    def is_back() -> bool:
        now = Held.now(served.process)
        return now.files <= first.files and now.threads <= threads and now.tasks <= first.tasks

    assert {True: REQUESTS} == found
    logged = RequestLog.objects.filter(stream=True)
    assert soon(lambda: 1 + GROWING + REQUESTS == logged.count())
    assert soon(is_back), (first, threads, Held.now(served.process))
