"""Where words stand in generateContent and its neighbours: requests, answers and events.

Proto JSON takes members in camel case and in snake case. Where a body has both, both are read, so
that nothing can be hidden in the one that is not looked at.

A choice is a candidate, by its index. In a whole answer each part is a channel of its own, by its
place: `text:0`, `reasoning:1`, `call:2`. A stream's events do not say which part they go on with,
so there a candidate has one channel of text and one of reasoning: `text`, `reasoning`. Calls come
whole, in one event each: their channel is that of the call's id, or else of the part's place in the
event, which two calls of one stream may share. Only the strings of a call whose arguments come in
pieces are deltas, plain texts in a channel for each path: `call:0:$.city`.

Source: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from llmgateway.codecs.generate_content.logprobs import logprob_slots
from llmgateway.codecs.generate_content.shape import an_object, number, objects, pick, snake, string
from llmgateway.codecs.slots import (
    Part,
    Place,
    Slot,
    SlotKind,
    end_slot,
    json_slot,
    leaf_slots,
    text_slot,
)
from llmgateway.types import JSON

_SYSTEM: Final = -1
_ROLES: Final = {"model": "assistant", "function": "tool", "tool": "tool", "system": "system"}


@dataclass(frozen=True, slots=True)
class _At:
    """Where some parts stand."""

    role: str = "assistant"
    turn: int = 0
    choice: int = 0
    is_event: bool = False

    def facts(self, channel: str, place: Place = Place.TEXT) -> dict[str, Any]:
        """Return a slot's facts."""
        return {
            "role": self.role,
            "turn": self.turn,
            "choice": self.choice,
            "place": place,
            "channel": channel,
        }


def slots(body: JSON, part: Part) -> list[Slot]:
    """Return every place where words stand; implements `Format.slots`."""
    return _request(body) if part is Part.REQUEST else _answer(body, part is Part.EVENT)


def count_slots(body: JSON, part: Part) -> list[Slot]:
    """Likewise for a count of tokens: of contents, or of a whole request within."""
    if part is not Part.REQUEST:
        return []
    found = _request(body)
    for within in _within(body, "generateContentRequest"):
        found += _request(within)
    return found


def embed_slots(body: JSON, part: Part) -> list[Slot]:
    """Likewise for embeddings of one text or of several, which are all of one turn."""
    if part is not Part.REQUEST:
        return []
    found: list[Slot] = []
    for one in (body, *objects(body.get("requests"))):
        found += text_slot(one, "title", role="user", place=Place.OTHER, channel="title")
        found += _content(one, "content", _At(role="user"))
    return found


# ---- requests


def _request(body: JSON) -> list[Slot]:
    found: list[Slot] = []
    for key in _keys(body, "systemInstruction"):
        found += _content(body, key, _At(role="system", turn=_SYSTEM))
    found += text_slot(body, "contents", role="user")
    for turn, content in enumerate(objects(body.get("contents"))):
        role = _ROLES.get(string(content.get("role")), "user")
        found += _parts(content, _At(role=role, turn=turn))
    for tool in objects(body.get("tools")):
        for key in _keys(tool, "functionDeclarations"):
            for place, declared in enumerate(objects(tool[key])):
                facts = _At(role="system", turn=_SYSTEM).facts(f"tool:{place}", Place.OTHER)
                found += text_slot(declared, "description", **facts)
    return found


def _content(holder: JSON, key: str, at: _At) -> list[Slot]:
    """Return the slots of a content, or of a text in its place."""
    found = text_slot(holder, key, **at.facts("text"))
    return found + _parts(an_object(holder.get(key)), at)


# ---- answers


def _answer(body: JSON, is_event: bool) -> list[Slot]:
    found: list[Slot] = []
    for candidate in objects(body.get("candidates")):
        at = _At(choice=number(candidate.get("index")) or 0, is_event=is_event)
        found += _content(candidate, "content", at)
        if not candidate.keys() <= _QUIET:
            found += _beside(candidate, at)
    return found + _ends(body, found) if is_event else found


_QUIET: Final = frozenset(
    {"content", "index", "finishReason", "finish_reason", "safetyRatings", "safety_ratings"}
)
"""Members of a candidate that have no words beside its content."""


def _beside(candidate: JSON, at: _At) -> list[Slot]:
    """Return the slots of what stands beside a candidate's content."""
    found: list[Slot] = []
    for key in _keys(candidate, "finishMessage"):
        found += text_slot(candidate, key, **at.facts("refusal", Place.REFUSAL))
    for result in _within(candidate, "logprobsResult"):
        found += logprob_slots(result, choice=at.choice, channel="text")
    return found + _sources(candidate, at)


def _ends(event: JSON, found: list[Slot]) -> list[Slot]:
    """Return the ends that an event tells of.

    A finished candidate has said all. An event that has more than words ends the texts that it
    goes on with, since it could not be told again with what was held back of them: a call would
    be made twice.
    """
    candidates = objects(event.get("candidates"))
    ends = [
        end_slot(choice=number(candidate.get("index")) or 0)
        for candidate in candidates
        if isinstance(pick(candidate, "finishReason"), str)
    ]
    if all(_is_plain(part) for one in candidates for part in _parts_of(one)):
        return ends
    texts = dict.fromkeys((s.choice, s.channel) for s in found if s.kind is SlotKind.DELTA)
    return ends + [end_slot(channel, choice) for choice, channel in texts]


def _parts_of(candidate: JSON) -> list[JSON]:
    return objects(an_object(candidate.get("content")).get("parts"))


def _is_plain(part: JSON) -> bool:
    """Whether a part is words, or the next piece of one argument whose call has begun before."""
    if part.keys() <= _WORDS:
        return True
    calls = list(_within(part, "functionCall"))
    pieces = [piece for call in calls for piece in objects(pick(call, "partialArgs"))]
    begins = any(call.get("name") or call.get("args") for call in calls)
    return len(pieces) == 1 and not begins


_WORDS: Final = frozenset({"text", "thought", "thoughtSignature", "thought_signature"})


def _sources(candidate: JSON, at: _At) -> list[Slot]:
    """Return the slots of what an answer rests on.

    Its passages are copies of parts of the answer, in channels of their own.
    """
    found: list[Slot] = []
    quotes = 0
    for grounding in _within(candidate, "groundingMetadata"):
        for key in _keys(grounding, "groundingSupports"):
            for support in objects(grounding[key]):
                facts = at.facts(f"quote:{quotes}", Place.OTHER)
                segment = an_object(support.get("segment"))
                found += text_slot(segment, "text", kind=SlotKind.COPY, **facts)
                quotes += 1
    for name in ("groundingMetadata", "citationMetadata"):
        for key in _keys(candidate, name):
            facts = at.facts(f"source:{snake(name)}", Place.OTHER)
            found += leaf_slots(candidate, key, skip=_PASSAGES, **facts)
    return found


_PASSAGES: Final = frozenset({"groundingSupports", "grounding_supports"})


# ---- parts


def _parts(content: JSON, at: _At) -> list[Slot]:
    found: list[Slot] = []
    for place, part in enumerate(objects(content.get("parts"))):
        found += _text(part, at, place)
        if not part.keys() <= _WORDS:
            found += _calls(part, at, place)
    return found


def _calls(part: JSON, at: _At, place: int) -> list[Slot]:
    """Return the slots of a part's call of a tool, or of what it gave."""
    found: list[Slot] = []
    for name in ("functionCall", "toolCall"):
        for call in _within(part, name):
            found += _call(call, at, place)
    for name in ("functionResponse", "toolResponse"):
        for response in _within(part, name):
            facts = _gave(at, place)
            facts["tool"] = _name(response)
            found += json_slot(response, "response", **facts)
    for code in _within(part, "executableCode"):
        facts = at.facts(f"call:{place}", Place.TOOL_ARGUMENTS)
        found += text_slot(code, "code", tool="code_execution", **facts)
    for result in _within(part, "codeExecutionResult"):
        found += text_slot(result, "output", tool="code_execution", **_gave(at, place))
    return found


def _text(part: JSON, at: _At, place: int) -> list[Slot]:
    name, where = ("reasoning", Place.REASONING) if part.get("thought") else ("text", Place.TEXT)
    if at.is_event:
        return text_slot(part, "text", kind=SlotKind.DELTA, **at.facts(name, where))
    return text_slot(part, "text", **at.facts(f"{name}:{place}", where))


def _call(call: JSON, at: _At, place: int) -> list[Slot]:
    channel = f"call:{string(call.get('id')) or place}"
    facts = at.facts(channel, Place.TOOL_ARGUMENTS)
    facts["tool"] = _name(call)
    found = json_slot(call, "args", **facts)
    for key in _keys(call, "partialArgs"):
        for piece in objects(call[key]):
            facts["channel"] = f"{channel}:{string(pick(piece, 'jsonPath'))}"
            for value in _keys(piece, "stringValue"):
                kind = SlotKind.DELTA if at.is_event else SlotKind.TEXT
                found += text_slot(piece, value, kind=kind, **facts)
            if at.is_event and pick(piece, "willContinue") is not True:
                found.append(end_slot(facts["channel"], at.choice))
    return found


def _gave(at: _At, place: int) -> dict[str, Any]:
    """Return the facts of what a tool gave."""
    return {**at.facts(f"result:{place}", Place.TOOL_RESULT), "role": "tool"}


def _name(call: JSON) -> str | None:
    return string(call.get("name")) or string(pick(call, "toolType")) or None


# ---- members by both of their names


def _keys(source: JSON, name: str) -> Iterator[str]:
    """Yield under which of its two names a member is there, if it is."""
    for key in dict.fromkeys((name, snake(name))):
        if source.get(key) is not None:
            yield key


def _within(source: JSON, name: str) -> Iterator[JSON]:
    """Yield the objects that a member is, under either of its names."""
    for key in _keys(source, name):
        if isinstance(source[key], dict):
            yield source[key]
