"""Nothing but the transport opens a connection: threat model, boundary 5.

import-linter keeps httpx, httpcore, socket and ssl to the transport; this keeps the other
doors of the standard library shut.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.guards.tree import PRODUCT, name, place, python_files, syntax

_DIALS = {
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "getaddrinfo",
    "gethostbyname",
    "open_connection",
    "open_unix_connection",
    "sock_connect",
    "urlopen",
}
_MODULES = {
    "aiohttp",
    "ftplib",
    "http.client",
    "imaplib",
    "poplib",
    "requests",
    "smtplib",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "xmlrpc",
}


def ways_out(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield each import of a module that dials, and each use of a function that does."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases) if any(alias.name in _MODULES for alias in aliases):
                yield node
            case ast.ImportFrom(module=str(module), names=aliases) if module in _MODULES or any(
                f"{module}.{alias.name}" in _MODULES or alias.name in _DIALS for alias in aliases
            ):
                yield node
            case ast.Attribute(attr=attr) if attr in _DIALS:
                yield node


def test_only_the_transport_dials() -> None:
    found = [
        place(path, node)
        for path in python_files(*PRODUCT)
        if not name(path).startswith("llmgateway/transport/")
        for node in ways_out(syntax(path))
    ]

    assert [] == found


def test_within_the_transport_one_file_dials() -> None:
    found = {
        name(path) for path in python_files("llmgateway/transport") for _ in ways_out(syntax(path))
    }

    assert {"llmgateway/transport/dial.py"} == found


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request",
        "from urllib.request import urlopen",
        "from urllib import request",
        "from http import client",
        "import requests",
        "await asyncio.open_connection('h', 1)",
        "from asyncio import open_connection",
        "await loop.create_connection(f, 'h', 1)",
        "await loop.getaddrinfo('h', 1)",
    ],
)
def test_each_way_out_is_found(code: str) -> None:
    assert [] != list(ways_out(ast.parse(code)))


@pytest.mark.parametrize("code", ["from urllib.parse import quote", "asyncio.start_server(f)"])
def test_other_uses_are_free(code: str) -> None:
    assert [] == list(ways_out(ast.parse(code)))
