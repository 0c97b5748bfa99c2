"""Ports for servers that must be told theirs before they run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """Keep a port until the end: nobody is given it who does not ask for it by number."""
    with socket.socket() as holder:
        # A server that sets this option too, as they all do, may listen beside one that does not.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
