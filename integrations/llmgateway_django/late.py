"""What needs models, for modules that a project imports before Django has loaded any."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmgateway_django.gateway import ProcessGateway

__all__ = ["process_gateway"]


def process_gateway() -> ProcessGateway:
    """Return the process's gateway. Raises `AppRegistryNotReady` before Django is set up."""
    # `asgi.py` and `wsgi.py` import at their top, and set Django up only then.
    from llmgateway_django.gateway import gateway

    return gateway
