"""The extension: makes a gateway for each app out of its configuration, and serves it there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypedDict, Unpack

from flask import Flask

from llmgateway.engine.authorize import Authenticate
from llmgateway.engine.world import World
from llmgateway.gateway import Gateway
from llmgateway.providers import Provider, builtin
from llmgateway.runtime import InlineLoop, Runtime, background_loop
from llmgateway.stores import KeyStore, Records
from llmgateway.transport.base import Transport
from llmgateway_flask.callers import FlaskRuntime, answered
from llmgateway_flask.commands import commands
from llmgateway_flask.config import read_config
from llmgateway_flask.state import EXTENSION, FlaskGateway
from llmgateway_flask.view import blueprint
from llmgateway_wsgi import mount

__all__ = ["LLMGateway", "Parts"]


class Parts(TypedDict, total=False):
    """What else a `Gateway` is made of."""

    keys: KeyStore | None
    records: Records | None
    providers: Iterable[Provider]
    transport: Callable[[], Transport] | None
    world: World | None


class LLMGateway:
    """The Flask extension: one for any number of apps, of which it keeps none.

    Serves the gateway at `url_prefix`: by a blueprint, or with `front` before the app, which then
    sees nothing of these requests and costs them nothing. With None it is served nowhere, for
    apps that register a `blueprint()` themselves or only call `current_gateway`.

    `authenticate` says who calls, by the request's headers. It runs in the request's own thread,
    in an app context, and may block. It sees neither cookies nor session: a browser sends those
    for any page. Without a callable, or where it returns None, a client key is needed.
    """

    def __init__(
        self,
        app: Flask | None = None,
        url_prefix: str | None = "/llm",
        *,
        front: bool = False,
        authenticate: Authenticate | None = None,
        runtime: Runtime | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        self._url_prefix = url_prefix
        self._front = front
        self._authenticate = authenticate
        self._runtime = runtime
        self._parts = parts
        self._parts["providers"] = tuple(parts.get("providers", ()))
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, *, gateway: Gateway | None = None) -> None:
        """Give an app its gateway, made from `app.config` unless there is a ready one.

        Raises `SettingsFault` for settings that cannot be used, with their places.
        """
        if EXTENSION in app.extensions:
            raise RuntimeError(
                f"The app {app.name!r} has a gateway already: call init_app once for each app. "
                "For a second place register a `blueprint(name=…)` of the same gateway."
            )
        if gateway is None:
            ours = self._made(app)
        elif self._authenticate is None:
            ours = self._around(gateway, self._runtime or background_loop(), app)
        else:
            raise ValueError("A ready gateway has its own `authenticate`: hand it to `Gateway`.")
        app.extensions[EXTENSION] = ours
        app.cli.add_command(commands)
        if self._url_prefix is None:
            return
        if self._front:
            # Flask's docs have it so too, and an environment is a dict everywhere.
            behind: Any = app.wsgi_app
            front: Any = mount(behind, ours.gateway, self._url_prefix, ours.runtime)
            app.wsgi_app = front  # type: ignore[method-assign]
            ours.front_prefix = self._url_prefix
        else:
            app.register_blueprint(blueprint(), url_prefix=self._url_prefix)

    def _made(self, app: Flask) -> FlaskGateway:
        registry = builtin().discover().with_rows(self._parts["providers"])
        said = read_config(app.config, os.environ, registry)
        runtime = self._runtime
        if runtime is None:
            runtime = InlineLoop() if said.runtime == "inline" else background_loop()
        authenticate = None if self._authenticate is None else answered
        gateway = Gateway(said.settings, authenticate=authenticate, **self._parts)
        return self._around(gateway, runtime, app)

    def _around(self, gateway: Gateway, runtime: Runtime, app: Flask) -> FlaskGateway:
        return FlaskGateway(gateway, FlaskRuntime(runtime, app, self._authenticate))
