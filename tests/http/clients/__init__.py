"""The hosts that the HTTP suite runs on."""

from tests.http.clients.bare import Bare, BareH11, BareUvloop
from tests.http.clients.base import Host
from tests.http.clients.django_process import InDjangoProcess
from tests.http.clients.in_django import BeforeDjango, BeforeDjangoWSGI, InDjango, InDjangoWSGI
from tests.http.clients.in_fastapi import InFastAPI
from tests.http.clients.in_flask import InFlask
from tests.http.clients.in_starlette import InStarlette
from tests.http.clients.under_gunicorn import UnderGunicorn
from tests.http.clients.under_waitress import UnderWaitress

__all__ = ["HOSTS", "MATRIX", "Bare", "BareH11", "BareUvloop", "Host"]

HOSTS: tuple[type[Host], ...] = (
    Bare,
    InStarlette,
    InFastAPI,
    InDjango,
    InDjangoWSGI,
    InDjangoProcess,
    BeforeDjango,
    BeforeDjangoWSGI,
    UnderGunicorn,
    UnderWaitress,
    InFlask,
)

MATRIX: tuple[type[Host], ...] = (
    BeforeDjango,
    BeforeDjangoWSGI,
    InDjangoProcess,
    InDjangoWSGI,
    InFastAPI,
    InStarlette,
    UnderWaitress,
)
"""Those that differ little from another one: `pytest -m matrix`, as CI does."""
