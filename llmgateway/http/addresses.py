"""Where a request comes from, by address: asked only where a policy needs to know.

An address that a client can choose is worse than none. So what cannot be told for certain is
None, and a rule that lets in by address has to refuse that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from llmgateway.settings import Network, Proxy
from llmgateway.types.http import Headers, HTTPRequest

Address = IPv4Address | IPv6Address

_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):(?:\d{1,5}|_[\w.-]+)", re.ASCII)
"""RFC 7239, section 6, for what has a port."""

_PAIR = re.compile(
    r"[ \t]*(?:(?P<name>[\w!#$%&'*+.^`|~-]+)="
    r'(?:"(?P<quoted>[^"\\]*)"|(?P<token>[^\s,;="\\]+)))?[ \t]*',
    re.ASCII,
)
"""RFC 7239, section 4: a pair or nothing. No escapes, since no address needs them; colons and
brackets may stand outside of quotes too, as some proxies have them."""

_UNREADABLE = ("",)
_SOCKETS = (None, "", "localhost")
"""What servers call a peer that has no address: uvicorn, those that follow PEP 3333, waitress."""


def client_address(request: HTTPRequest, trusted: Sequence[Proxy]) -> Address | None:
    """Return the address of the client, or None where it cannot be told for certain.

    It is the peer's, unless the peer is one of the `trusted` proxies. Then it is the rightmost hop
    that is not one of them: each proxy adds at the right whom it was called by, and what stands
    left of the first stranger, that stranger may have made up. If all hops are trusted, it is the
    leftmost; if the proxy says nothing, the proxy's own. A hop that is no address, but has to be
    looked at, is None: the proxy hides whom it was called by.

    `X-Forwarded-For` and `Forwarded` (RFC 7239) are read, since a proxy writes one of them, and
    mostly hands on the other as the client has sent it. So where they tell of different clients
    it is None: which of them is forged cannot be told.

    A peer without an address is a proxy where `unix` is among the trusted. IPv4 mapped into IPv6 is
    IPv4; ports and zones are left out.
    """
    peer = _address_of(request.client or "")
    networks = [proxy for proxy in trusted if proxy != "unix"]
    is_socket = request.client in _SOCKETS and "unix" in trusted
    if not (is_socket or is_within(peer, networks)):
        return peer
    told = {_first_stranger(hops, networks) for hops in _chains(request.headers)}
    if not told:
        return peer
    return told.pop() if len(told) == 1 else None


def is_within(address: Address | None, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the networks; one that is not known is in none."""
    return address is not None and any(address in network for network in networks)


def _first_stranger(hops: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """Return the rightmost hop that is not trusted, or else the leftmost."""
    address = None
    for hop in reversed(hops):
        address = _address_of(hop)
        if not is_within(address, trusted):
            break
    return address


def _chains(headers: Headers) -> Iterator[Sequence[str]]:
    """Yield the hops, left to right, of each field that tells of them; none of them is empty."""
    # Proxies add a line of their own, or lengthen the last one: several are one list.
    if lines := headers.get_all("x-forwarded-for"):
        yield [hop.strip(" \t") for hop in ",".join(lines).split(",")]
    if lines := headers.get_all("forwarded"):
        yield _forwarded_hops(",".join(lines))


def _forwarded_hops(value: str) -> Sequence[str]:
    """Return the `for` of each element, empty where it has none.

    One fault makes all of it unreadable: a client's open quote must not hide what a proxy adds.
    """
    hops: list[str] = []
    pairs: dict[str, str] = {}
    place = 0
    while (pair := _PAIR.match(value, place)) is not None:
        if name := (pair["name"] or "").lower():
            if name in pairs:
                return _UNREADABLE
            pairs[name] = pair["quoted"] or pair["token"] or ""
        end = value[pair.end() : pair.end() + 1]
        if end not in ("", ",", ";"):
            break
        if end != ";":
            hops.append(pairs.get("for", ""))
            pairs = {}
        if not end:
            return hops
        place = pair.end() + 1
    return _UNREADABLE


def _address_of(node: str) -> Address | None:
    """Read an address, which may have a port, brackets and a zone; None if it is anything else."""
    if found := _WITH_PORT.fullmatch(node):
        node = found[1]
    bracketed = node.startswith("[") and node.endswith("]")
    try:
        address = ip_address(node[1:-1] if bracketed else node)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return None if bracketed else address
    # Written anew, since an address with a zone is unequal to the same one without.
    return address.ipv4_mapped or IPv6Address(int(address))
