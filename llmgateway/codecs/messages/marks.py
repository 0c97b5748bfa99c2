"""Takes out of a Messages client's history what our door wrote into it: see `carrier`.

The API checks that thoughts and redacted ones are its own, and that a citation of a search has an
index of its own making.
"""

from __future__ import annotations

from typing import Any

from llmgateway.codecs.base import Unmarked
from llmgateway.codecs.messages.carrier import is_ours
from llmgateway.codecs.messages.shape import as_list, kind_of
from llmgateway.codecs.messages.turns import has_lost_thinking
from llmgateway.types import JSON


def without_marks(body: JSON) -> Unmarked:
    """Return the request without our marks; implements `Door.without_marks`.

    Thinking is turned off where the calls that are being answered have lost all their thoughts.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return Unmarked(body)
    found: dict[str, None] = {}
    cleaned = [turn for message in messages for turn in _turn(message, found)]
    if not found:
        return Unmarked(body)
    kept = {**body, "messages": cleaned}
    turns = [turn for turn in cleaned if isinstance(turn, dict)]
    if kind_of(body.get("thinking")) == "enabled" and has_lost_thinking(turns):
        found["thinking"] = None
        kept["thinking"] = {"type": "disabled"}
    return Unmarked(kept, tuple(found))


def _turn(message: Any, found: dict[str, None]) -> list[Any]:
    """Return a turn in a list, which is empty if nothing but marks was said."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list) or message.get("role") != "assistant":
        return [message]
    blocks = [_without_made_up(block, found) for block in content if not _is_ours(block)]
    if len(blocks) < len(content):
        found["messages.thinking"] = None
    return [{**message, "content": blocks}] if blocks else []


def _is_ours(block: Any) -> bool:
    match kind_of(block):
        case "redacted_thinking":
            return is_ours(block.get("data"))
        case "thinking":
            return is_ours(block.get("signature"))
    return False


def _without_made_up(block: Any, found: dict[str, None]) -> Any:
    """Return a text without the citations that no search of the API's gave."""
    citations = as_list(block.get("citations")) if kind_of(block) == "text" else []
    kept = [one for one in citations if not _is_made_up(one)]
    if len(kept) == len(citations):
        return block
    found["messages.citations"] = None
    return {**block, "citations": kept or None}


def _is_made_up(citation: Any) -> bool:
    return isinstance(citation, dict) and is_ours(citation.get("encrypted_index"))
