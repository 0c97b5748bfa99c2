"""Seals and opens what an integration keeps, by the project's key ring. It needs no table.

A row's secrets are one JSON object, sealed for the row and for where they go. So they open neither
in another row nor for another origin, whoever wrote the database and by whatever way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmgateway.stores.sealing import SealError
from llmgateway_django.ring import secret_box

if TYPE_CHECKING:
    from llmgateway_django.models import Integration

__all__ = ["is_current", "is_readable", "sealed_for", "secrets_of"]


def secrets_of(integration: Integration) -> dict[str, str]:
    """Return the secrets by name, `api_key` and those of the provider; empty if there are none.

    Raises `SealError`, as a rule `UnknownSealingKey`: a key of the ring was removed too early.
    """
    if not integration.sealed:
        return {}
    opened: dict[str, str] = json.loads(secret_box().open(integration.sealed, *integration.place))
    return opened


def sealed_for(integration: Integration, secrets: Mapping[str, str]) -> str:
    """Return these secrets sealed with the current key; an empty text if there are none."""
    if not secrets:
        return ""
    return secret_box().seal(json.dumps(secrets, ensure_ascii=False), *integration.place)


def is_current(integration: Integration) -> bool:
    """Tell whether the current key has sealed its secrets. Raises `SealError`."""
    return secret_box().is_current(integration.sealed)


def is_readable(integration: Integration) -> bool:
    """Tell whether its secrets can be opened, or there are none."""
    try:
        secrets_of(integration)
    except SealError:
        return False
    return True
