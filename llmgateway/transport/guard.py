"""Which addresses the gateway may connect to: judgement only, no look-up and no socket.

Every address that a name resolves to is judged, and the connection goes to a judged
address, never back to the name: a name that answers differently the second time gains nothing.
Source of the tables: the IANA special-purpose address registries, read November 2026,
https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from llmgateway.errors import AddressRefused
from llmgateway.transport.url import Origin, canonical_host

# `ipaddress.is_global` is no substitute: it says yes to 64:ff9b::7f00:1, ::127.0.0.1 and
# 224.0.0.1, and on Python 3.11 and 3.12 to 2002:7f00:1::.
_SPECIAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this host; Linux connects 0.0.0.0 to loopback
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata is 100.100.100.200
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host, from inside a virtual machine only:
            # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata is 192.0.0.192
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_LOOPBACK_V4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")
# Of IPv6 only 2000::/3 is given out at all. What lies outside is refused without a list:
# ::, ::1, ::a.b.c.d, ::ffff:a.b.c.d, 64:ff9b::/96, 64:ff9b:1::/48, 100::/64, 5f00::/16,
# fc00::/7, fe80::/10, fec0::/10, ff00::/8.
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, with Teredo (2001::/32), ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: carries an IPv4 address
            "3ffe::/16",  # 6bone, returned
            "3fff::/20",  # documentation
        ),
    )
)


class Kind(Enum):
    """What an address is to the guard."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    SPECIAL = "special"
    """Everything else: private, mapped, translated, reserved, or no address at all."""


def kind_of(address: str) -> Kind:
    """Judge one address as a resolver writes it; text that is no address is special.

    Only 127.0.0.0/8 and ::1 count as loopback, not what is mapped or translated to them. A NAT64
    prefix of a network's own (RFC 6052, section 2.2) cannot be told from a public address.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return Kind.SPECIAL
    if isinstance(parsed, ipaddress.IPv4Address):
        if parsed in _LOOPBACK_V4:
            return Kind.LOOPBACK
        return Kind.SPECIAL if any(parsed in net for net in _SPECIAL_V4) else Kind.PUBLIC
    if parsed.scope_id is not None:
        return Kind.SPECIAL
    if parsed == _LOOPBACK_V6:
        return Kind.LOOPBACK
    if parsed not in _GLOBAL_V6 or any(parsed in net for net in _SPECIAL_V6):
        return Kind.SPECIAL
    return Kind.PUBLIC


def is_address(host: str) -> bool:
    """Tell an address from a name that must be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which upstreams may be reached besides those with public addresses only.

    Safe as long as no caller can write into it: it is the operator's, from the settings
    `allowed_upstreams` and `allow_loopback_upstreams`.
    """

    allowed: frozenset[tuple[str, str, int]] = frozenset()
    """(scheme, host, port): whatever address these have. Spelt as they may be, kept canonical."""
    allow_loopback: bool = False
    """Loopback addresses at any port."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", frozenset(_canonical(self.allowed)))

    def check(self, origin: Origin, addresses: Sequence[str]) -> Sequence[str]:
        """Return `addresses` if all of them may be connected to; else raise `AddressRefused`.

        One bad address among good ones refuses the whole answer: that is no provider's doing.
        The message never tells the addresses, which would make the gateway a map of its network.
        """
        if origin in self.allowed or all(self._admits(address) for address in addresses):
            return addresses
        raise AddressRefused(
            f"The upstream {origin} has an address that is not public, so it was not contacted."
            f' If it is yours, its operator can allow it: add "{origin}" to the setting'
            " `allowed_upstreams`, or turn on `allow_loopback_upstreams` if it runs on the"
            " gateway's own machine."
        )

    def _admits(self, address: str) -> bool:
        kind = kind_of(address)
        return kind is Kind.PUBLIC or (kind is Kind.LOOPBACK and self.allow_loopback)


def _canonical(upstreams: Iterable[tuple[str, str, int]]) -> Iterable[Origin]:
    # A host that no request can name, because `split_url` refuses it, allows nothing.
    for scheme, host, port in upstreams:
        with suppress(ValueError):
            yield Origin(scheme.lower(), canonical_host(host), port)
