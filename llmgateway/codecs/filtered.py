"""Ends streams of choices, chat's and completions', as their own content filter would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway.codecs.spots import objects
from llmgateway.types import JSON


@dataclass(slots=True)
class ChoicesDenial:
    """Follows what went out of one stream; implements `Denial`."""

    empty: Mapping[str, Any]
    """What a choice that says nothing has, beside its index and finish."""
    envelope: JSON
    """`id`, `object`, `created` and `model`, until an event tells them."""
    seen: set[int] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)

    def see(self, event: JSON) -> None:
        """Take the next event that went out."""
        for name, known in self.envelope.items():
            value = event.get(name)
            if value and isinstance(value, type(known)):
                self.envelope[name] = value
        for choice in objects(event.get("choices")):
            index = choice.get("index")
            number = index if isinstance(index, int) else 0
            self.seen.add(number)
            if isinstance(choice.get("finish_reason"), str):
                self.finished.add(number)

    def write(self, hook_results: JSON) -> bytes:
        """Return a chunk that finishes every open choice, or all again where none is open."""
        numbers = sorted(self.seen - self.finished or self.seen or {0})
        choices = [
            {"index": number, **self.empty, "finish_reason": "content_filter"} for number in numbers
        ]
        return self._event(choices, hook_results)

    def report(self, hook_results: JSON) -> bytes:
        """Return a chunk without choices, as usage comes in one."""
        return self._event([], hook_results)

    def _event(self, choices: list[JSON], hook_results: JSON) -> bytes:
        chunk = {**self.envelope, "choices": choices, "hook_results": hook_results}
        return b"data: " + orjson.dumps(chunk) + b"\n\n"


def denials(kind: str, empty: Mapping[str, Any]) -> Callable[[], ChoicesDenial]:
    """Return what begins to follow a stream whose chunks are objects of this kind."""
    return lambda: ChoicesDenial(empty, {"id": "", "object": kind, "created": 0, "model": ""})
