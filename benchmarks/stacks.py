"""What is measured against what: how each stack is started and what a client has to send it.

All do the same job: take the client's key, put the provider's in its place, and pass the answer
back. A later host is one more class here.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from benchmarks.cells import Cell, Route

__all__ = ["Command", "Direct", "LiteLLM", "Nginx", "Portkey", "Product", "Site", "Stack", "write"]

CLIENT_KEY = "a-client-key-of-the-benchmark"
_ATTEMPTS = 2
_TEMPERATURE: dict[str, object] = {"temperature": 0.5}
_ASKED_MODEL = "model-of-the-client"
"""What the client names where the gateway has to write another one."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where one instance of a stack is to run."""

    folder: Path
    """Its own; for its files."""
    port: int
    upstream_port: int
    provider_key: str
    cells: Sequence[Cell]

    @property
    def origin(self) -> str:
        """The mock provider's."""
        return f"http://127.0.0.1:{self.upstream_port}"


@dataclass(frozen=True, slots=True)
class Command:
    """How a stack is started."""

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside PATH, HOME and LANG."""


class Stack(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str:
        """What the command line calls it."""

    @property
    def root(self) -> str:
        """The path that the API's own paths stand below."""

    def version(self) -> str:
        """Return what exactly it is, for the table's head; empty: there is nothing to tell."""

    def prepare(self, site: Site) -> Command | None:
        """Write its files and return how it is started; None: it is the upstream itself."""

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes] | None:
        """Return the headers and the body of a cell's request; None: it cannot do that."""


class Direct:
    """No gateway: what the load generator and the mock provider can do by themselves."""

    name = "direct"
    root = ""

    def version(self) -> str:
        """Tell nothing."""
        return ""

    def prepare(self, site: Site) -> None:
        """Start nothing."""

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes] | None:
        """Ask the provider with its own key."""
        if cell.route != "plain":
            return None
        return _bearer(site.provider_key), cell.body(cell.model)


_NGINX = """
daemon off; worker_processes 1; {user} pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 20m; client_body_buffer_size 256k;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s;
  keepalive_requests 1000000000; keepalive_timeout 3600s;
  map $http_authorization $provider_key {{ default ""; "Bearer {client}" "Bearer {provider}"; }}
  upstream provider {{
    server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      if ($provider_key = "") {{ return 401; }}
      proxy_pass http://provider; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header Authorization $provider_key;
    }}
  }}
}}
"""


class Nginx:
    """A reverse proxy of one worker that swaps the key and looks at nothing else."""

    name = "nginx"
    root = ""

    def version(self) -> str:
        """Ask it; it answers on stderr."""
        told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
        return told.stderr.strip().rpartition(" ")[2].replace("/", " ")

    def prepare(self, site: Site) -> Command:
        """Write nginx.conf."""
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        text = _NGINX.format(
            user=user,
            client=CLIENT_KEY,
            provider=site.provider_key,
            upstream_port=site.upstream_port,
            port=site.port,
        )
        path = write(site, "nginx.conf", text)
        return Command(["nginx", "-e", "stderr", "-p", str(site.folder), "-c", path])

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes] | None:
        """Ask with the client's key; nginx can change no body."""
        if cell.route != "plain":
            return None
        return _bearer(CLIENT_KEY), cell.body(cell.model)


class Product:
    """`llmgateway serve` as shipped: routing config, client keys, records; nothing is tuned."""

    name = "llmgateway"
    root = ""
    attempts = _ATTEMPTS

    def version(self) -> str:
        """Name it, and what it stands on."""
        parts = ("llmgateway", "uvicorn", "uvloop", "httptools", "orjson")
        found = ", ".join(f"{part} {metadata.version(part)}" for part in parts)
        return f"{found}, Python {platform.python_version()}"

    def prepare(self, site: Site) -> Command:
        """Write the server's file, whose config serves all cells that need no other."""
        providers = {
            "openai": f"{site.origin}/v1",
            "groq": f"{site.origin}/v1",
            "anthropic": f"{site.origin}/v1",
        }
        tables = "".join(
            f'[providers.{name}]\nbase_url = "{url}"\napi_key = "env:PROVIDER_KEY"\n'
            for name, url in providers.items()
        )
        text = (
            f'{tables}[client_keys]\nclient = "env:CLIENT_KEY"\n'
            f"[config.retry]\nattempts = {_ATTEMPTS}\n"
            '[config.strategy]\nmode = "fallback"\n'
            '[[config.targets]]\nprovider = "openai"\n'
            '[[config.targets]]\nprovider = "groq"\n'
        )
        path = write(site, "llmgateway.toml", text)
        serve = ["-m", "llmgateway", "serve", "--port", str(site.port), "--config", path]
        return Command([sys.executable, *serve], self.keys(site))

    @staticmethod
    def keys(site: Site) -> dict[str, str]:
        """Return the environment that the settings' keys are read from."""
        return {"PROVIDER_KEY": site.provider_key, "CLIENT_KEY": CLIENT_KEY}

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes]:
        """Ask with the client's key, and with a config of its own where the cell needs one."""
        headers = _bearer(CLIENT_KEY)
        if cell.route != "plain":
            headers["x-llmgateway-config"] = json.dumps(_config(cell.route, {}, {}))
        return headers, cell.body(_asked_model(cell))


@dataclass(frozen=True, slots=True)
class Portkey:
    """`@portkey-ai/gateway` from a folder where npm installed it."""

    folder: Path
    name: str = "portkey"
    root: str = ""

    def version(self) -> str:
        """Read what npm installed, and ask for Node's."""
        about = self.folder / "node_modules/@portkey-ai/gateway/package.json"
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        installed = json.loads(about.read_text(encoding="utf-8"))["version"]
        return f"portkey {installed}, Node {node.stdout.strip().removeprefix('v')}"

    def prepare(self, site: Site) -> Command:
        """Start it as its authors say for production."""
        script = self.folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
        words = ["node", str(script.resolve()), f"--port={site.port}", "--headless"]
        trusted = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
        return Command(words, {"NODE_ENV": "production", **trusted})

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes] | None:
        """Send the same config with each request: it has no other place for one."""
        own = {"api_key": site.provider_key, "custom_host": f"{site.origin}/v1"}
        headers = {"x-portkey-config": json.dumps(_config(cell.route, own, own))}
        return {**_bearer(CLIENT_KEY), **headers}, cell.body(_asked_model(cell))


@dataclass(frozen=True, slots=True)
class LiteLLM:
    """LiteLLM's proxy, one worker, without database and master key."""

    program: Path
    name: str = "litellm"
    root: str = ""

    def version(self) -> str:
        """Ask the interpreter beside it."""
        code = "import importlib.metadata; print(importlib.metadata.version('litellm'))"
        command = [str(self.program.absolute().parent / "python"), "-c", code]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        return f"litellm {told.stdout.strip()}"

    def prepare(self, site: Site) -> Command:
        """Write its config; JSON is YAML too."""
        models = [self._model(cell, site) for cell in site.cells]
        # A dict by name, since cells share models.
        settings = {
            "model_list": list({model["model_name"]: model for model in models}.values()),
            "router_settings": {"num_retries": _ATTEMPTS},
            # It spares the check of a key, which the others make.
            "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
        }
        path = write(site, "litellm.yaml", json.dumps(settings))
        words = [str(self.program.absolute()), "--config", path, "--num_workers", "1"]
        words += ["--host", "127.0.0.1", "--port", str(site.port), "--telemetry", "False"]
        return Command(words, {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"})

    def request(self, cell: Cell, site: Site) -> tuple[Mapping[str, str], bytes] | None:
        """Ask for the model that stands for the cell in its config."""
        return _bearer(CLIENT_KEY), cell.body(self._name_of(cell))

    def _name_of(self, cell: Cell) -> str:
        return cell.model if cell.route == "plain" else f"client-{cell.route}"

    def _model(self, cell: Cell, site: Site) -> dict[str, Any]:
        there = cell.route == "translated"
        params: dict[str, Any] = {
            "model": f"{'anthropic' if there else 'openai'}/{cell.model}",
            "api_base": site.origin if there else f"{site.origin}/v1",
            "api_key": site.provider_key,
        }
        if cell.route == "overridden":
            params |= _TEMPERATURE
        return {"model_name": self._name_of(cell), "litellm_params": params}


def _config(
    route: Route, own: Mapping[str, object], anthropic: Mapping[str, object]
) -> dict[str, Any]:
    """Return a routing config that does what a cell asks for, in Portkey's schema."""
    changes: dict[Route, dict[str, object]] = {
        "spliced": {"model": "bench-json"},
        "overridden": _TEMPERATURE,
    }
    targets: list[dict[str, object]] = [{"provider": "openai", **own}, {"provider": "groq", **own}]
    if route == "translated":
        targets = [{"provider": "anthropic", **anthropic}]
    config: dict[str, Any] = {
        "retry": {"attempts": _ATTEMPTS},
        "strategy": {"mode": "fallback"},
        "targets": targets,
    }
    return {**config, "override_params": changes[route]} if route in changes else config


def _asked_model(cell: Cell) -> str:
    return _ASKED_MODEL if cell.route == "spliced" else cell.model


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def write(site: Site, name: str, text: str) -> str:
    """Write a file of a stack's own; return its path."""
    path = site.folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)
