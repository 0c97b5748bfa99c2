"""What the guardrails are measured with: bodies, checks, and what the provider answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Final

from llmgateway.types.http import Headers
from llmgateway.types.upstream import UpstreamRequest

__all__ = ["CASES", "EVENTS", "KEY", "NONE", "Case", "Provider"]

KEY: Final = "a-client-key-of-the-benchmark"
EVENTS: Final = 200
"""Of a streamed answer, each with text of its own."""
NONE: Final = "no guardrails"
_SENTENCE = "Ships that pass in the night, and speak each other in passing, only a signal shown. "
_PERSON = "Write to jane.doe@example.com or call +1 212 555 2368. "
"""One in each KB of text, so that what masks has something to mask."""

_Check = Mapping[str, Any]


def _text(kib: int) -> str:
    one = (_PERSON + _SENTENCE * 16)[:1024]
    return one * kib


def _contains(number: int) -> _Check:
    words = [f"apple-{number}", f"pear-{number}", f"plum-{number}"]
    return {"id": "default.contains", "operator": "none", "words": words}


def _no_match(number: int) -> _Check:
    rule = f"[0-9]{{3}}-[0-9]{{2}}-{number:04}"
    return {"id": "default.regexMatch", "rule": rule, "not": True}


def _words(number: int) -> _Check:
    return {"id": "default.wordCount", "maxWords": 90_000 + number}


def _characters(number: int) -> _Check:
    return {"id": "default.characterCount", "maxCharacters": 900_000 + number}


def _ending(number: int) -> _Check:
    return {"id": "default.endsWith", "suffix": f"plum-{number}", "not": True}


def _checks(kinds: Sequence[Callable[[int], _Check]], count: int) -> list[_Check]:
    return [make(number) for number, make in enumerate(islice(cycle(kinds), count))]


def any_checks(count: int) -> list[_Check]:
    """Return checks of texts, of five kinds in turn; none of them fails."""
    return _checks((_contains, _no_match, _words, _characters, _ending), count)


def windowed_checks(count: int) -> list[_Check]:
    """Return checks that can judge a stream in windows, of two kinds in turn."""
    return _checks((_contains, _no_match), count)


_LARGE = [{"id": "default.regexMatch", "rule": "(sk|pk)-[a-f0-9]{80}", "not": True}]
_MASK = [{"id": "default.pii", "redact": True}]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    title: str
    kib: int
    """Of text: in request and answer, or in all events of the answer together."""
    is_stream: bool = False
    inputs: Sequence[_Check] = ()
    outputs: Sequence[_Check] = ()
    mode: str | None = None
    """How the stream is guarded."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return the settings of its gateway."""
        settings: dict[str, Any] = {
            "client_keys": {"bench": KEY},
            "providers": {"openai": {"api_key": "sk-of-the-provider"}},
            "default_provider": "openai",
        }
        for name, checks in (("input", self.inputs), ("output", self.outputs)):
            if checks:
                hook = {"deny": True, **{f"check {n}": check for n, check in enumerate(checks)}}
                if self.mode is not None:
                    hook["stream_mode"] = self.mode
                settings[f"{name}_guardrails"] = [hook]
        return settings

    @property
    def body(self) -> bytes:
        """Return what the client sends."""
        asked = _text(1 if self.is_stream else self.kib)
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": asked}]
        asked_for = {"stream": True} if self.is_stream else {}
        return json.dumps({"model": "gpt-4o-mini", "messages": turns, **asked_for}).encode()


def _counted(count: int) -> str:
    return f"{count} check" if count == 1 else f"{count} checks"


def _cases(kib: int) -> Iterator[Case]:
    yield Case(NONE, kib)
    for count in (1, 5, 20):
        yield Case(f"request, {_counted(count)}", kib, inputs=any_checks(count))
    for count in (1, 5, 20):
        yield Case(f"answer, {_counted(count)}", kib, outputs=any_checks(count))
    yield Case("answer, 1 large pattern, in a thread", kib, outputs=_LARGE)
    yield Case("request, `default.pii` masks", kib, inputs=_MASK)
    yield Case(NONE, kib, is_stream=True)
    watched = any_checks(5)
    yield Case("`monitor`, 5 checks", kib, True, outputs=watched, mode="monitor")
    for count in (1, 5, 20):
        checks = windowed_checks(count)
        yield Case(f"`window`, {_counted(count)}", kib, True, outputs=checks, mode="window")
    yield Case("`window`, `default.pii` masks", kib, True, outputs=_MASK, mode="window")
    yield Case("`hold`, 5 checks", kib, True, outputs=watched, mode="hold")


CASES: Final = (*_cases(1), *_cases(16))


@dataclass(slots=True)
class _Answer:
    """A provider's answer that is there already."""

    pieces: Sequence[bytes]
    headers: Headers
    status: int = 200

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def read(self, max_bytes: int) -> bytes:
        return b"".join(self.pieces)

    async def aclose(self) -> None:
        pass


@dataclass(slots=True)
class Provider:
    """A transport that answers each request alike, without a network."""

    case: Case
    _pieces: Sequence[bytes] = field(init=False)
    _head: Headers = field(init=False)

    def __post_init__(self) -> None:
        text = _text(self.case.kib)
        kind = "text/event-stream" if self.case.is_stream else "application/json"
        self._head = Headers.of(content_type=kind)
        self._pieces = list(_events(text)) if self.case.is_stream else [_whole(text)]

    async def send(self, request: UpstreamRequest) -> _Answer:
        """Answer."""
        return _Answer(self._pieces, self._head)

    async def aclose(self) -> None:
        """Close nothing."""


_USAGE = {"prompt_tokens": 250, "completion_tokens": 250, "total_tokens": 500}


def _whole(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_800_000_000}
    whole = {**head, "model": "gpt-4o-mini", "choices": [choice], "usage": _USAGE}
    return json.dumps(whole).encode()


def _events(text: str) -> Iterator[bytes]:
    """Yield a stream's events, each in a piece of its own: that costs most."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_800_000_000}
    for number in range(EVENTS):
        said = text[len(text) * number // EVENTS : len(text) * (number + 1) // EVENTS]
        choice = {"index": 0, "delta": {"content": said}, "finish_reason": None}
        event = {**head, "model": "gpt-4o-mini", "choices": [choice]}
        yield b"data: " + json.dumps(event).encode() + b"\n\n"
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    end = {**head, "model": "gpt-4o-mini", "choices": [last], "usage": _USAGE}
    yield b"data: " + json.dumps(end).encode() + b"\n\ndata: [DONE]\n\n"
