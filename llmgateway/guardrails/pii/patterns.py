"""What may be of a kind, and whether it is: candidates from RE2, each judged on its own.

All work on views (`view.py`). Patterns take maximal runs, so that where a search began does not
matter, and what is judged is bounded: the whole is linear in the text.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from llmgateway.guardrails.pii.shapes import CARDS, IBAN_LENGTHS, KINDS, PEM_LENGTH
from llmgateway.guardrails.pii.vendors import CONTEXTS, EDGE, VENDORS
from llmgateway.guardrails.regexp import compile_own

__all__ = ["FINDERS", "Candidate", "groups_of_digits", "runs", "secrets"]


class Candidate(NamedTuple):
    """Where something stands in a view, and what more is known of it."""

    start: int
    end: int
    detail: str = ""


@cache
def _compiled(pattern: str) -> Any:
    # What RE2's binding itself takes for bytes: a third of the time for each match, and a view is
    # ASCII, so that places are the same.
    return compile_own(pattern)._compiled


def runs(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a pattern matches in a view: its first group, where it has one."""
    compiled = _compiled(pattern)
    group = min(1, compiled.groups)
    for match in compiled.finditer(text.encode("ascii")):
        yield match.span(group)


# Within a run of digits there is a group every few characters; Python's engine takes a tenth of the
# time for each, and cannot do worse than one pass over these.
_DIGITS = re.compile("[0-9]+")


def groups_of_digits(run: str) -> list[tuple[int, int]]:
    """Return where digits stand together."""
    return [match.span() for match in _DIGITS.finditer(run)]


def _is_word(text: str, position: int) -> bool:
    return 0 <= position < len(text) and (text[position].isalnum() or text[position] == "\x01")


_EMAIL = (
    r"[A-Za-z0-9._+%'~\-\x01\x02]+(?:@|%40)(?:[A-Za-z0-9\x01\-]+\.)+[A-Za-z\x01][A-Za-z0-9\x01\-]+"
)
_NO_DOMAINS = frozenset("png jpg jpeg gif svg webp avif css js mjs".split())


def emails(text: str) -> Iterator[Candidate]:
    """Addresses; `logo@2x.png` and `git@host:path` are none."""
    if "@" not in text and "%40" not in text:
        return
    for start, end in runs(_EMAIL, text):
        at = text.rfind("@", start, end)
        after = at + 1
        if at < 0:
            at = text.rfind("%40", start, end)
            after = at + 3
        if (dots := text.rfind("..", start, at)) >= 0:
            start = dots + 2
        while start < at and text[start] in "'.-%+~":
            start += 1
        start = max(start, at - 64)
        domain = text[after:end]
        is_git = text[start:at] == "git" and text[end : end + 1] == ":"
        if start == at or is_git or len(domain) > 253:
            continue
        if domain.rpartition(".")[2].lower() not in _NO_DOMAINS:
            yield Candidate(start, end)


_CARD_SHAPES = ((4, 4, 4, 4, 3), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 1))
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_CARD_FIRST = [first for first, _, _ in CARDS]


def is_card(digits: str) -> bool:
    """Tell whether these are a card's: issuer, length and check digit."""
    if not 13 <= len(digits) <= 19:
        return False
    row = bisect_right(_CARD_FIRST, int(digits[:4])) - 1
    if row < 0 or int(digits[:4]) > CARDS[row][1] or len(digits) not in CARDS[row][2]:
        return False
    signs = digits.encode()
    total = sum(signs[-1::-2]) + sum(signs[-2::-2].translate(_DOUBLED)) - 48 * len(signs)
    return total % 10 == 0 and len(set(signs)) > 1


def cards(text: str) -> Iterator[Candidate]:
    """Payment cards: digits in one, or in the groups that are printed on them."""
    for start, end in runs(r"[0-9]{4}[0-9 -]{8,}[0-9]", text):
        run = text[start:end]
        groups = groups_of_digits(run)
        sizes = tuple(last - first for first, last in groups)
        place = 0
        while place < len(groups):
            taken = _card_groups(run, groups, sizes, place)
            if taken:
                found = start + groups[place][0], start + groups[place + taken - 1][1]
                is_part = _is_word(text, found[0] - 1) or _is_word(text, found[1])
                if not is_part and not _is_fraction(text, found[0]):
                    yield Candidate(*found)
            place += taken or 1


def _is_fraction(text: str, start: int) -> bool:
    return text[start - 1 : start] == "." and text[max(0, start - 2) : start - 1].isdigit()


def _card_groups(
    text: str, groups: list[tuple[int, int]], sizes: tuple[int, ...], place: int
) -> int:
    """Return of how many groups a card is made that begins with this one; 0: none does."""
    first, last = groups[place]
    if sizes[place] != 4:
        return int(is_card(text[first:last]))
    for shape in _CARD_SHAPES:
        count = len(shape)
        if sizes[place : place + count] == shape:
            spelled = text[first : groups[place + count - 1][1]]
            gap = spelled[4]
            if spelled.count(gap) == count - 1 and is_card(spelled.replace(gap, "")):
                return count
    return 0


_IBAN_HEAD = r"[A-Za-z]{2}[0-9]{2}[ -]?[0-9A-Za-z]{4}"


def ibans(text: str) -> Iterator[Candidate]:
    """Account numbers of the registry's countries, in one or in groups of four."""
    for start, _ in runs(rf"(?:^|[^A-Za-z0-9])({_IBAN_HEAD})", text):
        length = IBAN_LENGTHS.get(text[start : start + 2].upper())
        end = _iban_end(text, start, length) if length else None
        if end is not None and _is_iban(text[start:end]):
            yield Candidate(start, end)


def _iban_end(text: str, start: int, length: int) -> int | None:
    if text[start + 4] not in " -":
        end = start + length
    else:
        end = start + length + (length - 1) // 4
        spread = text[start:end]
        if any(spread[gap] != spread[4] for gap in range(4, len(spread), 5)):
            return None
    return None if len(text) < end or _is_word(text, end) else end


def _is_iban(spelled: str) -> bool:
    plain = spelled.replace(" ", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum()) or len(plain) != IBAN_LENGTHS[plain[:2].upper()]:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def ip_addresses(text: str) -> Iterator[Candidate]:
    """IPv4 and IPv6 addresses; no versions (`v1.2.3.4`), none that stands for no machine."""
    for start, end in runs(r"[0-9]+(?:\.[0-9]+)+", text):
        if end - start <= 15 and not _is_version(text, start, end) and _is_ip(text[start:end]):
            yield Candidate(start, end)
    if text.count(":") < 2:
        return
    for start, end in runs(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]+", text):
        if text[start] == ":" and text[start + 1] != ":":
            start += 1
        while end > start and text[end - 1] in ".:" and text[end - 2 : end] != "::":
            end -= 1
        spelled = text[start:end]
        if end - start > 45 or _is_word(text, start - 1) or _is_word(text, end):
            continue
        if sum(sign.isalnum() for sign in spelled) >= 5 and _is_ip(spelled):
            yield Candidate(start, end)


def _is_ip(spelled: str) -> bool:
    if spelled.count(".") not in (0, 3):
        return False
    try:
        address = ipaddress.ip_address(spelled)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _is_version(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 9) : start]
    last = before[-1:]
    if _is_word(text, start - 1) or last in (".", "_") or _is_word(text, end):
        return True
    if last in ("-", "/") and before[-2:-1].isalpha():
        return True  # linux-6.1.0.13, Chrome/120.0.0.0
    if text[end : end + 1] in ("-", "_") and text[end + 1 : end + 2].isalpha():
        return True
    return before.lower().rstrip(" :=").endswith(("version", "release"))


_HEX = "[0-9A-Fa-f]"
_MAC = "|".join(rf"{_HEX}{{2}}(?:{sign}{_HEX}{{2}}){{5,}}" for sign in ":-")
_CISCO = rf"{_HEX}{{4}}(?:\.{_HEX}{{4}}){{2,}}"


def mac_addresses(text: str) -> Iterator[Candidate]:
    """Hardware addresses of 48 and 64 bits, in the spellings of IEEE and of Cisco."""
    for start, end in runs(f"{_MAC}|{_CISCO}", text):
        if end - start not in (14, 17, 23) or _is_word(text, start - 1) or _is_word(text, end):
            continue
        spelled = text[start:end]
        groups = spelled.replace("-", ":").replace(".", ":").split(":")
        is_cisco = "." in spelled and _has_digit(text, start, end)
        if len(set(groups)) > 1 and (end - start == 14) == is_cisco:
            yield Candidate(start, end)


_SSN = r"[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}"
_BARE_SSN = r"(?i:ssn|social security(?: number)?)[ :#=]{0,3}([0-9]+)"


def ssns(text: str) -> Iterator[Candidate]:
    """US social security numbers of areas that are given out."""
    for start, end in runs(_SSN, text):
        is_part = _is_word(text, start - 1) or _is_word(text, end) or _goes_on(text, start, end)
        if not is_part and _is_ssn(text[start:end]):
            yield Candidate(start, end)
    for start, end in runs(_BARE_SSN, text):
        if end - start == 9 and _is_ssn(text[start:end]) and not _is_word(text, end):
            yield Candidate(start, end)


def _goes_on(text: str, start: int, end: int) -> bool:
    """Tell whether digits go on before or after, beyond a dash."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return (before[:1].isdigit() and before[1:] == "-") or (
        after[:1] == "-" and after[1:].isdigit()
    )


def _is_ssn(spelled: str) -> bool:
    digits = spelled.replace("-", "").replace(" ", "")
    area = digits[:3]
    is_area = area not in ("000", "666") and area < "900"
    return len(digits) == 9 and is_area and digits[3:5] != "00" and digits[5:] != "0000"


@cache
def _vendor_pattern(row: int) -> str:
    vendor = VENDORS[row]
    prefixes = "|".join(_escaped(prefix) for prefix in vendor.prefixes)
    return rf"{EDGE}((?:{prefixes}){vendor.rest})"


def _escaped(prefix: str) -> str:
    return prefix.replace(".", r"\.").replace("+", r"\+")


def secrets(text: str, allowed: frozenset[str] = frozenset()) -> Iterator[Candidate]:
    """Keys of vendors, and what is a secret by what stands around it; `allowed`: not of these."""
    yield from _private_keys(text)
    for row, vendor in enumerate(VENDORS):
        if vendor.name in allowed or not any(prefix in text for prefix in vendor.prefixes):
            continue
        for start, end in runs(_vendor_pattern(row), text):
            if _is_random(text[start:end]):
                yield Candidate(start, min(end, start + KINDS["SECRET"].longest), vendor.name)
    lower = text.lower()
    for context in CONTEXTS:
        if context.name in allowed or not any(hint in lower for hint in context.hints):
            continue
        for start, end in runs(context.pattern, text):
            if _is_likely(context.name, text, start, end):
                yield Candidate(start, min(end, start + KINDS["SECRET"].longest), context.name)


def _is_likely(name: str, text: str, start: int, end: int) -> bool:
    if name == "url-password":
        return end - start <= 256
    return name in ("url-parameter", "authorization") or _has_digit(text, start, end)


def _has_digit(text: str, start: int, end: int) -> bool:
    return any(sign.isdigit() for sign in text[start:end])


# Some keys are letters only (Hugging Face's), and others may be by chance (one of 28 of AWS's).
_LETTERS_OF_A_KEY = re.compile("[A-Za-z]{16,}")


def _is_random(key: str) -> bool:
    """Tell a key from a name in words, such as `sk-learn-pipeline-steps`."""
    if _has_digit(key, 0, len(key)):
        return True
    return any(not run.islower() for run in _LETTERS_OF_A_KEY.findall(key))


_PEM_HEAD = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM_BODY = r"[A-Za-z0-9+/=\s\\:,\x02-]+"
_PEM_FOOT = r"^[^\x00]*?-----END [A-Z0-9 ]{0,60}-----"


def _private_keys(text: str) -> Iterator[Candidate]:
    """Keys in PEM and PGP's armour, up to their last line, or as far as they go."""
    if "PRIVATE KEY" not in text:
        return
    taken = 0
    for start, head in runs(_PEM_HEAD, text):
        if start < taken:
            continue
        rest = text[head : start + PEM_LENGTH]
        foot = next(runs(_PEM_FOOT, rest), None) or next(runs(rf"^{_PEM_BODY}", rest), (0, 0))
        taken = head + foot[1]
        yield Candidate(start, taken, "private-key")


FINDERS: dict[str, Callable[[str], Iterator[Candidate]]] = {
    "EMAIL_ADDRESS": emails,
    "CREDIT_CARD": cards,
    "IBAN_CODE": ibans,
    "IP_ADDRESS": ip_addresses,
    "MAC_ADDRESS": mac_addresses,
    "US_SSN": ssns,
}
"""All kinds but telephone numbers and secrets, which take settings."""
