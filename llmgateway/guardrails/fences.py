"""Code blocks and JSON within a text that people or models wrote.

Both are found in one pass or within a bound: what is read here is the model's, or an attacker's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

_FENCE = "```"
_MAX_ATTEMPTS = 64
"""At how many opening braces a text is tried that did not hold JSON at the ones before."""
_MAX_READ = 4 * 2**20
"""How many characters are read in vain at most."""
_MAX_FOUND = 32
_MAX_BLOCKS = 500
"""How many fenced blocks are tried."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block."""

    language: str
    """In lower case; "" where none is named."""
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """JSON that stands in a text."""

    text: str
    value: Any


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks that are closed."""
    position = text.find(_FENCE)
    while position >= 0:
        start = _after_fence(text, position)
        end = text.find(_FENCE, start)
        if end < 0:
            return
        language = _language(text, start, end)
        body = text[start + len(language) : end]
        yield Block(language.lower(), body.strip())
        position = text.find(_FENCE, _after_fence(text, end))


def _after_fence(text: str, position: int) -> int:
    while position < len(text) and text[position] == "`":
        position += 1
    return position


def _language(text: str, start: int, end: int) -> str:
    stop = start
    while stop < min(end, start + 40) and (text[stop].isalnum() or text[stop] in "+#-_."):
        stop += 1
    return text[start:stop]


def json_in(text: str) -> list[Found]:
    """Return the JSON of a text: that of fenced blocks, else a whole list, else each object."""
    tried = islice(blocks(text), _MAX_BLOCKS)
    fenced = list(islice((found for block in tried for found in _whole(block.text)), _MAX_FOUND))
    if fenced:
        return fenced
    return (_whole(text) if text.lstrip()[:1] == "[" else []) or _objects(text)


def _whole(text: str) -> list[Found]:
    try:
        return [Found(text, json.loads(text, parse_constant=_refuse))]
    except (ValueError, RecursionError):
        return []


def _objects(text: str) -> list[Found]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    found: list[Found] = []
    attempts = wasted = 0
    position = text.find("{")
    while position >= 0 and len(found) < _MAX_FOUND:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as exc:
            # Where it stopped; a failure that does not say may have read everything.
            stopped = exc.pos if isinstance(exc, json.JSONDecodeError) else len(text)
            attempts, wasted = attempts + 1, wasted + stopped - position
            if attempts >= _MAX_ATTEMPTS or wasted > _MAX_READ:
                break
            end = position + 1
        else:
            found.append(Found(text[position:end], value))
        position = text.find("{", end)
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
