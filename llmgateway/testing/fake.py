"""A provider that is not one: it speaks OpenAI's format, always says the same, fails on request.

An ASGI app without a framework, for tests, demos and benchmarks. It needs no key, keeps all in
memory, and writes down what it was asked in `FakeProvider.requests`. What a model's name may
make it do stands in `script.PARTS`; an endpoint without a model takes the same words from its
query: `?fake=503-once`.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from llmgateway.testing import chat, media, responses, vectors
from llmgateway.testing.answers import (
    CREATED,
    SCRIPTED,
    Answer,
    FakeError,
    Stream,
    as_json,
    listing,
)
from llmgateway.testing.exchange import (
    ClientGone,
    Exchange,
    Message,
    Receive,
    Received,
    Send,
    Sleep,
)
from llmgateway.testing.multipart import FormReader, Upload
from llmgateway.testing.script import PARTS, Attempts, Script, read_script
from llmgateway.testing.shelf import Shelf
from llmgateway.types import JSON
from llmgateway.types.http import Headers

__all__ = ["CALL_ID_HEADER", "FakeProvider"]

CALL_ID_HEADER = "x-client-request-id"
"""In it the gateway sends an id that all tries of one call share; it tells them apart."""
MAX_BODY_BYTES = 64 * 2**20
"""A body that is no form may be this long."""

_HTML = (
    b"<!doctype html>\n<title>Bad gateway</title>\n<p>This page stands for a proxy's own words.\n"
)


@dataclass(slots=True)
class _Request:
    """A request once its body has been read."""

    received: Received
    raw: bytes = b""
    """Empty for a form."""
    fields: dict[str, str] = field(default_factory=dict)
    files: list[Upload] = field(default_factory=list)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.received.query, keep_blank_values=True))

    @property
    def body(self) -> JSON:
        """The body as a JSON object; raises `FakeError`."""
        try:
            body = orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            raise FakeError(400, "We could not parse the JSON body of your request.") from None
        if not isinstance(body, dict):
            raise FakeError(400, "The body of your request must be a JSON object.")
        return body

    @property
    def model(self) -> str | None:
        try:
            model = self.body.get("model") if self.raw else self.fields.get("model")
        except FakeError:
            return None
        return model if isinstance(model, str) else None


_Handler = Callable[[_Request, Script, str], Answer | Stream]


class FakeProvider:
    """The ASGI app. One object has one log, one set of files and one count of attempts."""

    def __init__(self, *, sleep: Sleep = asyncio.sleep, kept_requests: int = 1000) -> None:
        self.requests: deque[Received] = deque(maxlen=kept_requests)
        """What was asked, the newest last."""
        self.attempts = Attempts()
        self.aliases: dict[str, str] = {}
        """Scripts by the names of models that have none: `{"gpt-4o-mini": "fake-503"}`."""
        self._arrivals = 0
        self._arrived = threading.Condition()
        self._sleep = sleep
        self._shelf = Shelf()
        self._routes = self._make_routes()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            received = self._log(_received(scope))
            try:
                async with Exchange(receive, send, received, self._sleep) as exchange:
                    await self._serve(exchange)
            except ClientGone:
                pass
        else:
            raise RuntimeError(f"the fake provider does not serve {scope['type']!r}")

    def _log(self, received: Received) -> Received:
        with self._arrived:
            self.requests.append(received)
            self._arrivals += 1
            self._arrived.notify_all()
        return received

    def wait_for_request(self, number: int, timeout_s: float = 5.0) -> bool:
        """Wait until so many requests have arrived in all; for tests in other threads.

        Returns False if they have not in time. A request counts when its head has been read.
        """
        with self._arrived:
            return self._arrived.wait_for(lambda: self._arrivals >= number, timeout_s)

    @property
    def arrivals(self) -> int:
        """How many requests have arrived in all, those that the log has forgotten too."""
        return self._arrivals

    async def _serve(self, exchange: Exchange) -> None:
        script = Script()
        try:
            request = await _read(exchange)
            script = self._script(request)
            if script.delay_s:
                await exchange.pause(script.delay_s)
            if script.fault == "hang":
                await exchange.pause(None)
            answer = self._spoiled(script) or self._route(request, script)
        except FakeError as error:
            answer = error.answer()
        if isinstance(answer, Stream):
            await exchange.stream(answer, script)
        else:
            await exchange.answer(answer, script)

    def _script(self, request: _Request) -> Script:
        name = request.received.model = request.model
        words = request.query.get("fake")
        if words is not None:
            name = f"fake-{words}"
        if name is None:
            return Script()
        name = self.aliases.get(name, name)
        call_id = request.received.headers.get(CALL_ID_HEADER) or ""
        return self.attempts.next(call_id, name, read_script(name))

    def _spoiled(self, script: Script) -> Answer | None:
        """Return the answer that a script puts in place of any other."""
        status = script.status or 200
        if script.fault == "html":
            return Answer(_HTML, status, "text/html; charset=utf-8", script.headers)
        if script.fault == "bad-json":
            return Answer(b'{"id": "broken", "choices": [{"ind', status, headers=script.headers)
        if script.fault == "empty":
            return Answer(b"", status, headers=script.headers)
        if script.status is not None:
            return FakeError(script.status, SCRIPTED, headers=script.headers).answer()
        return None

    def _route(self, request: _Request, script: Script) -> Answer | Stream:
        method, tail = request.received.method, _tail(request.received.path)
        for methods, pattern, handler in self._routes:
            match = pattern.fullmatch(tail)
            if match is not None and method in methods:
                answer = handler(request, script, match[1] if pattern.groups else "")
                if script.fault == "early-error" and isinstance(answer, Answer):
                    return as_json(FakeError(500, SCRIPTED).body())
                return answer
        return _echo(request)

    def _make_routes(self) -> list[tuple[str, re.Pattern[str], _Handler]]:
        shelf = self._shelf
        routes: list[tuple[str, str, _Handler]] = [
            ("POST", "/chat/completions", lambda r, s, _: chat.chat(r.body, s)),
            ("POST", "/completions", lambda r, s, _: chat.completions(r.body, s)),
            ("POST", "/embeddings", lambda r, s, _: vectors.embeddings(r.body, s)),
            ("POST", "/moderations", lambda r, s, _: vectors.moderations(r.body, s)),
            ("POST", "/images/generations", lambda r, s, _: media.images(r.body, s)),
            ("POST", "/images/edits", lambda r, s, _: media.edited_images(r.fields, r.files)),
            ("POST", "/images/variations", lambda r, s, _: media.edited_images(r.fields, r.files)),
            ("POST", "/audio/speech", lambda r, s, _: media.speech(r.body, s)),
            (
                "POST",
                "/audio/(?:transcriptions|translations)",
                lambda r, s, _: media.transcript(r.fields, r.files, s),
            ),
            ("GET", "/models", lambda r, s, _: _models()),
            ("GET", "/models/(.+)", lambda r, s, id_: as_json(_model(id_))),
            ("POST", "/responses", self._respond),
            ("GET", "/responses/([^/]+)", lambda r, s, id_: as_json(shelf.responses.get(id_))),
            ("DELETE", "/responses/([^/]+)", self._forget_response),
            ("GET", "/responses/([^/]+)/input_items", lambda r, s, id_: shelf.input_items(id_)),
            ("POST", "/files", lambda r, s, _: shelf.upload(r.fields, r.files)),
            ("GET", "/files", lambda r, s, _: shelf.list_files(r.query)),
            ("GET", "/files/([^/]+)", lambda r, s, id_: as_json(shelf.files.get(id_))),
            ("GET", "/files/([^/]+)/content", lambda r, s, id_: shelf.content(id_)),
            ("DELETE", "/files/([^/]+)", lambda r, s, id_: shelf.delete_file(id_)),
            ("POST", "/batches", lambda r, s, _: shelf.create_batch(r.body)),
            ("POST", "/fine_tuning/jobs", lambda r, s, _: shelf.create_job(r.body)),
        ]
        for path, box, cancelled in (
            ("/batches", shelf.batches, "cancelling"),
            ("/fine_tuning/jobs", shelf.jobs, "cancelled"),
        ):
            routes += _box_routes(shelf, path, box, cancelled)
        return [(methods, re.compile(pattern), handler) for methods, pattern, handler in routes]

    def _respond(self, request: _Request, script: Script, _: str) -> Answer | Stream:
        answer, response = responses.respond(request.body, script)
        if request.body.get("store") is not False:
            self._shelf.keep_response(response, responses.listed_items(request.body))
        return answer

    def _forget_response(self, request: _Request, script: Script, id_: str) -> Answer:
        self._shelf.forget_response(id_)
        return as_json({"id": id_, "object": "response", "deleted": True})


def _box_routes(
    shelf: Shelf, path: str, box: Any, cancelled: str
) -> list[tuple[str, str, _Handler]]:
    return [
        ("GET", path, lambda r, s, _: as_json(listing(box.all()))),
        ("GET", f"{path}/([^/]+)", lambda r, s, id_: as_json(box.get(id_))),
        ("POST", f"{path}/([^/]+)/cancel", lambda r, s, id_: shelf.cancel(box, id_, cancelled)),
    ]


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _received(scope: Message) -> Received:
    return Received(
        method=scope["method"],
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?")[0],
        query=scope["query_string"].decode("latin-1"),
        headers=Headers(scope["headers"]),
    )


async def _read(exchange: Exchange) -> _Request:
    """Read the body: a form is taken apart on its way, anything else is kept up to a limit."""
    received = exchange.received
    content_type = received.headers.get("content-type") or ""
    if content_type.lower().startswith("multipart/form-data"):
        form = FormReader(content_type)
        async for data in exchange.body():
            form.feed(data)
        form.close()
        return _Request(received, fields=form.fields, files=form.files)
    raw = bytearray()
    async for data in exchange.body():
        raw += data
        if len(raw) > MAX_BODY_BYTES:
            raise FakeError(413, "The body of your request is too long.")
    return _Request(received, raw=bytes(raw))


def _tail(path: str) -> str:
    """Return the path below `/v1`, or below whatever another provider has in its place."""
    _, mark, below = path.partition("/v1/")
    if mark:
        return f"/{below}"
    found = re.search(
        r"/(?:chat/completions|completions|embeddings|images/\w+|audio/\w+|models|responses)$", path
    )
    return found[0] if found else path


def _models() -> Answer:
    names = dict.fromkeys(["fake", *(part.example for part in PARTS)])
    return as_json(listing([_model(name) for name in names]))


def _model(name: str) -> JSON:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "fake"}


def _echo(request: _Request) -> Answer:
    """Answer what was asked, for every path that has no other answer; credentials stay unsaid."""
    received = request.received
    scheme, _, _ = (received.headers.get("authorization") or "").partition(" ")
    try:
        body: Any = request.body
    except FakeError:
        body = None
    return as_json(
        {
            "object": "echo",
            "method": received.method,
            "path": received.path,
            "query": received.query,
            "headers": [name.decode("latin-1") for name, _ in received.headers],
            "authorization_scheme": scheme or None,
            "body": body,
            "body_bytes": received.body_bytes,
            "body_sha256": received.body_sha256,
        }
    )
