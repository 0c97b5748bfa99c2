"""Databases of the tests' own: a file, and one on each server that is there.

A server is looked for on loopback; where there is none, its tests are skipped, but not in CI.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pymysql
import pytest
from django.core.management import call_command
from django.db import connections

# Django asks for the module `MySQLdb`, which needs a compiler; this one is the same in Python.
pymysql.install_as_MySQLdb()

_HOST = "127.0.0.1"
_CI = bool(os.environ.get("CI"))


@contextmanager
def sqlite(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the settings of an empty database in a file."""
    yield {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "stores.sqlite3"}


@contextmanager
def postgresql(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the settings of an empty database on the PostgreSQL server."""
    user = os.environ.get("PGUSER", "postgres")
    try:
        server = psycopg.connect(
            host=_HOST, user=user, dbname="postgres", autocommit=True, connect_timeout=5
        )
    except psycopg.OperationalError as error:
        _absent("PostgreSQL", error)
    name = _name(folder)
    with server:
        # One may be left of a process that was killed, and numbers of processes come again.
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        server.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": _HOST,
                "USER": user,
                "NAME": name,
            }
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def mariadb(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the settings of an empty database on the MariaDB server."""
    try:
        server = pymysql.connect(host=_HOST, user="root", connect_timeout=5, autocommit=True)
    except pymysql.OperationalError as error:
        _absent("MariaDB", error)
    name = _name(folder)
    with server, server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        try:
            yield {
                "ENGINE": "django.db.backends.mysql",
                "HOST": _HOST,
                "USER": "root",
                "NAME": name,
                "OPTIONS": {"charset": "utf8mb4"},
            }
        finally:
            cursor.execute(f"DROP DATABASE `{name}`")


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Have PostgreSQL end all connections to one database and take no more, as if it were away."""
    user = os.environ.get("PGUSER", "postgres")
    with psycopg.connect(host=_HOST, user=user, dbname="postgres", autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


SERVERS: dict[str, Callable[[Path], AbstractContextManager[dict[str, Any]]]] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
    "mariadb": mariadb,
}


@contextmanager
def connected(kind: str, alias: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Have such a database with all tables under an alias of Django's; yields its settings."""
    with SERVERS[kind](folder) as settings:
        aliases = {"default": {}, alias: settings}
        connections.settings[alias] = connections.configure_settings(aliases)[alias]
        try:
            call_command("migrate", database=alias, verbosity=0)
            connections[alias].close()
            yield settings
        finally:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]


def _name(folder: Path) -> str:
    """Return a name that no other process has, and nothing else of this one."""
    return f"llmgateway_test_{os.getpid()}_{folder.name}"


def _absent(name: str, error: Exception) -> NoReturn:
    reason = f"no {name} server answers on {_HOST}: {error}"
    if _CI:
        pytest.fail(reason)
    pytest.skip(reason)
