"""Processes under measurement: on which core they run, what they use, when they answer.

All figures are of a whole process tree, read from /proc.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Cores",
    "Process",
    "busy_s",
    "held_port",
    "on_core",
    "run_process",
    "run_upstream",
    "wait_for_200",
]

_START_WITHIN_S = 90
_POLL_S = 0.002
_STOP_WITHIN_S = 5
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the stack under test has to itself, and which the rest shares."""

    stack: int | None
    rest: int | None

    @classmethod
    def choose(cls) -> Cores:
        """Return the first two cores that this process may use; None: nothing can be pinned."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[1]) if len(usable) > 1 else cls(None, None)

    @property
    def pinned(self) -> bool:
        """Whether the stack under test has a core of its own."""
        return self.stack is not None


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Run on a core, and let children be born there: they inherit what their parent may use."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Process:
    """A running server: its own process and all that it started."""

    popen: subprocess.Popen[bytes]
    began_at: float
    """By `time.perf_counter`."""

    def pids(self) -> list[int]:
        """Return the process and its descendants."""
        return list(_tree(self.popen.pid))

    def cpu_s(self) -> float:
        """Return the CPU seconds that all threads of the tree have used so far."""
        return sum(_cpu_s(pid) for pid in self.pids())

    def rss_mb(self) -> float:
        """Return the resident memory of the tree in MB (10^6 bytes); shared pages count twice."""
        return sum(_rss_bytes(pid) for pid in self.pids()) / 1e6

    def fds(self) -> int:
        """Return how many files and sockets the tree has open."""
        return sum(_fds(pid) for pid in self.pids())


@contextlib.contextmanager
def run_process(
    command: Sequence[str],
    core: int | None,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Process]:
    """Run a command on a core until the context ends; what it prints goes to `log`."""
    with log.open("wb") as output, on_core(core):
        began_at = time.perf_counter()
        popen = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield Process(popen, began_at)
    finally:
        _stop(popen)


@contextlib.contextmanager
def run_upstream(program: Path, key: str, core: int | None, log: Path) -> Iterator[int]:
    """Run the mock provider until the context ends; yields its port."""
    with run_process([str(program), key], core, log) as upstream:
        while not (told := log.read_text(encoding="ascii")).endswith("\n"):
            if upstream.popen.poll() is not None:
                raise SystemExit(f"the mock provider did not start: {told}")
            time.sleep(0.01)
        yield int(told)


def _stop(popen: subprocess.Popen[bytes]) -> None:
    for signal_ in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal_)
        with contextlib.suppress(subprocess.TimeoutExpired):
            popen.wait(_STOP_WITHIN_S)
            return


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """Keep a port of 127.0.0.1 for a server that is told its own: nobody else is given it."""
    with socket.socket() as holder:
        # A server that sets this option too, as they all do, may listen beside one that does not.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def wait_for_200(
    process: Process, port: int, path: str, headers: Mapping[str, str], body: bytes, log: Path
) -> float:
    """Send a request until it gets a 200; returns the seconds since the process was started.

    Exits with the end of the log if that takes too long or the process ends.
    """
    status = 0
    while time.perf_counter() - process.began_at < _START_WITHIN_S and process.popen.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = _status(port, path, headers, body)
        if status == 200:
            return time.perf_counter() - process.began_at
        time.sleep(_POLL_S)
    end = log.read_text(encoding="utf-8", errors="replace")[-3000:]
    raise SystemExit(f"{process.popen.args!r} never answered 200 (last status {status}):\n{end}")


def _status(port: int, path: str, headers: Mapping[str, str], body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text(encoding="ascii").split():
                yield from _tree(int(child))


def _cpu_s(pid: int) -> float:
    """Read the scheduler's nanoseconds of each thread; its ticks where it does not keep them."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    with contextlib.suppress(OSError):
        found = [int(thread.read_text(encoding="ascii").split()[0]) for thread in threads]
        if any(found):
            return sum(found) / 1e9
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return 0.0


def _rss_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    return 0


def _fds(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def busy_s(core: int | None) -> float:
    """Return the seconds a core (None: the machine) was busy so far, whoever used it."""
    wanted = "cpu" if core is None else f"cpu{core}"
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name == wanted:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S
    return 0.0
