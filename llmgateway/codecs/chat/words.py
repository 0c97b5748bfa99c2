"""Finds the words of one message or delta, whichever of the family's ways it has to tell them.

`hub` lists our own extensions. The others are the providers': reasoning under several names,
thoughts as parts of the content, content that is an object, tools that the provider runs itself.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from llmgateway.codecs.slots import Place, Slot, json_slot
from llmgateway.codecs.slots import member as slot_member
from llmgateway.codecs.spots import Source, Spot, Voice, obj, objects, spots, walk, words_under
from llmgateway.types import JSON


def message_slots(
    message: JSON,
    voice: Voice,
    place: Place = Place.TEXT,
    tool: str | None = None,
    beside: list[Spot] | None = None,
) -> list[Slot]:
    """Return all slots of a message; `place` and `tool` are those of its content.

    `beside` are texts outside of the message that may tell its content again.
    """
    if not beside and _is_plain(message):
        return [voice.text(message, "content", place, tool)] if message.get("content") else []
    content = _Content(message.get("content"), message)
    blocks, kept = _blocks(message), _blocks(obj(message.get("extra_content")))
    texts = (
        Source("content", content.texts),
        Source("content_blocks", _of_blocks(blocks, "text")),
        Source("beside", beside or []),
        Source("extra_content", _of_blocks(kept, "text"), is_closing=True),
    )
    thoughts = (
        *(Source(name, spots(message, name)) for name in _REASONING),
        Source("reasoning_details", _details(message)),
        Source("thinking_blocks", _members(message.get("thinking_blocks"), "thinking")),
        Source("content", content.thoughts),
        Source("content_blocks", _of_blocks(blocks, "thinking")),
        Source("content_blocks.opaque", _opaque_details(blocks)),
        Source("extra_content", _of_blocks(kept, "thinking"), is_closing=True),
        Source("extra_content.opaque", _opaque_details(kept), is_closing=True),
    )
    refusals = (
        Source("refusal", spots(message, "refusal")),
        Source("content", content.refusals),
    )
    return [
        *voice.told("reasoning", Place.REASONING, thoughts),
        *voice.told("text", place, texts, tool=tool),
        *voice.told("refusal", Place.REFUSAL, refusals),
        *voice.told("audio", Place.TEXT, [Source("audio", _transcript(message))]),
        *_calls(message, voice),
        *_executed(message, voice),
        *_notes(message, voice),
    ]


def _is_plain(message: JSON) -> bool:
    """Whether a message says nothing but a text, as most do; which costs a tenth."""
    if not isinstance(message.get("content"), _TEXT_OR_NONE):
        return False
    for name, value in message.items():
        if value and name not in _PLAIN:
            return False
    return True


_TEXT_OR_NONE: Final = (str, NoneType)
_PLAIN: Final = frozenset({"role", "content", "name", "tool_call_id"})
_REASONING: Final = ("reasoning_content", "reasoning", "thinking")


class _Content:
    """The spots in a message's content: a text, parts, or any object."""

    def __init__(self, content: object, holder: JSON) -> None:
        self.texts: list[Spot] = []
        self.thoughts: list[Spot] = []
        self.refusals: list[Spot] = []
        if isinstance(content, str):
            self.texts = spots(holder, "content")
        elif isinstance(content, dict):  # Cloudflare's JSON mode (seen 2026-01)
            self.texts = [found.spot for found in walk(content) if found.name != "type"]
        elif isinstance(content, list):
            for number, part in enumerate(content):
                if isinstance(part, dict):
                    self._add_part(part)
                elif isinstance(part, str) and part:
                    self.texts.append((content, number))

    def _add_part(self, part: JSON) -> None:
        kind = part.get("type")
        if isinstance(kind, str) and kind in _THOUGHTS:
            self.thoughts += words_under(part, _THOUGHTS[kind])
        elif part.keys() == _TEXT_PART:
            self.texts += spots(part, "text")
        else:
            self.refusals += spots(part, "refusal")
            self.texts += words_under(part, _PART)
            # Parts of Anthropic's API, which go on to it: a document of text, a call of a tool.
            source = obj(part.get("source"))
            if source.get("type") == "text":
                self.texts += spots(source, "data")
            self.texts += [found.spot for found in walk(obj(part.get("input")))]


_THOUGHTS: Final = {
    "thinking": frozenset({"thinking", "text"}),
    "reasoning": frozenset({"summary", "text"}),
}
"""By the type of a part that holds thoughts (Mistral, Databricks): the names of their texts."""
_TEXT_PART: Final = frozenset({"type", "text"})
_PART: Final = frozenset({"text", "content"})


def _members(entries: object, *names: str) -> list[Spot]:
    return [spot for entry in objects(entries) for spot in spots(entry, *names)]


def _details(holder: JSON) -> list[Spot]:
    """Source: https://openrouter.ai/docs/use-cases/reasoning-tokens."""
    return _members(holder.get("reasoning_details"), "text", "summary")


def _blocks(holder: JSON) -> list[JSON]:
    return objects(holder.get("content_blocks"))


def _of_blocks(blocks: list[JSON], name: str) -> list[Spot]:
    """Return a member of each block; in streams it may stand in the block's `delta`."""
    return [
        spot
        for block in blocks
        for spot in spots(block, name) + spots(obj(block.get("delta")), name)
    ]


def _opaque_details(blocks: list[JSON]) -> list[Spot]:
    """Return the thoughts in those blocks that carry a provider's own reasoning details."""
    return [spot for block in blocks for spot in _details(obj(block.get("value")))]


def _transcript(message: JSON) -> list[Spot]:
    return spots(obj(message.get("audio")), "transcript")


def _calls(message: JSON, voice: Voice) -> list[Slot]:
    slots = []
    for place, call in enumerate(objects(message.get("tool_calls"))):
        index = call.get("index")
        channel = f"call:{index if isinstance(index, int) and voice.is_event else place}"
        slots += _call(obj(call.get("function")), "arguments", channel, voice)
        slots += _call(obj(call.get("custom")), "input", channel, voice)
    legacy = obj(message.get("function_call"))
    return slots + _call(legacy, "arguments", "function_call", voice)


def _call(call: JSON, member: str, channel: str, voice: Voice) -> list[Slot]:
    """Return the arguments: a text of JSON, the object itself, or a custom tool's free text."""
    given, name, place = call.get(member), call_name(call), Place.TOOL_ARGUMENTS
    if member == "arguments" and isinstance(given, dict | list):
        # Ollama's models among others send the object, which comes whole even in a stream.
        return json_slot(call, member, **voice.whole(channel, place, tool=name))
    facts = {"tool": name, "is_json": member == "arguments"}
    found = spots(call, member)
    if not found and name is not None and given in (None, ""):
        # A call without arguments is one all the same, and a stream says the name only here.
        return [Slot("", slot_member(call, member), **voice.facts(channel, place, **facts))]
    return [voice.slot(spot, channel, place, **facts) for spot in found]


def call_name(call: JSON) -> str | None:
    """Return the name of a called function or tool, where it is said."""
    name = call.get("name")
    return name if isinstance(name, str) and name else None


def _executed(message: JSON, voice: Voice) -> list[Slot]:
    """Return what tools of the provider's own were asked and answered.

    Source: https://console.groq.com/docs/compound/built-in-tools
    """
    slots = []
    for number, ran in enumerate(objects(message.get("executed_tools"))):
        name, channel = ran.get("type"), f"executed:{number}"
        tool = name if isinstance(name, str) else None
        asked, answered = spots(ran, "arguments"), spots(ran, "output")
        slots += voice.all(asked, f"{channel}:asked", Place.TOOL_ARGUMENTS, tool=tool, is_json=True)
        slots += voice.all(answered, f"{channel}:answered", Place.TOOL_RESULT, tool=tool)
        results = words_under(ran.get("search_results"), _QUOTES)
        slots += voice.all(results, f"{channel}:results", Place.OTHER)
    return slots


def _notes(message: JSON, voice: Voice) -> list[Slot]:
    return voice.all(words_under(message.get("annotations"), _QUOTES), "note", Place.OTHER)


def quotes(value: Any, channel: str, voice: Voice) -> list[Slot]:
    """Return what search results and citations quote."""
    return voice.all(words_under(value, _QUOTES), channel, Place.OTHER)


_QUOTES: Final = frozenset({"title", "document_title", "cited_text", "snippet", "content", "text"})
