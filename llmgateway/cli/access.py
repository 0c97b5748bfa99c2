"""Who may call the standalone server, decided from where it listens and what its file says.

On this machine only, and without client keys: local mode. Anywhere else nobody is let in who does
not prove who he is, unless the file says `access = "open"` in so many words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgateway.engine.outline import is_loopback
from llmgateway.settings import Settings

__all__ = ["RefusedToStart", "admit", "is_loopback"]

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where local mode listens: it answers to these names and to no other."""
_MAKE_A_KEY = "Make a key with `llmgateway key` and put its line under [client_keys]"


class RefusedToStart(Exception):
    """The server would be open to people who should not use it; the message says what to do."""


def admit(settings: Settings, host: str) -> Settings:
    """Return the settings with everything decided that depends on where the server listens.

    Raises `RefusedToStart`.
    """
    local_machine = is_loopback(host)
    changes: Mapping[str, Any] = {"access": _access(settings, host, local_machine)}
    if local_machine and "allow_loopback_upstreams" not in settings.model_fields_set:
        # Whoever reaches this port is on this machine, and reaches its other ports anyway.
        changes = {**changes, "allow_loopback_upstreams": True}
    return settings.model_copy(update=changes)


def _access(settings: Settings, host: str, local_machine: bool) -> str:
    said = settings.access if "access" in settings.model_fields_set else None
    if said == "open":
        return said
    if settings.client_keys:
        return "keys"
    if said == "keys":
        raise RefusedToStart(
            'access = "keys" lets only callers in who have a client key, and there is none. '
            f"{_MAKE_A_KEY}."
        )
    if not local_machine:
        raise RefusedToStart(
            f"Without client keys, whoever reaches {host or 'any address'!r} could spend the "
            f"stored provider keys and reach other machines from here. {_MAKE_A_KEY}; or listen "
            "on this machine only (--host 127.0.0.1); or, to relay for anybody who brings a "
            'provider key of his own, write access = "open" into the config file.'
        )
    if host.removeprefix("[").removesuffix("]").lower() not in _LOCAL_NAMES:
        raise RefusedToStart(
            f"Without client keys the server answers to localhost, 127.0.0.1 and [::1] only, so "
            f"{host} could not be used. Listen at 127.0.0.1. Or: {_MAKE_A_KEY}."
        )
    return "local"
