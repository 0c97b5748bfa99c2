"""The project under real servers, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tests.wsgi.processes import ROOT, WITHIN_S, soon

Kind = Literal["gunicorn", "gunicorn-static", "uvicorn", "uvicorn-front"]

_UVICORN = ["uvicorn", "--fd", "{fd}", "--no-server-header", "--timeout-graceful-shutdown", "1"]
_GUNICORN = [
    "gunicorn", "--worker-class", "gthread", "--bind", "fd://{fd}",
    "--config", "python:tests.django.project.gunicorn",
]  # fmt: skip
_COMMANDS: Mapping[Kind, list[str]] = {
    "gunicorn": [*_GUNICORN, "tests.django.project.wsgi"],
    "gunicorn-static": [*_GUNICORN, "tests.django.project.wsgi:with_static()"],
    "uvicorn": [*_UVICORN, "tests.django.project.asgi:application"],
    "uvicorn-front": [*_UVICORN, "--factory", "tests.django.project.asgi:front"],
}
_START_S = 30.0


class ServerProcess:
    """A server, from its making until `stop`. `more` are folders for its path."""

    def __init__(
        self,
        kind: Kind,
        folder: Path,
        database: Mapping[str, Any],
        llmgateway: Mapping[str, Any],
        *more: Path,
    ) -> None:
        self._log = folder / f"{kind}.log"
        # Bound here, so that the port is nobody else's and requests wait for the server.
        with (
            socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
            self._log.open("wb") as output,
        ):
            self.port: int = listener.getsockname()[1]
            fd = listener.fileno()
            path = [ROOT, ROOT / "integrations", *more]
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *(word.format(fd=fd) for word in _COMMANDS[kind])],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(map(str, path)),
                    "TEST_DATABASE": json.dumps(database, default=str),
                    "TEST_LLMGATEWAY": json.dumps(llmgateway),
                },
                pass_fds=[fd],
                stdout=output,
                stderr=output,
            )
        if not soon(self._answers, _START_S) or not self.alive:
            self.stop()
            raise AssertionError(self.log())

    def log(self) -> str:
        """Return what it has written."""
        return self._log.read_text()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.popen.poll() is None

    @property
    def worker(self) -> int:
        """The process that serves: the only child, or it itself."""
        tasks = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        (pid,) = tasks.read_text().split() or [str(self.popen.pid)]
        return int(pid)

    def get(self, path: str) -> bytes:
        """Ask the project itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            data: bytes = answer.read()
            return data

    def begin_stop(self) -> None:
        """Send a SIGTERM."""
        self.popen.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait until it has ended."""
        self.begin_stop()
        try:
            self.popen.wait(WITHIN_S)
        finally:
            self.popen.kill()
            self.popen.wait(WITHIN_S)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/own"))
        except OSError:
            return not self.alive
