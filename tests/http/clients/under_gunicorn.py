"""WSGI under gunicorn's threaded worker, without its master: the worker runs in a thread here."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from tests.http.clients.wsgi import THREADS, WSGIHost
from tests.http.loops import SOON_S
from tests.http.unnamed import name_no_server


class UnderGunicorn(WSGIHost):
    """The gateway mounted in front of another app."""

    name = "gunicorn"

    def listen(self) -> int:
        """Start a worker in a thread."""
        name_no_server()
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        application = _Application(self.served)
        config = application.cfg
        self._worker = _Worker(
            0, os.getppid(), [_Listener(listener)], application, 30, config, Logger(config)
        )
        self._thread = threading.Thread(target=self._worker.init_process, daemon=True)
        self._thread.start()
        port: int = listener.getsockname()[1]
        return port

    def begin_stop(self) -> None:
        """Tell the worker to stop."""
        self._worker.handle_exit(None, None)

    def stop(self) -> None:
        """Wait for the worker."""
        self.begin_stop()
        self._thread.join(SOON_S)
        self._worker.tmp.close()
        self.run(self.gateway.aclose())

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._thread.is_alive()


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Any) -> None:
        self._app = app
        super().__init__()

    def load_config(self) -> None:
        self.cfg.set("threads", THREADS)
        self.cfg.set("graceful_timeout", 1)
        self.cfg.set("keepalive", 1)
        # Its own limits answer in words of its own; the gateway has one too.
        self.cfg.set("limit_request_field_size", 100_000)
        self.cfg.set("limit_request_fields", 1000)

    def load(self) -> Any:
        return self._app


class _Worker(ThreadWorker):  # type: ignore[misc]
    def init_signals(self) -> None:
        """Leave them: they are the test run's."""


class _Listener:
    """A socket as gunicorn's master hands it to workers."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)
