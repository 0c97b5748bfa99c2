"""A Django project in processes of its own, and those who call it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.wsgi.processes import ROOT, soon

__all__ = ["SERVERS", "Callers", "Project", "Told"]

WITHIN_S = 60
_BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]})

SERVERS: Mapping[str, tuple[str, ...]] = {
    "uvicorn": ("uvicorn", "tests.faults.database.apps:asgi_application", "--fd"),
    "gunicorn": (
        "gunicorn", "tests.faults.database.apps:wsgi_application", "--threads", "16", "--bind",
    ),
}  # fmt: skip
"""The words of each after `python -m`, up to the file descriptor to listen at."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller was told."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True)
class Project:
    """Its settings."""

    database: Mapping[str, Any]
    provider: str
    """The base URL of the fake provider."""

    def prepared(self, *names: str) -> list[str]:
        """Make the tables, and a key of each name; returns the secrets."""
        module = "tests.faults.database.prepare"
        told = subprocess.run(
            [sys.executable, "-m", module, *names],
            env=self._environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=WITHIN_S,
        )
        return told.stdout.split()

    @contextlib.contextmanager
    def served(self, server: str, log: Path) -> Iterator[int]:
        """Serve it until the context ends, then have it end well; yields the port."""
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
            number = listener.fileno()
            *words, option = SERVERS[server]
            words += [option, f"fd://{number}" if option == "--bind" else str(number)]
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                env=self._environment,
                cwd=ROOT,
                pass_fds=[number],
                stdout=output,
                stderr=output,
            )
            port = listener.getsockname()[1]
        try:
            yield port
            process.send_signal(signal.SIGTERM)
            assert process.wait(WITHIN_S) in (0, -signal.SIGTERM), log.read_text()
        finally:
            process.kill()
            process.wait()

    @property
    def _environment(self) -> dict[str, str]:
        gateway = {
            "ALLOW_LOOPBACK_UPSTREAMS": True,
            "DEFAULT_PROVIDER": "openai",
            "PROVIDERS": {"openai": {"BASE_URL": self.provider, "API_KEY": "sk-of-the-operator"}},
        }
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'integrations'}",
            "DJANGO_SETTINGS_MODULE": "tests.faults.database.settings",
            "DATABASE": json.dumps(self.database),
            "GATEWAY": json.dumps(gateway),
        }


@dataclass
class Callers:
    """Callers of one gateway, who note what they are told under the trace ids that they send."""

    port: int
    told: dict[str, Told] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, key: str) -> Told:
        """Ask for a chat once, over a connection of its own."""
        with contextlib.closing(self._connection()) as connection:
            return self._ask(connection, key)

    def hears(self, key: str, status: int) -> bool:
        """Ask until the answer has this status, for a while."""
        return soon(lambda: status == self.call(key).status, WITHIN_S)

    @contextlib.contextmanager
    def steady(self, key: str, number: int = 4, every_s: float = 0.1) -> Iterator[list[Told]]:
        """Have so many callers call all the time; yields what they are told."""
        stop = threading.Event()
        heard: list[Told] = []

        def run() -> None:
            with contextlib.closing(self._connection()) as connection:
                while not stop.wait(every_s):
                    heard.append(self._ask(connection, key))

        threads = [threading.Thread(target=run) for _ in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield heard
        finally:
            stop.set()
            for thread in threads:
                thread.join(WITHIN_S)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)

    def _ask(self, connection: http.client.HTTPConnection, key: str) -> Told:
        with self._lock:
            trace_id = f"call-{len(self.told)}"
            self.told[trace_id] = Told(0)  # nothing yet
        headers = {
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "x-llmgateway-trace-id": trace_id,
        }
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/llm/v1/chat/completions", _BODY, headers)
            answer = connection.getresponse()
            answer.read()
            self.told[trace_id] = Told(answer.status, answer.getheader("retry-after"))
        return self.told[trace_id]
