"""The gateway inside of an app of the user's: the same settings, another way in.

Each is an app in a module of its own, in one process: under gunicorn's threaded worker, or under
uvicorn as it comes.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, util

from benchmarks.cells import Cell
from benchmarks.stacks import Command, Product, Site, write

__all__ = ["HOSTS", "Host"]

_THREADS = 320
"""A thread for each stream of the largest cell."""

_SETTINGS = """
import os
ONE = {{"base_url": "{origin}/v1", "api_key": "env:PROVIDER_KEY"}}
SETTINGS = {{
    "access": "keys",
    "allow_loopback_upstreams": True,
    "providers": {{"openai": ONE, "groq": ONE, "anthropic": ONE}},
    "client_keys": {{"client": "env:CLIENT_KEY"}},
    "config": {{
        "retry": {{"attempts": {attempts}}},
        "strategy": {{"mode": "fallback"}},
        "targets": [{{"provider": "openai"}}, {{"provider": "groq"}}],
    }},
}}
"""

_WSGI = """
from llmgateway import Gateway
from llmgateway_wsgi import GatewayWSGI
app = GatewayWSGI(Gateway(SETTINGS))
"""

_FLASK = """
from flask import Flask
from llmgateway_flask import LLMGateway
app = Flask(__name__)
app.config["LLMGATEWAY"] = SETTINGS
LLMGateway(app, front={front})
"""


_DJANGO = """
from benchmarks.django_project import configure
configure({{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}, {{}})
from django.core.{kind} import get_{kind}_application
from llmgateway import Gateway
from llmgateway.runtime import background_loop
from llmgateway_django import {kind}
from llmgateway_django.gateway import Serving, gateway
# Records in memory, as the others have them.
gateway._serving = Serving.around(Gateway(SETTINGS), background_loop())
app = {app}
"""

_DJANGO_LOG = """
import atexit, contextlib, pathlib, signal, sys
from benchmarks.django_project import project_with
lasting = contextlib.ExitStack()
lasting.enter_context(project_with("PostgreSQL", pathlib.Path("."), SETTINGS))
atexit.register(lasting.close)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn's own end would skip that
from django.core.asgi import get_asgi_application
from llmgateway_django import asgi
app = asgi.mount(get_asgi_application())
"""


@dataclass(frozen=True, slots=True)
class Host:
    """One way to mount the gateway."""

    name: str
    code: str
    """Of a module `app`, after the settings."""
    root: str
    needs: tuple[str, ...]
    """Packages, by the names they are imported and known by; the first is the server."""
    asks: int = 0
    """The port of a server that must answer on loopback, if there is one."""

    def version(self) -> str:
        """Name the host's parts."""
        return f"{self.name}: " + ", ".join(
            f"{name} {metadata.version(name)}" for name in self.needs
        )

    def is_installed(self) -> bool:
        """Tell whether all that it needs is here."""
        if any(util.find_spec(name) is None for name in self.needs):
            return False
        with socket.socket() as probe:
            return not self.asks or probe.connect_ex(("127.0.0.1", self.asks)) == 0

    def prepare(self, site: Site) -> Command:
        """Write the app."""
        settings = _SETTINGS.format(origin=site.origin, attempts=Product.attempts)
        write(site, "app.py", settings + self.code)
        words = [sys.executable, "-m", self.needs[0], "app:app", "--log-level", "warning"]
        return Command([*words, *_SERVERS[self.needs[0]](site.port)], Product.keys(site))

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes]:
        """Ask as the server of its own is asked."""
        return Product().request(cell, site)


def _gunicorn(port: int) -> list[str]:
    words = ["--worker-class", "gthread", "--threads", str(_THREADS)]
    words += ["--keep-alive", "60", "--worker-connections", "2000"]
    return [*words, "--bind", f"127.0.0.1:{port}"]


def _uvicorn(port: int) -> list[str]:
    words = ["--no-access-log", "--no-proxy-headers", "--no-server-header"]
    return [*words, "--port", str(port)]


_SERVERS = {"gunicorn": _gunicorn, "uvicorn": _uvicorn}


def _django(name: str, kind: str, app: str) -> Host:
    server = {"asgi": "uvicorn", "wsgi": "gunicorn"}[kind]
    code = _DJANGO.format(kind=kind, app=app.format(f"get_{kind}_application()"))
    return Host(name, code, "/llm", (server, "django"))


_GUNICORN = ("gunicorn",)

HOSTS = (
    Host("wsgi", _WSGI, "", _GUNICORN),
    Host("flask-front", _FLASK.format(front=True), "/llm", (*_GUNICORN, "flask")),
    Host("flask", _FLASK.format(front=False), "/llm", (*_GUNICORN, "flask")),
    _django("django-front", "asgi", "asgi.mount({})"),
    _django("django", "asgi", "{}"),
    _django("django-wsgi-front", "wsgi", "wsgi.mount({})"),
    _django("django-wsgi", "wsgi", "{}"),
    Host("django-log", _DJANGO_LOG, "/llm", ("uvicorn", "django", "psycopg", "pymysql"), asks=5432),
)
