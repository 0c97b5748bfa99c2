"""Every place of a body where words stand, in one shape for all formats.

Guardrails read and change a caller's own format through these, so that a native and a translated
target are guarded alike. A `Slot` knows where its text stands and can put another one there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from llmgateway.types import JSON


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
