"""Runs the fenced blocks of one page, in order, as a reader would.

The rules, all of them:

- A block with a file's name after its language is written into the page's own folder.
- `bash` runs in that folder; `python` runs in one namespace for the whole page, or, with a file's
  name, as a program of its own; `json` is parsed and resolved as a routing config; `toml` is
  loaded as a server's config file. Every other language is for the eye only.
- An `output` block right after one of them is what that one prints; `…` stands for anything.
- `llmgateway serve`, `uvicorn app:app`, `flask run`, `gunicorn` and `python demo.py` are started
  and stay until the page ends, or until another one takes the port. Where a page starts none, a
  demo gateway is at port 8787.
- `lgw_…` in a program is the client key that was printed last.
- Ports of the text are other ones here, since those of the text may be taken.
- The providers of `moved` are at the fake provider's address, and `env:` finds a value.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest import mock

from llmgateway.cli.server_file import parse_server_file
from llmgateway.config import parse_config
from llmgateway.engine.resolve import resolve
from llmgateway.providers import builtin
from llmgateway.settings import Settings
from llmgateway.testing.server import serve_in_thread
from tests.cli.server_process import serving
from tests.docs.moved import moved_file
from tests.docs.pages import Block
from tests.examples.ports import reserved_port
from tests.guards.tree import ROOT

KEYS = {
    "OPENAI_API_KEY": "sk-of-openai-for-the-docs",
    "GROQ_API_KEY": "gsk-of-groq-for-the-docs",
    "AZURE_OPENAI_API_KEY": "key-of-azure-for-the-docs",
    "MY_APP_KEY": "a-client-key-for-the-docs",
    "OUR_PROXY": "http://user:password@proxy.example:3128",
}
DEFAULT_PORT = "8787"
_UVICORNS_PORT = "8000"
_FLASKS_PORT = "5000"
_FLASK_RUNS = re.compile(r"Running on (http://\S+)")
_DJANGOS_PORT = "8000"
_GUNICORNS_PORT = "8000"
_GUNICORN_RUNS = re.compile(r"Listening at: (http://\S+)")
_KEY = re.compile(r"\blgw_\w+")
_DJANGO_RUNS = re.compile(r"development server at (http://[^/\s]+)")
_PORT = re.compile(r"(?<=--port )\d{4}")
_CUT = 18
"""curl's exit code for a transfer that ended before its end: what pages on streams speak of."""
_ENDS_WITHIN_S = 30


class Stage:
    """What one page's blocks share: a folder, a namespace, servers and ports. Use it in `with`."""

    def __init__(self, folder: Path, demo_port: str, fake_address: str) -> None:
        self._folder = folder
        self._fake_address = fake_address
        self._ports = {DEFAULT_PORT: demo_port}
        self._namespace: dict[str, Any] = {"__name__": "__page__"}
        self._key = "lgw_…"
        self._servers: dict[str, contextlib.ExitStack] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in self._servers.values():
            server.close()
        # Here, where it is no fault of a test's that a page leaves its clients open.
        self._namespace.clear()
        gc.collect()

    def play(self, block: Block) -> str:
        """Run a block and return what it printed; raises `AssertionError` where it fails."""
        text = self.on_our_ports(block.text).replace("lgw_…", self._key)
        if block.label:
            (self._folder / block.label).write_text(text, encoding="utf-8")
        printed = self._played(text, block)
        if found := _KEY.search(printed):
            self._key = found[0]
        return printed

    def _played(self, text: str, block: Block) -> str:
        match block.language:
            case "python":
                return self._program(block.label) if block.label else self._python(text, block)
            case "bash":
                return self._bash(text.strip())
            case "json":
                resolve(parse_config(text), builtin(), Settings())
            case "toml":
                parse_server_file(text, block.place, KEYS, builtin())
        return ""

    def on_our_ports(self, text: str) -> str:
        """Return a text with the ports that the servers really have."""
        for written, real in self._ports.items():
            text = text.replace(f":{written}", f":{real}")
        return text

    def _python(self, text: str, block: Block) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, block.place, "exec"), self._namespace)  # noqa: S102 - our own docs
        return printed.getvalue()

    def _program(self, file: str) -> str:
        return self._run(
            [sys.executable, file], DJANGO_SETTINGS_MODULE="tests.docs.django_settings"
        )

    def _bash(self, text: str) -> str:
        words = shlex.split(text.replace("\\\n", " "), comments=True)
        if words[:2] == ["llmgateway", "serve"]:
            self._start(text, DEFAULT_PORT, self._gateway(words))
        elif "uvicorn" in words:
            self._start(text, _UVICORNS_PORT, self._app(words[: words.index("uvicorn")]))
        elif "flask" in words and words[-1] == "run":
            self._start(text, _FLASKS_PORT, self._process(f"{text} --port 0", _FLASK_RUNS))
        elif words == ["python", "demo.py"]:
            self._start(text, _DJANGOS_PORT, self._demo(text))
        elif words[:1] == ["gunicorn"]:
            self._start(text, _GUNICORNS_PORT, self._gunicorn(text))
        else:
            return self._run(["bash", "-euo", "pipefail", "-c", text])
        return ""

    def _run(self, command: list[str], **variables: str) -> str:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=_environment(**variables),
            capture_output=True,
            text=True,
            timeout=_ENDS_WITHIN_S,
            check=False,
        )
        assert done.returncode in (0, _CUT), done.stderr + done.stdout
        return done.stdout

    # ---- servers

    def _start(
        self, command: str, default_port: str, server: contextlib.AbstractContextManager[str]
    ) -> None:
        """Start a server in place of the one that has its port."""
        found = _PORT.search(command)
        written = found[0] if found else default_port
        if before := self._servers.pop(written, None):
            before.close()
        stack = self._servers[written] = contextlib.ExitStack()
        self._ports[written] = stack.enter_context(server).rpartition(":")[2]

    @contextlib.contextmanager
    def _gateway(self, words: list[str]) -> Iterator[str]:
        """Run `llmgateway serve` with the command's file, in which providers have been moved."""
        said = ""
        if "--config" in words:
            said = (self._folder / words[words.index("--config") + 1]).read_text(encoding="utf-8")
        config = self._folder / "moved.toml"
        config.write_text(moved_file(said, self._fake_address), encoding="utf-8")
        demo = ["--demo"] if "--demo" in words else []
        with serving("--config", str(config), *demo, **KEYS) as server:
            yield server.url

    @contextlib.contextmanager
    def _app(self, assignments: list[str]) -> Iterator[str]:
        """Serve `app.py`, made with variables such as `OPENAI_API_KEY=any`."""
        with mock.patch.dict(os.environ, dict(word.split("=", 1) for word in assignments)):
            app = runpy.run_path(str(self._folder / "app.py"))["app"]
        with serve_in_thread(app) as server:
            yield server.url

    @contextlib.contextmanager
    def _gunicorn(self, command: str) -> Iterator[str]:
        """Run gunicorn, with providers moved before it loads the project."""
        (self._folder / "moved.py").write_text(
            "import pytest\nfrom tests.docs.moved import move_in_process\n"
            f"move_in_process(pytest.MonkeyPatch(), {self._fake_address!r})\n",
            encoding="utf-8",
        )
        at_a_free_port = f"exec {command.strip()} --bind 127.0.0.1:0 --config moved.py"
        with self._process(at_a_free_port, _GUNICORN_RUNS) as url:
            yield url

    @contextlib.contextmanager
    def _demo(self, command: str) -> Iterator[str]:
        """Run a project's `demo.py`, which begins its own fake provider where no key is set."""
        with reserved_port() as port:
            server = self._process(f"unset OPENAI_API_KEY; exec {command} {port}", _DJANGO_RUNS)
            with server as url:
                yield url

    @contextlib.contextmanager
    def _process(self, command: str, runs: re.Pattern[str]) -> Iterator[str]:
        """Run a server as a reader does, once it has said where."""
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self._folder,
            env=_environment(PYTHONUNBUFFERED="1"),
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        said = ""
        try:
            for line in process.stdout:
                said += line
                if found := runs.search(line):
                    yield found[1]
                    return
            raise AssertionError(f"it did not start: {said}")
        finally:
            process.terminate()
            process.communicate(timeout=_ENDS_WITHIN_S)


def _environment(**variables: str) -> dict[str, str]:
    """Return what a reader's shell has set."""
    return {
        **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
        **KEYS,
        **variables,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # In a second working tree the installed package is another one.
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'integrations'}",
    }


def fits(expected: str, printed: str) -> bool:
    """Tell whether a text is what a page says; `…` stands for anything, also for many lines."""
    pattern = re.escape(expected.strip()).replace("…", ".*?")
    return re.fullmatch(pattern, printed.replace("\r\n", "\n").strip(), re.DOTALL) is not None
