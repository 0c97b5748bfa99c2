"""Where a request goes: an upstream's URL taken apart, strictly and without I/O.

Only shape is judged here; whether the place may be reached is `guard`'s to say.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from llmgateway.errors import AddressRefused, InvalidRequest

DEFAULT_PORTS = {"http": 80, "https": 443}

_UNSENDABLE = re.compile(r"[^\x21-\x7e]|\\")
"""Must be percent-encoded in a URL (RFC 3986, appendix A); parsers disagree about them."""
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(#.*)?")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Origin(NamedTuple):
    """The scheme, host and port that a connection belongs to."""

    scheme: str
    host: str
    """Lower case; an IPv6 address in its canonical form, without brackets."""
    port: int

    @property
    def authority(self) -> str:
        """The host as a Host header has it: brackets for IPv6, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def split_url(url: str) -> tuple[Origin, str]:
    """Return the origin and the request target (path and query) of an upstream's URL.

    Raises `InvalidRequest` for characters that may not stand in a URL and for a fragment,
    `AddressRefused` for a scheme other than http(s), user information, or a host that is
    neither a name in ASCII nor an address in its usual form. Source: RFC 3986, section 3.
    """
    if _UNSENDABLE.search(url):
        raise InvalidRequest(
            "The upstream's URL has a character that must be percent-encoded:"
            " a space, a control character, a backslash or one outside ASCII."
        )
    match = _URL.fullmatch(url)
    if match is None or match[1].lower() not in DEFAULT_PORTS:
        raise AddressRefused("An upstream's URL must begin with http:// or https:// and a host.")
    scheme, authority, target, fragment = match[1].lower(), match[2], match[3], match[4]
    if fragment:
        raise InvalidRequest("The upstream's URL has a '#'; write it as %23, or leave it out.")
    if "@" in authority:
        raise AddressRefused(
            "The upstream's URL has user information before its host; send the key in a header."
        )
    origin = Origin(scheme, *_split_authority(authority, DEFAULT_PORTS[scheme]))
    return origin, target if target.startswith("/") else f"/{target}"


def canonical_host(host: str) -> str:
    """Return the one spelling of a host (no brackets) under which it is compared.

    Raises `ValueError` if it is neither a name nor an address. A zone (`fe80::1%eth0`), a
    trailing dot, and IPv4 in numbers that only some parsers understand (`0x7f.1`, `2130706433`,
    `0177.0.0.1`) are neither: what cannot be written cannot be read in two ways.
    """
    if ":" in host:
        address = ipaddress.IPv6Address(host)
        if address.scope_id is not None:
            raise ValueError("a zone")
        return str(address)
    host = host.lower()
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return str(ipaddress.IPv4Address(host))
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a name")
    return host


def _split_authority(authority: str, default_port: int) -> tuple[str, int]:
    match = _AUTHORITY.fullmatch(authority)
    try:
        if match is None or not match[1]:
            raise ValueError("no host and port")
        port = int(match[2]) if match[2] else default_port
        if not 0 < port < 65536:
            raise ValueError("no such port")
        bracketed = match[1].startswith("[")
        host = canonical_host(match[1].strip("[]"))
        if bracketed != (":" in host):
            raise ValueError("brackets are for IPv6")
    except ValueError as exc:
        raise AddressRefused(
            f"The upstream {authority[:255]!r} is not a host name, IPv4 or [IPv6] address with"
            " an optional port; check its spelling."
        ) from exc
    return host, port
