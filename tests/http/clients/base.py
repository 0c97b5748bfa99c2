"""What a host is to the suite: something that serves a gateway on a socket.

The tests speak HTTP and know of hosts no more than this. A new host is one more module here that
fills in `Host`, and one more entry of `HOSTS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar, Self, TypeVar

from llmgateway import Gateway

T = TypeVar("T")


class Host(ABC):
    """Serves one gateway, from its making until `stop`."""

    name: ClassVar[str]
    prefix: ClassVar[str] = "/llm"
    """Where the gateway is mounted."""
    differences: ClassVar[Mapping[str, str]] = {}
    """Tests, and modules of them, that are not for this host, and what of the host is why."""
    says_close: ClassVar[bool] = True
    """Whether the gateway's own `Connection: close` goes out: WSGI has that be the server's."""
    in_database: ClassVar[bool] = False
    """Whether its keys and records are in a database."""
    compresses: ClassVar[bool] = False
    """Whether the app around the gateway compresses answers; the client asks for it, as SDKs do."""
    is_process: ClassVar[bool] = False
    """Whether it serves in another process, which is told the settings and nothing else."""
    port: int
    taken: int = 0
    """Bytes of request bodies that the gateway has asked for."""

    @abstractmethod
    def __init__(self, gateway: Gateway) -> None: ...

    @classmethod
    def serving(cls, gateway: Gateway, settings: Mapping[str, Any]) -> Self:
        """Serve a gateway, made of these settings."""
        return cls(gateway)

    @abstractmethod
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the gateway runs."""

    @abstractmethod
    def wait_idle(self) -> bool:
        """Wait until no request is being served; False if one takes too long."""

    @abstractmethod
    def begin_stop(self) -> None:
        """Stop serving soon; does not wait."""

    @abstractmethod
    def stop(self) -> None:
        """Wait until nothing is served any more."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether whatever serves still does."""
