"""How a target's provider serves what a call asks for: as it is, or translated."""

from __future__ import annotations

from dataclasses import replace

from llmgateway.codecs.opaque import OPAQUE
from llmgateway.engine.doors import DOORS, HUB_CODECS
from llmgateway.engine.plan import Service, Target
from llmgateway.errors import EndpointNotSupported
from llmgateway.providers.base import Endpoint
from llmgateway.types.call import Call

PROXY = "proxy"
"""The endpoint of every path that has none of its own."""


def service_for(call: Call, target: Target) -> Service:
    """Return how the target's provider serves the call.

    The caller's format as it is where the provider speaks it, else by way of the hub.
    Raises `EndpointNotSupported`.
    """
    known = target.services.get(call.endpoint)
    if known is not None and not call.suffix:
        return known
    service = _find(call, target)
    if not call.suffix:
        target.services[call.endpoint] = service
    return service


def _find(call: Call, target: Target) -> Service:
    provider, name = target.provider, call.endpoint
    if name == PROXY:
        return Service(name, Endpoint(path=provider.proxy_path or "", format=OPAQUE))
    endpoint = provider.endpoints.get(name)
    door = DOORS.get(name)
    if endpoint is not None and call.suffix:
        # Below an endpoint's own path lie listings, counts and what was answered before: they are
        # no answers of its format, and their usage has been counted already.
        return Service(name, replace(endpoint, format=OPAQUE))
    if endpoint is not None and (door is None or endpoint.format.name == door.format.name):
        return Service(name, endpoint, door)
    if door is not None and not call.suffix:
        hub = name if endpoint is not None else door.hub
        served = endpoint or provider.endpoints.get(hub)
        codec = None if served is None else served.codec or HUB_CODECS.get(hub)
        if served is not None and codec is not None:
            return Service(hub, served, door, codec)
    names = ", ".join(sorted(provider.endpoints)) or "the proxy only"
    raise EndpointNotSupported(f"{name} is not supported by {provider.name}; it serves {names}.")
