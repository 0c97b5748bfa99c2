"""The host of an address as browsers read it, and the lists that it is held against.

Readers of addresses differ, and attackers live on the difference (`https://good.com\\@evil.com`).
Where two could see two hosts, there is none: `None`, which no list allows.
Source: https://url.spec.whatwg.org/#host-parsing, https://www.unicode.org/reports/tr46/.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from llmgateway.guardrails.base import ParameterFault

MAX_AUTHORITY = 1024
_MAX_HOST = 253
# IDNA of 2003 and of 2008 make two hosts of these.
_DEVIATIONS = frozenset("ß\u1e9eς\u200c\u200d")
_DOTS = str.maketrans("。．｡", "...")
# Browsers refuse an address with one of these before its path, so there it has ended.
_REFUSED = re.compile(r"[\[\]^|]")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def read_authority(authority: str) -> str | None:
    """Return the host of what stands between an address's `//` and its path.

    In lower case, as ASCII (punycode), without port and last dot. What a text has right behind it
    (a bracket, a comma) is no part of it. None: it cannot be read in one way only.
    """
    if "@" in authority or "\\" in authority or len(authority) > MAX_AUTHORITY:
        return None
    if authority.startswith("["):
        return _address(authority[1:].partition("]")[0])
    try:
        decoded = unquote_to_bytes(_REFUSED.split(authority, maxsplit=1)[0]).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return None
    decoded = decoded.translate(_DOTS)
    end = next((at for at, one in enumerate(decoded) if not _is_named(one)), len(decoded))
    # Other characters may stand in a host's name, but in no top-level one: without a dot behind
    # them they end the address for everybody.
    if "." in unicodedata.normalize("NFKC", decoded[end:]).rstrip("."):
        return None
    return canonical(_without_prose(decoded[:end]))


def _is_named(character: str) -> bool:
    """Tell whether a host's name may have the character, or what IDNA makes of it."""
    if character.isascii():
        return character.isalnum() or character in "-._"
    # Letters, marks and numbers; what is invisible is dropped.
    return unicodedata.category(character)[0] in "LMN" or unicodedata.category(character) == "Cf"


def _without_prose(name: str) -> str:
    """Cut Chinese, Thai or such that follows an address without a space: `example.com的`.

    No top-level name mixes those scripts with Latin letters.
    """
    start = name.rfind(".") + 1
    for at in range(start + 1, len(name)):
        if unicodedata.category(name[at]) == "Lo" and name[start:at].isascii():
            return name[:at]
    return name


def canonical(name: str) -> str | None:
    """Return a host's name or address in its one form; None where it has none."""
    if any(one in _DEVIATIONS for one in name):
        return None
    name = name.rstrip(".")
    try:
        ascii_name = name.lower() if name.isascii() else name.encode("idna").decode().lower()
    except UnicodeError:
        return None
    labels = ascii_name.split(".")
    if len(ascii_name) > _MAX_HOST or not all(map(_LABEL.fullmatch, labels)):
        return None
    # A name that ends in a number is an address, in as many spellings as there are readers.
    return _address(ascii_name) if _NUMBER.fullmatch(labels[-1]) else ascii_name


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


class HostList:
    """Hosts by name, and by `*.` all below one."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._parents: set[str] = set()
        for index, pattern in enumerate(patterns):
            is_parent = pattern.startswith("*.")
            name = canonical(pattern.removeprefix("*.")) or _address(pattern.strip("[]"))
            if name is None or pattern.endswith("."):
                raise ParameterFault("This is no host: example.com or *.example.com", (index,))
            (self._parents if is_parent else self._names).add(name)

    def __contains__(self, host: object) -> bool:
        if not isinstance(host, str) or host in self._names:
            return host in self._names
        labels = host.split(".")
        return any(".".join(labels[at:]) in self._parents for at in range(1, len(labels)))

    def __bool__(self) -> bool:
        return bool(self._names or self._parents)
