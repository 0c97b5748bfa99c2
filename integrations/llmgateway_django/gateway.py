"""The process's gateway, made of the project's settings at its first use.

from llmgateway_django import gateway

answer = gateway.handle(request, gateway.principal_of(user))          # in sync code
answer = await gateway.ahandle(request, gateway.principal_of(user))   # in async code
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.core.signals import setting_changed

from llmgateway.errors import StoreUnavailable
from llmgateway.gateway import Gateway, keys_of
from llmgateway.runtime import BackgroundLoop, InlineLoop, Runtime, SyncResponse, background_loop
from llmgateway.stores import KeyStore, StoredKey
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest, HTTPResponse
from llmgateway_django.callers import asking, principal_of
from llmgateway_django.conf import KEY, Conf, conf_of_project
from llmgateway_django.database import DatabaseThreads, InlineDatabase
from llmgateway_django.stores import (
    DjangoDocuments,
    DjangoKeyStore,
    DjangoRecords,
    TellingRecords,
)
from llmgateway_wsgi import GatewayWSGI

__all__ = ["ProcessGateway", "Serving", "ahandle", "gateway", "handle", "principal_of"]


@dataclass(frozen=True, slots=True)
class Serving:
    """A gateway, and what runs it for code that blocks."""

    gateway: Gateway
    runtime: Runtime
    wsgi: GatewayWSGI

    @classmethod
    def around(cls, gateway: Gateway, runtime: Runtime) -> Serving:
        """Return what serves a ready gateway."""
        return cls(gateway, runtime, GatewayWSGI(gateway, runtime))

    def flush_at_end(self) -> None:
        """Leave no record behind where Django's handler is the server's app: it takes no lifespan
        events, so nobody tells when the server stops."""
        if isinstance(self.runtime, BackgroundLoop):
            self.runtime.flush_at_end(self.gateway)

    async def answer(
        self, request: HTTPRequest, principal: Principal | None = None
    ) -> HTTPResponse:
        """Answer a request on the running loop."""
        if not isinstance(self.runtime, InlineLoop):
            return await self.gateway.handle(request, principal)
        answer = await self.runtime.ahandle(self.gateway, request, principal)
        body = answer.body if isinstance(answer.body, bytes) else _Collected(answer)
        return HTTPResponse(answer.status, answer.headers, body)


_instead: ContextVar[Serving | None] = ContextVar("llmgateway_serving", default=None)


class ProcessGateway:
    """Holds the gateway; a change of `LLMGATEWAY` by `override_settings` makes another one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: Serving | None = None

    @property
    def serving(self) -> Serving:
        """What serves now."""
        serving = _instead.get() or self._serving
        if serving is None:
            with self._lock:
                serving = self._serving = self._serving or _made(conf_of_project())
        return serving

    def forget(self) -> None:
        """Have the next request make another of what the settings are then."""
        with self._lock:
            self._serving = None

    @contextmanager
    def using(self, serving: Serving) -> Iterator[None]:
        """Have another gateway serve what runs in this context: for tests."""
        token = _instead.set(serving)
        try:
            yield
        finally:
            _instead.reset(token)

    def handle(self, request: HTTPRequest, principal: Principal | None = None) -> SyncResponse:
        """Answer a request without HTTP, by the same policies and with the same record.

        `principal` is a caller that the project vouches for; without one the headers decide.
        A streamed body is an iterator of bytes; whoever takes it closes it.
        """
        serving = self.serving
        return serving.runtime.handle(serving.gateway, request, principal)

    async def ahandle(
        self, request: HTTPRequest, principal: Principal | None = None
    ) -> HTTPResponse:
        """Do as `handle`, on the running loop."""
        return await self.serving.answer(request, principal)


def _made(conf: Conf) -> Serving:
    inline = InlineDatabase() if conf.runtime == "inline" else None
    made = Gateway(
        conf.settings,
        keys=_Keys(keys_of(conf.settings), DjangoKeyStore(inline, conf.keeping)),
        documents=DjangoDocuments(inline, conf.keeping),
        records=TellingRecords(DjangoRecords(inline), inline),
        authenticate=asking(conf.authenticate, inline or _threads),
    )
    return Serving.around(made, background_loop() if inline is None else InlineLoop())


_threads = DatabaseThreads("callers", threads=4)


class _Keys:
    """The keys that the settings name, and those in the database."""

    def __init__(self, named: KeyStore, stored: KeyStore) -> None:
        self._named = named
        self._stored = stored

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the keys in force; the settings' own need no database."""
        found = await self._named.find(digests)
        known = {key.digest for key in found}
        others = [digest for digest in digests if digest not in known]
        if others:
            try:
                found = [*found, *await self._stored.find(others)]
            except StoreUnavailable:
                if not found:
                    raise
        return found


class _Collected:
    """A stream that is already here, for callers that await."""

    def __init__(self, answer: SyncResponse) -> None:
        self._body: Any = answer.body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._body:
            return bytes(piece)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Keep the rest back."""
        self._body.close()


gateway = ProcessGateway()
handle = gateway.handle
ahandle = gateway.ahandle


def _forget(*, setting: str, **_: Any) -> None:
    if setting == KEY:
        gateway.forget()


# Django sends it where tests override settings.
setting_changed.connect(_forget)
