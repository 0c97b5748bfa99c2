"""Which Host and Origin a request may name: what keeps web pages away from a local server."""

from __future__ import annotations

from urllib.parse import urlsplit

from llmgateway.errors import PermissionDenied
from llmgateway.settings import Settings
from llmgateway.types.http import Headers

_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def check_host(headers: Headers, settings: Settings) -> None:
    """Refuse a foreign Host, and in local mode a foreign Origin.

    In local mode whoever reaches the port may spend the stored credentials, so a page on the web
    must not reach it by a name that resolves here (DNS rebinding) or by a plain cross-site post.
    Raises `PermissionDenied`.
    """
    local = settings.access == "local"
    allowed = _LOCAL if local else frozenset(settings.allowed_hosts)
    if not allowed:
        return
    if _name_of(headers.get("host") or "") not in allowed:
        raise PermissionDenied(f"Use one of these hosts: {', '.join(sorted(allowed))}.")
    origin = headers.get("origin")
    if local and origin is not None and _origin_host(origin) not in allowed:
        raise PermissionDenied("Local mode takes no requests from other origins; use a client key.")


def _name_of(host: str) -> str:
    """Return the host of a Host field in lower case, without its port."""
    name, _, port = host.strip().lower().rpartition(":")
    return name if name and port.isdigit() else host.strip().lower()


def _origin_host(origin: str) -> str:
    try:
        return _name_of(urlsplit(origin).netloc)
    except ValueError:
        return ""
