"""Which kinds of personal data are known, as data.

Bounds are in characters of a view (`view.py`), in which an escape such as `\\u0040` is one.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "CARDS",
    "CONTEXT",
    "IBAN_LENGTHS",
    "KINDS",
    "LONGEST_UNIT",
    "MAX_SPAN",
    "OTHER_KINDS",
    "PEM_LENGTH",
    "Kind",
    "known_kind",
    "window_limit",
]


class Kind(NamedTuple):
    """One kind of personal data."""

    name: str
    longest: int
    """Characters of the view."""
    rank: int
    """Of two that overlap, the higher is the more certain."""


PEM_LENGTH = 8192
"""How long a private key may be, in characters as it stands; an RSA key of 8,192 bits has 6,400."""
_TOKEN_LENGTH = 4096

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("SECRET", _TOKEN_LENGTH, 9),
        Kind("EMAIL_ADDRESS", 320, 8),
        Kind("IBAN_CODE", 42, 7),
        Kind("CREDIT_CARD", 24, 6),
        Kind("MAC_ADDRESS", 23, 5),
        Kind("US_SSN", 11, 4),
        Kind("IP_ADDRESS", 45, 3),
        Kind("PHONE_NUMBER", 40, 1),
    )
}
OTHER_KINDS = ("NAME", "LOCATION_ADDRESS")
"""Kinds of Portkey's that no pattern knows: a recogniser must."""
_ALIASES = {
    "SSN": "US_SSN",
    "EMAIL": "EMAIL_ADDRESS",
    "PHONE": "PHONE_NUMBER",
    "IBAN": "IBAN_CODE",
    "MAC": "MAC_ADDRESS",
    "IP": "IP_ADDRESS",
    "API_KEY": "SECRET",
}

LONGEST_UNIT = 7
"""How many characters stand for one of the view at most: `\\\\u0040`."""
CONTEXT = 1
"""How many characters beside a span decide whether it is one. (Words before it may too, see
`cuts.py`, which is why a stream is cut by `StreamMask`, not at fixed places.)"""
MAX_SPAN = max(PEM_LENGTH, _TOKEN_LENGTH)
"""The longest of all kinds, in characters of the text, where no token is written in escapes."""


def known_kind(name: str) -> str | None:
    """Return the name of a kind, however it is spelled; None for one that is unknown."""
    upper = name.upper()
    upper = _ALIASES.get(upper, upper)
    return upper if upper in KINDS or upper in OTHER_KINDS else None


def window_limit(kinds: frozenset[str]) -> int | None:
    """Return how many characters of overlap windows need to find these kinds whole.

    None where a recogniser is asked, which may look at the whole text.
    """
    if not kinds <= KINDS.keys():
        return None
    if "SECRET" in kinds:
        return MAX_SPAN + 64
    longest = max((KINDS[kind].longest for kind in kinds), default=0)
    return longest * LONGEST_UNIT + 2 * CONTEXT


CARDS: tuple[tuple[int, int, frozenset[int]], ...] = (
    # First and last of the first four digits; how many digits there are. Source: ISO/IEC 7812
    # and the networks' own tables of issuer ranges.
    (2200, 2204, frozenset({16, 17, 18, 19})),  # Mir
    (2221, 2720, frozenset({16})),  # Mastercard
    (3000, 3059, frozenset({14, 16, 17, 18, 19})),  # Diners Club
    (3095, 3095, frozenset({14, 16, 17, 18, 19})),
    (3400, 3499, frozenset({15})),  # American Express
    (3528, 3589, frozenset({16, 17, 18, 19})),  # JCB
    (3600, 3699, frozenset({14, 16, 17, 18, 19})),  # Diners Club
    (3700, 3799, frozenset({15})),  # American Express
    (3800, 3999, frozenset({14, 16, 17, 18, 19})),
    (4000, 4999, frozenset({13, 16, 19})),  # Visa
    (5018, 5018, frozenset(range(13, 20))),  # Maestro
    (5020, 5020, frozenset(range(13, 20))),
    (5038, 5038, frozenset(range(13, 20))),
    (5100, 5599, frozenset({16})),  # Mastercard
    (5893, 5893, frozenset(range(13, 20))),  # Maestro
    (6011, 6011, frozenset({16, 17, 18, 19})),  # Discover
    (6200, 6299, frozenset({16, 17, 18, 19})),  # UnionPay
    (6304, 6304, frozenset(range(13, 20))),  # Maestro
    (6440, 6599, frozenset({16, 17, 18, 19})),  # Discover
    (6759, 6763, frozenset(range(13, 20))),  # Maestro
    (8100, 8171, frozenset({16, 17, 18, 19})),  # UnionPay
)

_IBAN_COUNTRIES = {
    # By length. Source: SWIFT's IBAN registry, release 99.
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS: dict[str, int] = {
    country: length
    for length, countries in _IBAN_COUNTRIES.items()
    for country in countries.split()
}
