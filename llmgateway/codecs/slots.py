"""Every place of a body where words stand, in one shape for all formats.

Guardrails read and change a caller's own format through these, so that a native and a translated
target are guarded alike. A `Slot` knows where its text stands and can put another one there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import orjson

from llmgateway.codecs.written import written
from llmgateway.types import JSON

OPAQUE: Final = frozenset(
    {
        "b64_json",
        "cache_control",
        "call_id",
        "caller",
        "container_id",
        "data",
        "encrypted_content",
        "encrypted_index",
        "encrypted_stdout",
        "environment",
        "file_data",
        "file_id",
        "id",
        "media_type",
        "mime_type",
        "mimeType",
        "role",
        "signature",
        "status",
        "thoughtSignature",
        "thought_signature",
        "tool_use_id",
        "type",
    }
)
"""Members whose texts are for machines: names of kinds, ids, signatures, encoded files."""


class Part(Enum):
    """Which kind of body is read."""

    REQUEST = "request"
    RESPONSE = "response"
    EVENT = "event"
    """One event of a stream, parsed."""


class SlotKind(Enum):
    """How a slot's text relates to the text that it belongs to."""

    TEXT = "text"
    """A whole text, told once."""
    DELTA = "delta"
    """The next piece of a text (events only)."""
    COPY = "copy"
    """What has been told by deltas or elsewhere, told again; it takes on their mask."""
    TOKEN = "token"
    """A token of log probabilities: masked with its text, never judged."""
    END = "end"
    """No text: the channel ends with this event (the channel `""` stands for all of its choice,
    the choice -1 for the whole stream), so that what is held back of it can go out before."""


class Place(Enum):
    """What a text is for the model or its reader."""

    TEXT = "text"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL_ARGUMENTS = "tool_arguments"
    TOOL_RESULT = "tool_result"
    OTHER = "other"
    """What is neither said nor answered: names and descriptions of tools, citations' quotes."""


@dataclass(slots=True, eq=False)
class Slot:
    """One text and where it stands."""

    text: str
    put: Callable[[str], None] = field(repr=False)
    """Write another text in its place, into the body that was read."""
    role: str = "assistant"
    """`system` (developer too), `user`, `assistant` or `tool`."""
    kind: SlotKind = SlotKind.TEXT
    place: Place = Place.TEXT
    choice: int = 0
    channel: str = "text"
    """Which text of the choice this is a piece of, within one answer or stream; unique for each
    content block, output item or tool call: `text:0`, `reasoning:1`, `call:2`."""
    turn: int = 0
    """The message's place in the request; -1 for a system prompt that stands outside of them."""
    tool: str | None = None
    """The tool's name, with arguments and results, where the body says it here."""
    is_json: bool = False
    """Whether the text is JSON itself (tool arguments), so that what is put into one of its
    strings must be escaped."""


def member(container: Any, key: str | int) -> Callable[[str], None]:
    """Return what writes into a dict's member or a list's element."""

    def put(text: str) -> None:
        container[key] = text

    return put


def text_slot(container: JSON, key: str, **facts: Any) -> list[Slot]:
    """Return the slot of a member that holds a text; none where it holds something else or ""."""
    text = container.get(key)
    if not isinstance(text, str) or not text:
        return []
    return [Slot(text, member(container, key), **facts)]


def json_slot(container: JSON, key: str, **facts: Any) -> list[Slot]:
    """Return the slot of a member that holds an object or a list; its text is compact JSON.

    A text that is put there and is none of the same kind any more becomes `{"text": …}`, so that
    what was there before is gone in any case. A member that holds a text is taken for JSON as well.
    """
    value = container.get(key)
    is_call = facts.get("tool") is not None  # of which the name alone may decide
    if isinstance(value, str) and (value or not is_call):
        return text_slot(container, key, is_json=True, **facts)
    if is_call and (value is None or value == ""):
        return [Slot("", member(container, key), is_json=True, **facts)]
    if not isinstance(value, dict | list) or not (value or is_call):
        return []

    def put(text: str) -> None:
        try:
            read = orjson.loads(text)
        except ValueError:
            read = None
        container[key] = read if type(read) is type(value) else {"text": text}

    return [Slot(written(value), put, is_json=True, **facts)]


def leaf_slots(
    container: JSON, key: str, *, channel: str, skip: frozenset[str] = OPAQUE, **facts: Any
) -> list[Slot]:
    """Return the slots of all texts within a member, however deep, but for members named in `skip`.

    Where the member is a text itself its channel is `channel`; else the texts within are numbered:
    `result:3.0`, `result:3.1`.
    """
    if isinstance(container.get(key), str):
        return text_slot(container, key, channel=channel, **facts)
    found: list[Slot] = []
    waiting: list[tuple[Any, Any]] = [(container, key)] if key in container else []
    while waiting:
        holder, place = waiting.pop()
        value = holder[place]
        if isinstance(value, str) and value:
            number = f"{channel}.{len(found)}"
            found.append(Slot(value, member(holder, place), channel=number, **facts))
        elif isinstance(value, dict):
            waiting.extend((value, name) for name in reversed(value) if name not in skip)
        elif isinstance(value, list):
            waiting.extend((value, index) for index in reversed(range(len(value))))
    return found


def objects_in(value: Any) -> list[tuple[int, JSON]]:
    """Return the objects of a list and their places in it; none for anything else."""
    entries = enumerate(value) if isinstance(value, list) else ()
    return [(index, one) for index, one in entries if isinstance(one, dict)]


def end_slot(channel: str = "", choice: int = 0) -> Slot:
    """Return what tells that a channel ends with an event; see `SlotKind.END`."""
    return Slot("", nowhere, kind=SlotKind.END, choice=choice, channel=channel)


def nowhere(text: str) -> None:
    """Put a text where there is no place for one."""


WHOLE_STREAM: Final = -1
"""The choice of an `end_slot` that ends all texts."""
