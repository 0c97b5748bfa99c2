"""WSGI under waitress, which takes bodies whole before the app is called."""

from __future__ import annotations

import threading
from typing import Any

from waitress.server import create_server  # type: ignore[import-untyped]

from llmgateway import Gateway
from llmgateway_wsgi import GatewayWSGI, WSGIApp
from tests.http.clients.wsgi import DIFFERENCES, THREADS, WSGIHost
from tests.http.loops import SOON_S

_WHOLE = "waitress takes a body whole, within bounds of its own, before it calls the app"

_TURN_S = 0.1


class UnderWaitress(WSGIHost):
    """The gateway alone."""

    name = "waitress"
    prefix = ""
    differences = {
        **DIFFERENCES,
        "test_an_oversized_body_is_413_before_it_is_taken": _WHOLE,
        "test_a_length_of_too_many_digits_is_413": _WHOLE,
        "test_a_body_that_does_not_come_is_408": _WHOLE,
        "test_a_client_that_leaves_in_the_middle_is_499": _WHOLE,
        "test_a_form_of_a_wrong_length_is_not_relayed": _WHOLE,
    }

    def app(self, gateway: Gateway) -> WSGIApp:
        """Return the gateway's own app."""
        return GatewayWSGI(gateway, self.loop)

    def listen(self) -> int:
        """Start waitress in a thread."""
        self._server: Any = create_server(
            self.served, host="127.0.0.1", port=0, threads=THREADS, ident=None
        )
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="waitress", daemon=True)
        self._thread.start()
        port: int = self._server.effective_port
        return port

    def _serve(self) -> None:
        sockets = self._server._map
        while not self._ending.is_set():
            self._server.asyncore.loop(timeout=_TURN_S, map=sockets, count=1)
        # Here, since select fails on a socket that another thread closes.
        self._server.close()
        self._server.asyncore.close_all(sockets)

    def begin_stop(self) -> None:
        """Leave its threads to `stop`, which must wait for them first."""

    def stop(self) -> None:
        """Wait for its threads, then for its loop, which closes every socket."""
        self._server.task_dispatcher.shutdown()
        self._ending.set()  # seen within a turn; to wake it could meet a trigger that is closed
        self._thread.join(SOON_S)
        self.run(self.gateway.aclose())

    @property
    def alive(self) -> bool:
        """Whether its loop runs."""
        return self._thread.is_alive()
