"""The tokens of log probabilities, which tell a text once more, cut another way.

Sources: https://platform.openai.com/docs/api-reference/chat/object (`logprobs`) and
https://platform.openai.com/docs/api-reference/completions/object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmgateway.codecs.slots import Place, Slot, SlotKind
from llmgateway.codecs.spots import Voice, obj, objects
from llmgateway.types import JSON


def choice_tokens(choice: JSON, voice: Voice) -> list[Slot]:
    """Return the tokens of a choice, in chat's shape and in the older one of completions."""
    found = obj(choice.get("logprobs"))
    return [
        *entry_tokens(found.get("content"), voice),
        *entry_tokens(found.get("refusal"), voice, "refusal", Place.REFUSAL),
        *_plain_tokens(found, voice),
    ]


def entry_tokens(
    entries: object, voice: Voice, channel: str = "text", place: Place = Place.TEXT
) -> list[Slot]:
    """Return the tokens of entries `{token, bytes, top_logprobs}`."""
    return [
        _token(token, _put_entry(entry), voice, channel, place)
        for entry in objects(entries)
        if isinstance(token := entry.get("token"), str) and token
    ]


def _put_entry(entry: JSON) -> Callable[[str], None]:
    """Return what writes a token; what could have stood there instead goes as well."""

    def put(text: str) -> None:
        for place in (entry, *objects(entry.get("top_logprobs"))):
            if isinstance(place.get("token"), str):
                place["token"] = text
            if isinstance(place.get("bytes"), list):
                place["bytes"] = list(text.encode("utf-8", "replace"))

    return put


def _plain_tokens(found: JSON, voice: Voice) -> list[Slot]:
    """Return the tokens of `{tokens: [...], token_logprobs, top_logprobs: [{token: number}]}`."""
    tokens = found.get("tokens")
    if not isinstance(tokens, list):
        return []
    return [
        _token(token, _put_plain(found, tokens, number), voice, "text", Place.TEXT)
        for number, token in enumerate(tokens)
        if isinstance(token, str) and token
    ]


def _put_plain(found: JSON, tokens: list[Any], number: int) -> Callable[[str], None]:
    def put(text: str) -> None:
        old, tokens[number] = tokens[number], text
        others = found.get("top_logprobs")
        if isinstance(others, list) and number < len(others) and isinstance(others[number], dict):
            known = others[number]
            others[number] = {text: known[old]} if old in known else {}

    return put


def _token(
    token: str, put: Callable[[str], None], voice: Voice, channel: str, place: Place
) -> Slot:
    return Slot(token, put, **voice.facts(channel, place, kind=SlotKind.TOKEN))
