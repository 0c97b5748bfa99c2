"""The slots of chat completions.

Source: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from llmgateway.codecs.chat.words import call_name, message_slots, quotes
from llmgateway.codecs.logprobs import choice_tokens
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.codecs.spots import Voice, choice_end, obj, objects, spots, walk, words_under
from llmgateway.types import JSON

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def chat_slots(body: JSON, part: Part) -> list[Slot]:
    """Return every place of a body where words stand; implements `Format.slots`."""
    if part is Part.REQUEST:
        return [*_turns(body), *_declared(body)]
    read = _answered if part is Part.RESPONSE else _streamed
    slots: list[Slot] = []
    for number, choice in enumerate(objects(body.get("choices"))):
        slots += read(choice, number)
    # Perplexity tells its sources beside the choices (seen 2026-01).
    found = body.get("search_results")
    if not found:
        return slots
    return slots + quotes(found, "search_results", Voice(is_event=part is Part.EVENT))


# ---- requests


def _turns(body: JSON) -> list[Slot]:
    messages = body.get("messages")
    names: dict[str, str] = {}
    slots: list[Slot] = []
    for turn, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            slots += _turn(message, turn, names)
            _learn_names(message, names)
    return slots


def _turn(message: JSON, turn: int, names: dict[str, str]) -> list[Slot]:
    role = message.get("role")
    voice = Voice(_ROLES.get(role, "user") if isinstance(role, str) else "user", turn=turn)
    if voice.role != "tool":
        return message_slots(message, voice)
    call = message.get("tool_call_id")
    known = names.get(call) if isinstance(call, str) else None
    return message_slots(message, voice, Place.TOOL_RESULT, known or call_name(message))


def _learn_names(message: JSON, names: dict[str, str]) -> None:
    """Note which tool each call of a turn is for, by the call's id."""
    for call in objects(message.get("tool_calls")):
        name = call_name(obj(call.get("function"))) or call_name(obj(call.get("custom")))
        if isinstance(call.get("id"), str) and name is not None:
            names[call["id"]] = name


def _declared(body: JSON) -> list[Slot]:
    """Return what a request says outside of its messages."""
    slots: list[Slot] = []
    if not body.keys() & _DECLARING:
        return slots
    voice = Voice("system", turn=-1)
    for kind in ("tools", "functions"):
        for number, tool in enumerate(objects(body.get(kind))):
            holders = (tool, obj(tool.get("function")), obj(tool.get("custom")))
            names = [spot for holder in holders for spot in spots(holder, "name")]
            found = names + words_under(tool, _DESCRIPTIONS)
            slots += voice.all(found, f"{kind}:{number}", Place.OTHER)
    described = words_under(body.get("response_format"), _DESCRIPTIONS)
    slots += voice.all(described, "response_format", Place.OTHER)
    # The answer as the caller expects it, which the model may take over.
    expected = replace(voice, role="assistant", prefix="prediction/")
    slots += message_slots(obj(body.get("prediction")), expected)
    return slots + _beside(body)


def _beside(body: JSON) -> list[Slot]:
    """Return what some providers take beside the messages, or in their place.

    Source: https://openrouter.ai/docs/api-reference/overview (`prompt`),
    https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (`documents`).
    """
    slots: list[Slot] = []
    for name in _BESIDE:
        voice = Voice("system", turn=-1) if name in _COMMANDING else Voice("user")
        found = [one.spot for one in walk(body.get(name))]
        slots += voice.all(spots(body, name) or found, name, Place.TEXT)
    return slots


_COMMANDING: Final = ("system", "instructions")
_BESIDE: Final = (*_COMMANDING, "prompt", "documents")
_DECLARING: Final = frozenset({"tools", "functions", "response_format", "prediction", *_BESIDE})
_DESCRIPTIONS: Final = frozenset({"description"})


# ---- answers


def _answered(choice: JSON, number: int) -> list[Slot]:
    """Return the slots of a whole answer's choice; choices are told apart by their place."""
    voice = Voice(choice=number)
    slots = message_slots(obj(choice.get("message")), voice, beside=spots(choice, "text"))
    if delta := choice.get("delta"):
        slots += message_slots(obj(delta), replace(voice, prefix="delta/"))
    return slots + choice_tokens(choice, voice)


def _streamed(choice: JSON, _place: int) -> list[Slot]:
    """Return the slots of an event's choice.

    Some providers repeat beside each delta the message so far, or send the whole at the end
    (Perplexity), or tell the delta again as `text` (Together).
    """
    index, delta = choice.get("index"), choice.get("delta")
    number = index if isinstance(index, int) else 0
    voice = _voice_of(number)
    slots = message_slots(obj(delta), voice, beside=spots(choice, "text"))
    if message := choice.get("message"):
        if isinstance(delta, dict):
            again = replace(voice, kind=SlotKind.COPY)
        else:
            again = replace(voice, kind=SlotKind.TEXT, prefix="message/")
        slots += message_slots(obj(message), again)
    if choice.get("logprobs"):
        slots += choice_tokens(choice, voice)
    return slots + choice_end(choice, voice)


@lru_cache(maxsize=32)
def _voice_of(choice: int) -> Voice:
    """Return the voice of a stream's choice, which most of its events have in common."""
    return Voice(kind=SlotKind.DELTA, choice=choice, is_event=True)


# ---- changes


def put_message(body: JSON, role: str, text: str) -> None:
    """Add a message to a request, in place; implements `Format.insert`."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    if _ROLES.get(role) == "system":
        messages.insert(0, {"role": _system_word(messages) or role, "content": text})
        return
    places = [place for place, message in enumerate(messages) if _role(message) == role]
    messages.insert(places[-1] if places else len(messages), {"role": role, "content": text})


def _system_word(messages: list[Any]) -> str | None:
    """Return the word that the request has for its system prompt: models take one of the two."""
    words = (_role(message) for message in messages)
    return next((word for word in words if word in ("system", "developer")), None)


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None
