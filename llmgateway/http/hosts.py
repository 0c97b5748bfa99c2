"""Which Host and Origin a request may name: what keeps web pages away from a local server."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from llmgateway.errors import PermissionDenied
from llmgateway.settings import Settings
from llmgateway.types.http import HTTPRequest

_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def check_host(request: HTTPRequest, settings: Settings) -> None:
    """Refuse a foreign Host, and in local mode a foreign peer, Origin or site.

    In local mode whoever reaches the port may spend the stored credentials, so a page on the web
    must not reach it by a name that resolves here (DNS rebinding) or by a plain cross-site
    request, nor another machine by a port that is open wider than it should be.
    Raises `PermissionDenied`.
    """
    local = settings.access == "local"
    if not (local or settings.allowed_hosts):
        return
    headers = request.headers
    allowed = _LOCAL if local else frozenset(host.lower() for host in settings.allowed_hosts)
    if local and request.client is not None and not _is_loopback(request.client):
        raise PermissionDenied("Local mode serves this machine only; use a client key.")
    if _name_of(headers.get("host") or "") not in allowed:
        raise PermissionDenied(f"Use one of these hosts: {', '.join(sorted(allowed))}.")
    origin = headers.get("origin")
    if local and origin is not None and _origin_host(origin) not in allowed:
        raise PermissionDenied("Local mode takes no requests from other origins; use a client key.")
    if local and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise PermissionDenied("Local mode takes no requests from other sites; use a client key.")


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False  # no address at all: a proxy's name, say
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _name_of(host: str) -> str:
    """Return the host of a Host field in lower case, without its port."""
    name, _, port = host.strip().lower().rpartition(":")
    return name if name and port.isdigit() else host.strip().lower()


def _origin_host(origin: str) -> str:
    try:
        return _name_of(urlsplit(origin).netloc)
    except ValueError:
        return ""
