"""The form of a custom host. Which addresses may be called is decided when connecting."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from llmgateway.errors import InvalidRequest

_MAX_CHARS = 2048
_MAX_LABELS = 10
_URL = re.compile(
    r"""
    https?://
    (?: \[ (?P<ipv6> [0-9a-f:.]+ ) \] | (?P<name> [a-z0-9.-]+ ) )
    (?: : (?P<port> [0-9]{1,5} ) )?
    # What would end the path (? #) is left out, since the path of the call is appended.
    (?: / [!$-;=@-\[\]_a-z~]* )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def check_custom_host(url: str) -> str:
    """Return `url` if it can be the base URL of a provider, else raise `InvalidRequest`.

    It is http or https, without user info, query and fragment; its host is a plain name, an
    IPv4 address or an IPv6 address in brackets. Source: the Portkey contract, section 2.1.
    """
    match = _URL.fullmatch(url) if len(url) <= _MAX_CHARS else None
    if match is None or not _is_host(match) or not 1 <= int(match["port"] or 443) <= 65535:
        raise InvalidRequest("Invalid custom host", param="custom_host")
    return url


def _is_host(match: re.Match[str]) -> bool:
    if match["ipv6"] is not None:
        try:
            IPv6Address(match["ipv6"])
        except AddressValueError:
            return False
        return True
    labels = match["name"].split(".")
    return len(labels) <= _MAX_LABELS and all(0 < len(label) <= 63 for label in labels)
