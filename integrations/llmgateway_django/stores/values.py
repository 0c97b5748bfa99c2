"""Values as databases take them, all of them and without a word lost in silence."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings

from llmgateway.types.usage import Usage

__all__ = [
    "MAX_COUNT",
    "TOKENS",
    "list_as_text",
    "storable_name",
    "storable_id",
    "storable_json",
    "storable_text",
    "storable_time",
    "tokens_of",
]

MAX_COUNT = 2**63 - 1
TOKENS = (
    "input_tokens",
    "input_audio_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "output_audio_tokens",
    "reasoning_tokens",
)
"""The columns of `tokens_of`, in its order."""
_CUT = "…"


def storable_text(value: str | None, length: int | None = None) -> str:
    """Return a text that the database takes as it is: MariaDB would clip it and say nothing.

    Without a `length` its column takes any.
    """
    if not value:
        return ""
    if not value.isascii() or "\x00" in value:
        value = _clean(value)
    return value if length is None or len(value) <= length else value[: length - len(_CUT)] + _CUT


_LONGEST_NAME = 200
_known_name = lru_cache(maxsize=4096)(storable_text)


def storable_name(value: str | None, length: int | None = None) -> str:
    """Return the same for a text that comes again and again: of a key, a target, a model."""
    if value is not None and len(value) > _LONGEST_NAME:  # clients choose some: none is kept
        return storable_text(value, length)
    return _known_name(value, length)


def tokens_of(usage: Usage, most: int = MAX_COUNT) -> list[int]:
    """Return the counts of a usage, each within its column."""
    counts = [
        usage.input,
        usage.input_audio,
        usage.cache_read,
        usage.cache_write,
        usage.cache_write_1h,
        usage.output,
        usage.output_audio,
        usage.reasoning,
    ]
    if min(counts) < 0 or max(counts) > most:
        return [min(max(count, 0), most) for count in counts]
    return counts


def list_as_text(items: Any) -> str | None:
    """Return a column's list as JSON; None where nothing is in it."""
    return orjson.dumps(items).decode() if items else None


def storable_json(value: Any) -> str:
    """Return any value as JSON that every database takes."""
    try:
        text = orjson.dumps(value, default=dict).decode()
    except TypeError:  # lone surrogates, or integers beyond 64 bits
        return orjson.dumps(_storable(value)).decode()
    return orjson.dumps(_storable(orjson.loads(text))).decode() if "\\u0000" in text else text


def _storable(value: Any) -> Any:
    match value:
        case str():
            return _clean(value)
        case bool() | None | float():
            return value
        case int():
            return value if -(2**63) <= value <= MAX_COUNT else str(value)
        case list() | tuple():
            return [_storable(item) for item in value]
        case dict():
            return {_clean(str(key)): _storable(item) for key, item in value.items()}
    return _clean(str(value))


def _clean(text: str) -> str:
    """Put a sign in the place of what PostgreSQL refuses: NUL, and halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def storable_id(digits: str, connection: Any) -> str:
    """Return the 32 hexadecimal digits of a UUID as this database has it."""
    if not connection.features.has_native_uuid_field:
        return digits
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def storable_time(seconds: float, connection: Any) -> Any:
    """Return a time since the epoch as the project and this database have it."""
    zone = UTC if settings.USE_TZ else None
    return connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(seconds, zone))
