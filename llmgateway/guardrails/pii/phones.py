"""Telephone numbers: candidates from RE2, judged by `phonenumbers` (extra `guardrails`).

That library's own search takes seconds on hostile text (1.7 s on 100 KiB of `1/2/`). Here it is
asked about a number of candidates at most, each within 40 characters;
what is left beyond that counts as a number if it has the shape of one, so that none gets by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgateway.guardrails.base import ParameterFault
from llmgateway.guardrails.pii.patterns import Candidate, groups_of_digits, runs
from llmgateway.guardrails.pii.shapes import KINDS
from llmgateway.late import import_late

__all__ = ["ASKED_AT_MOST", "Asker", "is_region", "library", "phones"]

ASKED_AT_MOST = 256
"""Of how many candidates the library is asked in one text."""
_RUN = (
    r"\+\(?[0-9](?:[ ().\-/]{0,3}[0-9])+"
    r"|\(?[0-9]+(?:[ ().\-/]{1,3}[0-9]{2,})+"
    r"|[0-9]{10,}"
)
"""With a plus sign any groups; without one, all but the first of two digits at least."""
_MOST_DIGITS = 15
_MOST_GROUPS = 7


def library() -> Any:
    """Return the module; raises `ParameterFault` where it is not installed."""
    try:
        return import_late("phonenumbers")
    except ImportError:
        raise ParameterFault(
            "Telephone numbers need phonenumbers, which this gateway lacks; "
            "install llmgateway[guardrails]"
        ) from None


def is_region(code: str) -> bool:
    """Tell whether this is a region's code, such as `US`."""
    return code in library().SUPPORTED_REGIONS


class Asker:
    """The library, and how often it may still be asked; one for each text."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = regions
        self.left = ASKED_AT_MOST

    def is_number(self, spelled: str) -> bool:
        if self.left <= 0:
            return True
        self.left -= 1
        return _is_number(spelled, self._regions)


def _is_number(spelled: str, regions: tuple[str, ...]) -> bool:
    numbers = library()
    for region in (None,) if spelled.startswith("+") else regions:
        try:
            parsed = numbers.parse(spelled, region)
        except numbers.NumberParseException:
            continue
        # 123-45-6789-01 is none of North America's: there a 1 before the area stands apart.
        is_split = parsed.country_code == 1 and spelled[:1] == "1" and spelled[1:2].isdigit()
        if numbers.is_valid_number(parsed) and not (is_split and not spelled.isdigit()):
            return True
    return False


def phones(text: str, asker: Asker) -> Iterator[Candidate]:
    """International numbers, and those of the given regions as they are dialled there."""
    for start, end in runs(_RUN, text):
        if _stands_alone(text, start, end):
            yield from _in_run(text, start, end, asker)


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if before.isalnum() or after.isalnum() or before in ("_", "\x01") or after in ("_", "\x01"):
        return False
    # What is part of a number or an identifier, and amounts.
    is_joined = before in (".", "-") and text[max(0, start - 2) : start - 1].isdigit()
    return not is_joined and before != "$"


def _in_run(text: str, start: int, end: int, asker: Asker) -> Iterator[Candidate]:
    groups = [(start + one, start + last) for one, last in groups_of_digits(text[start:end])]
    place = 0
    while place < len(groups):
        first = _with_sign(text, start, groups, place)
        taken = _number_at(text, first, groups, place, asker)
        if taken:
            last = groups[place + taken - 1][1]
            yield Candidate(_opened(text, first, last), last)
        place += taken or 1


def _with_sign(text: str, start: int, groups: list[tuple[int, int]], place: int) -> int:
    """Return where a number begins, with the plus sign or bracket before its first digit."""
    first = groups[place][0]
    floor = groups[place - 1][1] if place else start
    while first > floor and text[first - 1] in "+(":
        first -= 1
    return first


def _opened(text: str, first: int, last: int) -> int:
    """Return where a number begins, without a bracket that is closed after it, if at all."""
    return first + 1 if text[first] == "(" and ")" not in text[first:last] else first


def _number_at(
    text: str, first: int, groups: list[tuple[int, int]], place: int, asker: Asker
) -> int:
    """Return of how many groups a number is made that begins with this one; 0: none does."""
    counts: list[tuple[int, int]] = []
    digits = 0
    for begin, end in groups[place : place + _MOST_GROUPS]:
        digits += end - begin
        if digits > _MOST_DIGITS or end - first > KINDS["PHONE_NUMBER"].longest:
            break
        counts.append((end, digits))
    for count in range(len(counts), 0, -1):
        last, digits = counts[count - 1]
        if digits < 7:
            break
        spelled = text[_opened(text, first, last) : last]
        if _has_shape(spelled, digits, count) and asker.is_number(spelled):
            return count
    return 0


def _has_shape(spelled: str, digits: int, count: int) -> bool:
    """Tell whether the library should be asked: no date, no decimal number, no list of digits."""
    if spelled[0] == "+":
        return True
    if "+" in spelled or spelled.count("(") != spelled.count(")"):
        return False
    if count == 1:
        return 10 <= digits <= 12
    if "(" not in spelled and (digits < 9 or digits / count < 2):
        return False
    if "." in spelled and (" " in spelled or "-" in spelled):
        return False
    is_date = spelled[:4].isdigit() and spelled[4:5] in "-/." and spelled[7:8] == spelled[4:5]
    return not is_date and not (count == 2 and "." in spelled)
