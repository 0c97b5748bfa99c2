"""A PostgreSQL cluster of a test's own, which may be stopped, frozen and hidden."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest

from tests.examples.ports import reserved_port

__all__ = ["Cluster", "Hole", "a_cluster"]

_USER = "postgres"
_STEP_WITHIN_S = 60
_OPTIONS = "-c fsync=off -c listen_addresses=127.0.0.1 -c max_connections=50"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server in a folder."""

    programs: Path
    folder: Path
    port: int

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"{_OPTIONS} -c port={self.port} -c unix_socket_directories={self.folder}"
        self._pg_ctl("start", "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it at once, as if it had crashed."""
        self._pg_ctl("stop", "-m", "immediate")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep all its processes from running: the system accepts connections, nobody answers."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection without transactions."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=_USER, dbname=_USER, autocommit=True
        )

    def rows(self, sql: str) -> list[Any]:
        """Run one statement; returns its rows, or their only columns."""
        with self.connect() as connection:
            cursor = connection.execute(sql.encode())
            found = cursor.fetchall() if cursor.description else []
        return [row[0] if len(row) == 1 else row for row in found]

    def django(self, port: int | None = None) -> dict[str, Any]:
        """Return Django's settings of the database, perhaps by way of another port."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": port or self.port,
            "USER": _USER,
            "NAME": _USER,
        }

    def _signal(self, number: signal.Signals) -> None:
        # The connections' processes first: they are only known while the first one lives.
        first = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pg_ctl(self, *words: str) -> None:
        _run(self.programs / "pg_ctl", "-w", "-D", str(self.folder / "data"), *words)


@contextlib.contextmanager
def a_cluster() -> Iterator[Cluster]:
    """Run a new cluster. Where PostgreSQL is not installed the test is skipped, but not in CI."""
    programs = _programs()
    # Not below pytest's own folder: that one is closed to other users, of whom this may be one.
    folder = Path(tempfile.mkdtemp(prefix="llmgateway-cluster-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _USER)
    # Kept while the cluster is stopped as well: nobody else may come to answer there.
    with reserved_port() as port:
        cluster = Cluster(programs, folder, port)
        data = str(folder / "data")
        options = ("-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync", "-D", data)
        try:
            _run(programs / "initdb", *options)
            cluster.start()
            try:
                yield cluster
            finally:
                with contextlib.suppress(subprocess.CalledProcessError):  # a test has stopped it
                    cluster.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else _absent("PostgreSQL's initdb is not installed")


def _version(program: Path) -> float:
    name = program.parts[-3]
    return float(name) if name.replace(".", "").isdigit() else 0.0


def _absent(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _run(program: Path, *words: str) -> None:
    """Run one of PostgreSQL's programs, which refuse to be run by root."""
    as_root: dict[str, Any] = {"user": _USER, "group": _USER, "extra_groups": ()}
    subprocess.run(
        [str(program), *words],
        check=True,
        # No pipe: the server would keep it open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        timeout=_STEP_WITHIN_S,
        **(as_root if os.geteuid() == 0 else {}),
    )


class Hole:
    """Stands before a server, and from `open` to `close` takes everything and passes on nothing.

    Connections that have lost a byte in it are as good as dead, but nobody is told: as behind a
    firewall that has forgotten them.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._swallows = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Swallow."""
        self._swallows.set()
        try:
            yield
        finally:
            self._swallows.clear()

    def end(self) -> None:
        """Close all connections."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                try:
                    server = socket.create_connection(("127.0.0.1", self._server_port))
                except ConnectionRefusedError:
                    client.close()
                    continue
                self._sockets.append(server)
                for way in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        lost = False
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                lost = lost or self._swallows.is_set()
                if not lost:
                    sink.sendall(data)
            # An end goes unnoticed as well.
            if not lost and not self._swallows.is_set():
                sink.shutdown(socket.SHUT_WR)
