"""The hosts that the HTTP suite runs on."""

from tests.http.clients.bare import Bare, BareH11, BareUvloop
from tests.http.clients.base import Host
from tests.http.clients.before_django import BeforeDjango
from tests.http.clients.in_fastapi import InFastAPI
from tests.http.clients.in_starlette import InStarlette

__all__ = ["HOSTS", "Bare", "BareH11", "BareUvloop", "Host"]

HOSTS: tuple[type[Host], ...] = (Bare, InStarlette, InFastAPI, BeforeDjango)
