"""What a host is to the suite: something that serves a gateway on a socket.

The tests speak HTTP and know of hosts no more than this. A new host is one more module here that
fills in `Host`, and one more entry of `HOSTS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from llmgateway import Gateway

T = TypeVar("T")


class Host(ABC):
    """Serves one gateway, from its making until `stop`."""

    name: ClassVar[str]
    prefix: ClassVar[str] = "/llm"
    """Where the gateway is mounted."""
    port: int
    taken: int = 0
    """Bytes of request bodies that the gateway has asked for."""

    @abstractmethod
    def __init__(self, gateway: Gateway) -> None: ...

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
