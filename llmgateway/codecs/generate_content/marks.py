"""Takes out of a Gemini client's history what our door wrote into it: see `carried`."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Unmarked
from llmgateway.codecs.generate_content.carried import is_carrier, is_packed
from llmgateway.codecs.generate_content.shape import pick
from llmgateway.types import JSON

_COUNTED: Final = ("generateContentRequest", "generate_content_request")
"""Where a count of tokens has the whole request."""
_SIGNATURE: Final = ("thoughtSignature", "thought_signature")
_EMPTY: Final[tuple[JSON, ...]] = ({"text": ""}, {"text": "", "thought": True})


def without_marks(body: JSON) -> Unmarked:
    """Return the request without our marks; implements `Door.without_marks`."""
    found: dict[str, None] = {}
    cleaned = _request(body, found)
    for name in _COUNTED:
        if isinstance(cleaned.get(name), dict):
            cleaned = {**cleaned, name: _request(cleaned[name], found)}
    return Unmarked(cleaned, tuple(found)) if found else Unmarked(body)


def _request(body: JSON, found: dict[str, None]) -> JSON:
    contents = body.get("contents")
    if not isinstance(contents, list):
        return body  # a text, or one turn, which is the user's
    turns = [_turn(turn, found) for turn in contents]
    return {**body, "contents": [turn for turn in turns if turn is not None]}


def _turn(turn: Any, found: dict[str, None]) -> Any:
    """Return a turn, or None for one that held only what we carried through the client."""
    parts = turn.get("parts") if isinstance(turn, dict) else None
    if not isinstance(parts, list) or not parts:
        return turn
    cleaned = [_part(part, found) for part in parts]
    kept = [part for part in cleaned if part is not None]
    return {**turn, "parts": kept} if kept else None


def _part(part: Any, found: dict[str, None]) -> Any:
    if not isinstance(part, dict):
        return part
    if is_carrier(part):
        found["contents.parts.partMetadata"] = None
        return None
    if not is_packed(pick(part, _SIGNATURE[0])):
        return part
    found["contents.parts.thoughtSignature"] = None
    bare = {key: value for key, value in part.items() if key not in _SIGNATURE}
    return None if bare in _EMPTY else bare
