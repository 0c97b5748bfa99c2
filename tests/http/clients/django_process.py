"""The view under a gunicorn that is a process: its master, and a worker with threads."""

from __future__ import annotations

import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from django.db import connections

from llmgateway import Gateway
from tests.django.servers import ServerProcess
from tests.http.clients.base import Host
from tests.http.clients.in_django import InDjangoWSGI
from tests.http.clients.wsgi import serving_loop
from tests.http.databases import ALIAS

T = TypeVar("T")

_CLOCK = "it waits by the suite's clock, which another process has not"
_PLAIN = "keys of a database all begin alike, so only the settings could name this one"
_REACHES_IN = "it reaches into the gateway, which is in another process"


class InDjangoProcess(Host):
    """A project like any other: settings, URLs, keys and log are Django's."""

    name = "django-process"
    in_database = True
    compresses = True
    says_close = False
    is_process = True
    differences = {
        **InDjangoWSGI.differences,
        "test_retry": _CLOCK,
        "test_tries": _CLOCK,
        "test_routing": _CLOCK,
        "test_revocation": _REACHES_IN,
        "test_a_draining_gateway_refuses_and_says_when": _REACHES_IN,
        "test_a_key_of_this_gateway_in_a_config_is_refused": _PLAIN,
    }

    def __init__(self, gateway: Gateway, settings: Mapping[str, Any]) -> None:
        """Start a server; `gateway` stands for the one that it makes of the same settings."""
        self.gateway = gateway
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        _install_row(folder)
        given = connections.settings[ALIAS]
        database = {name: given[name] for name in ("ENGINE", "NAME", "HOST", "USER", "OPTIONS")}
        others = {name: value for name, value in settings.items() if name != "client_keys"}
        self._process = ServerProcess("gunicorn", folder, database, others, folder)
        self.port = self._process.port

    @classmethod
    def serving(cls, gateway: Gateway, settings: Mapping[str, Any]) -> Self:
        """Serve what these settings say."""
        return cls(gateway, settings)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it here, on what stands for the gateway."""
        return serving_loop().run(coroutine)

    def wait_idle(self) -> bool:
        """Believe it: its records are all that can be seen."""
        return True

    def begin_stop(self) -> None:
        """Tell the master to stop."""
        self._process.begin_stop()

    def stop(self) -> None:
        """Wait for it."""
        self._process.stop()
        log = self._process.log()
        self._folder.cleanup()
        # All that WSGI lets an app do to cut an answer is raise, and gunicorn tells of it.
        cut = log.count("\nllmgateway.errors.StreamAborted\n")
        assert cut == log.count("Traceback (most recent call last)"), log

    @property
    def alive(self) -> bool:
        """Whether the master runs."""
        return self._process.alive


def _install_row(folder: Path) -> None:
    """Have the fake provider's row come in as one of an installed package does."""
    package = folder / "fake_row-0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-row\nVersion: 0\n")
    (package / "entry_points.txt").write_text(
        "[llmgateway.providers]\nfake = llmgateway.testing.fake_row:FAKE\n"
    )
