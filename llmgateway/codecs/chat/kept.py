"""Carries an answer's blocks through clients that keep `content` and `extra_content` alone.

A kept entry is a block without the text that `content` has already: it says in `at` how many
characters of `content` precede it, and, if it is a text, in `length` how many are its own. So a
text has one owner, and a mask on `content` misses none. Entries have a dense `index` of their own,
since clients gather the lists of deltas by it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from llmgateway.codecs.hub import APPENDED, Block, merge_blocks, texts_of
from llmgateway.types import JSON

_TYPE_OF_MEMBER: Final = {"thinking": "thinking", "signature": "thinking", "text": "text"}


def kept_entries(blocks: list[Block]) -> list[JSON]:
    """Return what `content` cannot carry of these blocks; empty if it carries them all."""
    kept: list[JSON] = []
    at, after_text = 0, False
    for block in blocks:
        entry = {key: value for key, value in block.items() if key not in ("index", "text")}
        is_text = block.get("type") == "text"
        length = text_length(block) if is_text else 0
        if is_text:
            entry["length"] = length
        # A plain text is worth an entry only where nothing else parts it from the one before.
        is_plain = is_text and entry.keys() == _PLAIN
        if not is_plain or (after_text and length):
            kept.append({"index": len(kept), **entry, "at": at})
        at, after_text = at + length, is_text
    return kept


_PLAIN: Final = {"type", "length"}


def text_length(block: Block) -> int:
    """Return how much of `content` is this text block's."""
    text = block.get("text")
    return len(text) if isinstance(text, str) else _number(block.get("length"), 0)


def gather(blocks: dict[int, Block], entries: Any) -> None:
    """Merge a chunk's entries, with the length of a text in the place of the text."""
    for entry in entries or []:
        text = entry.get("text")
        if text is None:
            merge_blocks(blocks, [entry])
            continue
        block = blocks.setdefault(entry["index"], {})
        block["length"] = block.get("length", 0) + len(text)
        merge_blocks(blocks, [{key: value for key, value in entry.items() if key != "text"}])


def restored(message: JSON) -> list[Block]:
    """Return the blocks that an assistant turn of a client's history carries; may be none.

    They come as `content_blocks`, whole or gathered from deltas, or as kept entries.
    """
    own = _entries(message.get("content_blocks"))
    extra = message.get("extra_content")
    kept = _entries(extra.get("content_blocks")) if isinstance(extra, dict) else []
    if own or any(isinstance(entry.get("text"), str) for entry in kept):
        blocks = [_block(entry) for entry in own or kept]
    elif kept:
        content = message.get("content")
        blocks = list(_woven("".join(texts_of(content)), kept))
        _mark(blocks, content)
    else:
        blocks = []
    return [block for block in blocks if _is_sound(block)]


def _is_sound(block: Block) -> bool:
    """Whether a block that came from a client has what its type must have."""
    must = _MUST.get(block["type"])
    return must is None or isinstance(block.get(must), str)


_MUST: Final = {"redacted_thinking": "data", "opaque": "wire"}


def _entries(value: object) -> list[JSON]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _block(entry: JSON) -> Block:
    """Return a block as the hub has it; an entry gathered from deltas holds it in `delta`."""
    delta = entry.get("delta")
    block: dict[str, Any] = {key: value for key, value in entry.items() if key not in _PLACES}
    if isinstance(delta, dict):
        block |= delta
    for member in APPENDED & block.keys():
        if not isinstance(block[member], str):
            del block[member]
    if not isinstance(block.get("type"), str):
        found = (kind for member, kind in _TYPE_OF_MEMBER.items() if member in block)
        block["type"] = next(found, "redacted_thinking")
    if block["type"] in ("text", "thinking"):
        block.setdefault(block["type"], "")
    return block


_PLACES: Final = frozenset({"index", "at", "length", "delta"})


def _woven(content: str, kept: list[JSON]) -> Iterator[Block]:
    """Put kept entries back among the text; where that was changed, they stay in order."""
    done = 0
    for entry in kept:
        at = min(max(_number(entry.get("at"), done), done), len(content))
        if at > done:
            yield {"type": "text", "text": content[done:at]}
        done = at
        if entry.get("type") == "text":
            done = min(at + max(_number(entry.get("length"), 0), 0), len(content))
            yield {**_block(entry), "text": content[at:done]}
        else:
            yield _block(entry)
    if done < len(content):
        yield {"type": "text", "text": content[done:]}


def _mark(blocks: list[Block], content: object) -> None:
    """Give the blocks the cache marks of the parts of `content` that they were woven from."""
    texts = [block for block in blocks if block["type"] == "text"]
    ends = list(accumulate(map(text_length, texts)))
    end = 0
    for part in content if isinstance(content, list) else ():
        end += sum(map(len, texts_of([part])))
        if isinstance(part, dict) and isinstance(part.get("cache_control"), dict):
            place = bisect_left(ends, end)
            if place < len(texts):
                texts[place]["cache_control"] = part["cache_control"]


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
