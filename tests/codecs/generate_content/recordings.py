"""Recorded traffic of this format; it lies beside the project, not in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from llmgateway.codecs.base import Event
from llmgateway.types.http import Headers
from tests.codecs.cassettes import CASSETTES
from tests.codecs.crossing import events_of, split

JSON = dict[str, Any]
APIS = ("generate_content", "embed_content", "count_tokens", "predict")
PROVIDERS = ("gemini", "vertex")

NEVER_FINISHED = {"vertex/chat/streaming-success-quotes-escaped"}
"""No candidate ever gets a finish reason: by the rule, a bad end."""


@dataclass(frozen=True)
class Recording:
    """One recorded exchange."""

    id: str
    api: str
    tags: frozenset[str]
    request: JSON | None
    status: int
    headers: Headers
    raw: bytes
    body: Any

    @property
    def is_sse(self) -> bool:
        return self.raw.startswith(b"data:")

    @property
    def is_stream(self) -> bool:
        return self.is_sse or isinstance(self.body, list)

    def events(self) -> list[Event]:
        """Return the events; an array of answers has one for each."""
        return events_of(*self.body) if isinstance(self.body, list) else split([self.raw])

    def answers(self) -> list[JSON]:
        """Return each answer of a stream, or the one of a body."""
        if self.is_sse:
            return [json.loads(event.data) for event in self.events() if event.data]
        return self.body if isinstance(self.body, list) else [self.body]


@cache
def recordings() -> tuple[Recording, ...]:
    """Return every recording of this family; none where they are absent."""
    found = []
    for provider in PROVIDERS:
        for path in sorted(CASSETTES.glob(f"{provider}/*/*.json")):
            case = json.loads(path.read_text(encoding="utf-8"))
            if case["api"] in APIS:
                found.append(_load(case))
    return tuple(found)


def _load(case: JSON) -> Recording:
    answer = case["response"]
    raw, body = answer.get("raw"), answer.get("body")
    request = case["request"]["body"]
    headers = ((key.encode(), value.encode()) for key, value in answer["headers"].items())
    return Recording(
        id=case["id"],
        api=case["api"],
        tags=frozenset(case["tags"]),
        request=request if isinstance(request, dict) else None,
        status=answer["status"],
        headers=Headers(headers),
        raw=(json.dumps(body) if raw is None else raw).encode(),
        body=body,
    )


def params(**wanted: Any) -> list[Any]:
    """Return recordings whose members are as `wanted`, or one that says why there are none."""
    chosen = [
        pytest.param(recording, id=recording.id)
        for recording in recordings()
        if all(getattr(recording, name) == value for name, value in wanted.items())
    ]
    absent = pytest.mark.skip(reason=f"no recordings at {CASSETTES.name}/ beside the project")
    return chosen or [pytest.param(None, marks=absent)]


def said(answers: list[JSON]) -> dict[int, JSON]:
    """Add up what answers say, without the code under test: texts, thoughts, calls, signatures."""
    found: dict[int, JSON] = {}
    for answer in answers:
        for candidate in answer.get("candidates") or ():
            known = found.setdefault(
                candidate.get("index") or 0,
                {"text": "", "thinking": "", "calls": [], "signatures": [], "finish": None},
            )
            known["finish"] = candidate.get("finishReason") or known["finish"]
            for part in (candidate.get("content") or {}).get("parts") or ():
                _add(known, part)
    return found


def _add(known: JSON, part: JSON) -> None:
    if "text" in part:
        known["thinking" if part.get("thought") else "text"] += part["text"]
    call = part.get("functionCall")
    if call is not None and (call.get("name") or not known["calls"]):
        known["calls"].append(call)
    if "thoughtSignature" in part:
        known["signatures"].append(part["thoughtSignature"])
