"""Values as JavaScript sees them, for configs were first written for a JavaScript gateway.

Only what routing needs: strict equality, `parseFloat`, and the text of a number.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, Final

UNDEFINED: Final = object()
"""The value of a field that is not there; equal to nothing, not even to null."""

_FLOAT = re.compile(
    r"[\s\ufeff]*([+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))"
)
_MAX_NUMBER_CHARS = 1024
_MAX_EXACT_INTEGER = 2**53


def strictly_equal(left: Any, right: Any) -> bool:
    """Tell whether `left === right` holds: no conversion, and objects never equal one another."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return left is None and right is None


def parse_float(value: Any) -> float:
    """Return `parseFloat(value)`: the number that a text begins with, else not-a-number.

    Lists and objects are not numbers here, although JavaScript reads `[5]` as 5.
    Source: ECMA-262, section 19.2.4.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    # No number is that long; cut, so that a prompt is not read digit by digit.
    match = _FLOAT.match(value[:_MAX_NUMBER_CHARS]) if isinstance(value, str) else None
    return float(match[1]) if match else math.nan


def text_of(value: Any) -> str | None:
    """Return the text of a string, a number or a boolean; None for all that is none of these."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return None


def number_text(number: float) -> str:
    """Return `String(number)`: `1` for 1.0, `1e+21` for 10**21.

    Source: ECMA-262, section 6.1.6.1.20.
    """
    if isinstance(number, int) and abs(number) <= _MAX_EXACT_INTEGER:
        return str(number)
    number = float(number)
    if number == 0 or not math.isfinite(number):
        return {0.0: "0", math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")
    # Python's repr has the same shortest digits; only where the point goes differs.
    sign, all_digits, exponent = Decimal(repr(number)).as_tuple()
    point = len(all_digits) + int(exponent)
    digits = "".join(map(str, all_digits)).rstrip("0")
    return "-" * sign + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """Write `0.digits × 10**point` as JavaScript does."""
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
