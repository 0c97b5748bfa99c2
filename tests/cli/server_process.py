"""`llmgateway serve` as a process of its own, as its users run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from llmgateway.cli.welcome import LAST_LINE

COMMAND = [sys.executable, "-m", "llmgateway"]
START_WITHIN_S = 30
STOP_WITHIN_S = 40
_SERVES = re.compile(r"llmgateway serves (http://\S+)/v1")


@dataclass(slots=True)
class ServerProcess:
    """A running server."""

    process: subprocess.Popen[str]
    greeting: str = ""
    url: str = ""
    log: list[str] = field(default_factory=list)
    """What it wrote to stderr; complete when it has ended."""

    def stop(self, signal_: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(signal_)
        return self.process.wait(STOP_WITHIN_S)


def environment(**variables: str) -> Mapping[str, str]:
    """Return an environment without provider keys and proxies, and with these variables."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=START_WITHIN_S,
        env=environment(**variables),
    )


@contextmanager
def serving(*arguments: str, **variables: str) -> Iterator[ServerProcess]:
    """Run `llmgateway serve` with these arguments at a free port until the context ends."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    server = ServerProcess(process)
    assert process.stdout is not None and process.stderr is not None
    # A full pipe would stop the server, so its log is read all the time.
    reader = threading.Thread(target=server.log.extend, args=(process.stderr,))
    reader.start()
    watchdog = threading.Timer(START_WITHIN_S, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            server.greeting += line
            if line == LAST_LINE + "\n":
                break
        found = _SERVES.search(server.greeting)
        watchdog.cancel()
        if found is None:
            process.wait(STOP_WITHIN_S)
            reader.join(STOP_WITHIN_S)
            raise AssertionError(f"the server did not start: {''.join(server.log)}")
        server.url = found[1]
        yield server
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.wait(STOP_WITHIN_S)
        reader.join(STOP_WITHIN_S)
        process.stdout.close()
        process.stderr.close()
