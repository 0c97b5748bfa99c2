"""A text in pieces has the verdict and the masks of the whole, however it is cut and mixed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.guarded import Answered, ask
from tests.engine.guarded_streams import ASKED, HI
from tests.scripted import Scripted, events, stream

CALLS = ('{"to": "', '"}')
"""What stands around a text in a tool call's arguments."""


class Place(NamedTuple):
    """One text of an answer."""

    choice: int
    member: str


PLACES = (
    Place(0, "content"),
    Place(0, "reasoning_content"),
    Place(0, "refusal"),
    Place(0, "0"),
    Place(0, "1"),
    Place(1, "content"),
)
"""Digits are tool calls."""


def delta_of(place: Place, text: str) -> dict[str, Any]:
    """Return the delta that says a piece."""
    if not place.member.isdigit():
        return {place.member: text}
    return {"tool_calls": [{"index": int(place.member), "function": {"arguments": text}}]}


def chunk(place: Place, text: str) -> dict[str, Any]:
    """Return the event that says a piece."""
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [{"index": place.choice, "delta": delta_of(place, text), "finish_reason": None}],
    }


def call_begins(place: Place) -> dict[str, Any]:
    """Return the event that names a call."""
    began = chunk(place, "")
    (call,) = began["choices"][0]["delta"]["tool_calls"]
    call.update(id=f"call_{place.member}", type="function")
    call["function"]["name"] = "send"
    return began


def streamed(pieces: Sequence[tuple[Place, str]], choices: Sequence[int]) -> Scripted:
    """Return a stream of pieces."""
    used = sorted({place for place, _ in pieces if place.member.isdigit()})
    ends = [
        {"id": "c", "choices": [{"index": choice, "delta": {}, "finish_reason": "stop"}]}
        for choice in choices
    ]
    chunks = [chunk(*one) for one in pieces]
    return stream(*events(*map(call_begins, used), *chunks, *ends))


def whole(texts: dict[Place, str], choices: Sequence[int]) -> Scripted:
    """Return the same as an answer that is no stream."""
    found = []
    for number in choices:
        message: dict[str, Any] = {"role": "assistant", "content": None}
        for place, text in texts.items():
            if place.choice == number and not place.member.isdigit():
                message[place.member] = text
            elif place.choice == number:
                function = {"name": "send", "arguments": text}
                call = {"id": f"call_{place.member}", "type": "function", "function": function}
                message.setdefault("tool_calls", []).append(call)
        found.append({"index": number, "message": message, "finish_reason": "stop"})
    return Scripted(chunks=[orjson.dumps({"id": "c", "choices": found})])


def read_stream(answered: Answered) -> dict[Place, str]:
    """Return what a stream said, by place."""
    found: dict[Place, str] = {}
    for event in answered.events:
        for choice in event.get("choices", ()) if isinstance(event, dict) else ():
            for member, value in choice["delta"].items():
                texts = [(member, value)]
                if member == "tool_calls":
                    texts = [(str(c["index"]), c["function"].get("arguments")) for c in value]
                for name, text in texts:
                    place = Place(choice["index"], name)
                    found[place] = found.get(place, "") + (text or "")
    return {place: text for place, text in found.items() if text}


def read_whole(body: Any) -> dict[Place, str]:
    """Return what an answer says, by place."""
    found: dict[Place, str] = {}
    for choice in body["choices"]:
        message, number = choice["message"], choice["index"]
        calls = enumerate(message.pop("tool_calls", ()))
        found.update({Place(number, str(n)): call["function"]["arguments"] for n, call in calls})
        texts = {name: text for name, text in message.items() if name != "role" and text}
        found.update({Place(number, name): text for name, text in texts.items()})
    return found


class Came(NamedTuple):
    """What came of one way to guard an answer."""

    is_denied: bool
    verdicts: list[bool] | None
    texts: dict[Place, str] | None
    """None: denied, so that some may be missing."""


def came_of(answered: Answered, *, is_stream: bool) -> Came:
    """Return what came of an answer."""
    noted = answered.record.hook_results
    verdicts = [hook["verdict"] for hook in noted["after_request_hooks"]] if noted else None
    if 446 in (answered.status, answered.record.status):
        return Came(True, None, None)
    return Came(False, verdicts, read_stream(answered) if is_stream else read_whole(answered.body))


async def guarded(
    hooks: Sequence[dict[str, Any]], script: Scripted, *, mode: str | None = None, **more: Any
) -> Answered:
    """Ask under output guardrails, in a mode if one is given."""
    told = hooks if mode is None else [{**hook, "stream_mode": mode} for hook in hooks]
    body = {"model": "m", "messages": HI} if mode is None else ASKED
    return await ask({"output_guardrails": told, **more}, script, body=body)


async def check_all_alike(
    hooks: Sequence[dict[str, Any]], pieces: Sequence[tuple[Place, str]]
) -> Came:
    """Assert that an answer comes to the same as a whole, held and in windows."""
    texts: dict[Place, str] = {}
    for place, text in pieces:
        texts[place] = texts.get(place, "") + text
    choices = sorted({0} | {place.choice for place, _ in pieces})
    plain = came_of(await guarded(hooks, whole(texts, choices)), is_stream=False)
    for mode in ("hold", "window"):
        answered = await guarded(hooks, streamed(pieces, choices), mode=mode)
        assert plain == came_of(answered, is_stream=True), mode
        assert mode == answered.headers.get("x-portkey-guardrail-stream-mode", mode)
    return plain


# ---- the guardrails

NONE_OF = {
    "default.contains": {"operator": "none", "words": ["Apple", "pppp"]},
    "scope": "all",
    "deny": True,
}
NO_MATCH = {
    "default.regexMatch": {"rule": "Ap{2,3}le|p.p", "not": True, "failOnError": False},
    "scope": "all",
    "deny": True,
}
REPLACED = [
    {"default.regexReplace": {"rule": rule, "redactText": new}, "scope": "all"}
    for rule, new in (
        ("/Apple|pp/g", "[fruit]"),
        ("/pp/g", ""),
        ("/p(p|l)/g", "$1"),
        ("/a[pq]{0,4}e/gi", "<$&>"),
    )
]
REDACTED = {"default.pii": {"redact": True}, "scope": "all"}
NO_PII = {"default.pii": {"categories": ["EMAIL_ADDRESS", "IP_ADDRESS"]}, "deny": True}
REPORTS = {**NONE_OF, "deny": False}
GUARDRAILS = (
    [NONE_OF],
    [NO_MATCH],
    *([hook] for hook in REPLACED),
    [REDACTED],
    [NO_PII],
    [REPLACED[1], NONE_OF, REDACTED],
    [REDACTED, NO_PII, REPORTS],
)
WORDS = ("Ap", "ple", "p", "pp", "l", "e", "aqe", "ann@", "b.example.com", " ", ", ", "x", "é")
MORE = ("4111 1111 1111 1111", "8.8.8.8", "version ", "v1.2.3.4 ", "😀")
pieces_of_text = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(WORDS + MORE)), max_size=12
)


def in_json(pieces: Sequence[tuple[Place, str]]) -> list[tuple[Place, str]]:
    """Return the pieces with those of tool calls made JSON; there are two calls in any case."""
    calls = [place for place in PLACES if place.member.isdigit()]
    return [
        *[(place, CALLS[0]) for place in calls],
        *pieces,
        *[(place, CALLS[1]) for place in calls],
    ]


@pytest.mark.parametrize("hooks", GUARDRAILS, ids=range(len(GUARDRAILS)))
@given(pieces_of_text)
@settings(max_examples=25, deadline=None)
def test_channels_that_switch_at_every_event(
    hooks: Sequence[dict[str, Any]], pieces: list[tuple[Place, str]]
) -> None:
    came = asyncio.run(check_all_alike(hooks, in_json(pieces)))
    for place, text in (came.texts or {}).items():
        if place.member.isdigit():
            json.loads(text)


PLANTED = (
    "An Apple a day",
    "call ann@b.example.com, or 8.8.8.8 now",
    "pppp and ppppp, Appple pAqqe",
    "card 4111 1111 1111 1111.",
)


@pytest.mark.parametrize("hooks", GUARDRAILS, ids=range(len(GUARDRAILS)))
@pytest.mark.parametrize("text", PLANTED)
async def test_a_text_in_two_and_in_letters(hooks: Sequence[dict[str, Any]], text: str) -> None:
    place = PLACES[0]
    plain = came_of(await guarded(hooks, whole({place: text}, [0])), is_stream=False)
    for cut in range(1, len(text), 5):
        pieces = [(place, text[:cut]), (place, text[cut:])]
        answered = await guarded(hooks, streamed(pieces, [0]), mode="window")
        assert plain == came_of(answered, is_stream=True), cut
    letters = [(place, letter) for letter in text]
    answered = await guarded(hooks, streamed(letters, [0]), mode="window")
    assert plain == came_of(answered, is_stream=True)
