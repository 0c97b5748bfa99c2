"""The gateway put together: settings, stores and transport in, requests answered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

from llmgateway.engine.authorize import Authenticate, Authorizer
from llmgateway.engine.check import SettingsFault, check_settings
from llmgateway.engine.compile import Compiler
from llmgateway.engine.demands import Guardrails
from llmgateway.engine.live import LiveStreams
from llmgateway.engine.masks import masks_every_request
from llmgateway.engine.pipeline import Engine
from llmgateway.engine.recorder import Recorder
from llmgateway.engine.room import LateRoom
from llmgateway.engine.world import World
from llmgateway.guardrails import known
from llmgateway.http.app import App
from llmgateway.http.calls import Reader
from llmgateway.http.tries import FailedTries
from llmgateway.providers import Provider, builtin
from llmgateway.redaction import redacting_logger
from llmgateway.settings import Settings, resolve_environment
from llmgateway.stores import (
    Documents,
    KeyStore,
    MemoryDocuments,
    MemoryKeyStore,
    MemoryRecords,
    Records,
    StoredKey,
)
from llmgateway.transport.base import Transport
from llmgateway.transport.choice import transport_of
from llmgateway.transport.perloop import PerLoop
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest, HTTPResponse

logger = redacting_logger(__name__)

FLUSH_S = 5.0
"""How long the end waits for a log store, which may be away for minutes."""


class Gateway:
    """A gateway, ready to be mounted or called.

    `settings` is a `Settings`, or a mapping that becomes one; there `env:NAME` stands for the
    value of an environment variable. `keys`, `documents` and `records` default to stores in
    memory, `keys` filled from the settings. `providers` are rows beyond the built-in ones.
    `authenticate` is the host's own judgement of who calls. `transport` makes the transport of an
    event loop, and `world` holds clocks and chance; both are for tests.

    Raises `ValueError` for settings that cannot be used: a `pydantic.ValidationError`, or a
    `SettingsFault` with every fault that only the provider rows could tell.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any] | None = None,
        *,
        keys: KeyStore | None = None,
        documents: Documents | None = None,
        records: Records | None = None,
        providers: Iterable[Provider] = (),
        authenticate: Authenticate | None = None,
        transport: Callable[[], Transport] | None = None,
        world: World | None = None,
    ) -> None:
        self.settings = settings_of(settings)
        self.registry = builtin().discover().with_rows(providers)
        if faults := check_settings(self.settings, self.registry)[0]:
            raise SettingsFault(faults)
        self.records = MemoryRecords() if records is None else records
        new_transport = transport or self._http_transport
        self._transports = PerLoop(lambda loop: new_transport())
        found = world or World(transport=self._transport)
        self._world = replace(found, transport=self._transport)
        documents = documents or MemoryDocuments()
        keys = keys or keys_of(self.settings)
        compiler = Compiler(
            self.registry,
            self.settings,
            documents,
            Guardrails(known, self.settings, documents),
        )
        room = LateRoom(self.settings, self._world, compiler.plan_of_model)
        self.recorder = Recorder(
            self.records,
            self.settings.limits,
            self._world,
            log_bodies=self.settings.log_bodies,
            vaults=room().vaults if masks_every_request(self.settings, known) else None,
        )
        self._app = App(
            engine=Engine(self.settings, self._world, room),
            recorder=self.recorder,
            authorizer=Authorizer(self.settings, keys, authenticate),
            compiler=compiler,
            documents=documents,
            reader=Reader(self.registry),
            live=LiveStreams(keys),
            tries=FailedTries(self.settings, self._world.monotonic),
        )

    async def handle(
        self, request: HTTPRequest, principal: Principal | None = None
    ) -> HTTPResponse:
        """Answer one request. A caller that stops reading early closes the body's iterator."""
        return await self._app.handle(request, principal)

    def drain(self) -> None:
        """Refuse new requests with a 503 from now on; those under way go on."""
        self._app.draining = True

    async def aopen(self) -> Self:
        """Make the running loop's transport now rather than at the first request."""
        self._transport()
        return self

    async def aclose(self) -> None:
        """Store what is queued, within `FLUSH_S`, and close the running loop's connections."""
        try:
            async with asyncio.timeout(FLUSH_S):
                await self.recorder.flush()
        except TimeoutError:
            logger.error("The log store did not take all records before the gateway was closed.")
        transport = self._transports.pop(asyncio.get_running_loop())
        if transport is not None:
            await transport.aclose()

    async def __aenter__(self) -> Self:
        return await self.aopen()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _transport(self) -> Transport:
        return self._transports.get(asyncio.get_running_loop())

    def _http_transport(self) -> Transport:
        return transport_of(self.settings)


def settings_of(settings: Settings | Mapping[str, Any] | None) -> Settings:
    """Return settings; in a mapping, `env:NAME` stands for an environment variable's value."""
    if isinstance(settings, Settings):
        return settings
    return Settings.model_validate(resolve_environment(settings or {}, os.environ))


def keys_of(settings: Settings) -> KeyStore:
    """Return the client keys that the settings name."""
    return MemoryKeyStore(
        StoredKey(f"key:{name}", digest.get_secret_value())
        for name, digest in settings.client_keys.items()
    )
