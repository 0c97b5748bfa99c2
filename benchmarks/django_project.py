"""A project as `startproject` makes it, with the gateway, and databases to measure its log in.

They are a file, and one of our own on each server on loopback.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import django
import psycopg
import pymysql
from django.conf import settings
from django.core.management import call_command
from django.db import connections

__all__ = ["DATABASES", "configure", "project_with"]

_HOST = "127.0.0.1"
_NAME = f"llmgateway_bench_{os.getpid()}"

urlpatterns: list[Any] = []
"""This module is the project's addresses, too."""

_Database = contextlib.AbstractContextManager[dict[str, Any]]


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[dict[str, Any]]:
    yield {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": folder / "bench.sqlite3",
        # As Django's documentation has it for production.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[dict[str, Any]]:
    user = os.environ.get("PGUSER", "postgres")
    with psycopg.connect(host=_HOST, user=user, dbname="postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{_NAME}"'.encode())
        try:
            yield {"ENGINE": "django.db.backends.postgresql", "HOST": _HOST, "USER": user}
        finally:
            server.execute(f'DROP DATABASE "{_NAME}" WITH (FORCE)'.encode())


@contextlib.contextmanager
def _mariadb(folder: Path) -> Iterator[dict[str, Any]]:
    with pymysql.connect(host=_HOST, user="root", autocommit=True) as server:
        cursor = server.cursor()
        cursor.execute(f"CREATE DATABASE `{_NAME}` CHARACTER SET utf8mb4")
        try:
            yield {"ENGINE": "django.db.backends.mysql", "HOST": _HOST, "USER": "root"}
        finally:
            cursor.execute(f"DROP DATABASE `{_NAME}`")


DATABASES: Mapping[str, Callable[[Path], _Database]] = {
    "SQLite": _sqlite,
    "PostgreSQL": _postgresql,
    "MariaDB": _mariadb,
}


@contextlib.contextmanager
def project_with(
    database: str, folder: Path, gateway: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Set Django up, once in a process, with a new database that has all tables.

    Raises what the driver does where no server answers.
    """
    pymysql.install_as_MySQLdb()
    with DATABASES[database](folder) as found:
        configure({"NAME": _NAME, **found}, gateway or {})
        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            connections.close_all()


def configure(database: Mapping[str, Any], gateway: Mapping[str, Any]) -> None:
    """Set Django up with a database and the setting `LLMGATEWAY`."""
    settings.configure(
        SECRET_KEY="of a benchmark",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ROOT_URLCONF=__name__,
        DATABASES={"default": database},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "llmgateway",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        TEMPLATES=[_TEMPLATES],
        LLMGATEWAY=gateway,
    )
    django.setup()
    _add_urls()


_TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]
    },
}


def _add_urls() -> None:
    from django.contrib import admin  # only once Django is set up
    from django.urls import include, path

    urlpatterns.append(path("admin/", admin.site.urls))
    urlpatterns.append(path("llm/", include("llmgateway.urls")))
