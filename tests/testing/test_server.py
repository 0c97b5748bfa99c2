"""The server in a thread."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import EmbeddedServer


def test_a_bound_socket_says_that_it_is_tcp() -> None:
    """Else asyncio leaves Nagle's algorithm on, and kept connections wait 40 ms at each answer."""
    server = EmbeddedServer(FakeProvider())
    server.bind()
    with server._socket as bound:
        assert socket.IPPROTO_TCP == bound.proto


@pytest.mark.parametrize("tools", [True, 5, {"type": "function"}, "text"])
def test_tools_that_are_no_list_are_no_tools(http: httpx.Client, tools: Any) -> None:
    body = {"model": "fake", "messages": [{"role": "user", "content": "x"}], "tools": tools}

    assert 200 == http.post("/chat/completions", json=body).status_code
