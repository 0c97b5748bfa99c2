"""What guardrails write in generateContent: a message put into a request, and a stream's end."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.generate_content.shape import an_object, number, objects, pick, string
from llmgateway.codecs.written import written
from llmgateway.types import JSON

_RESULTS: Final = (
    "functionResponse",
    "toolResponse",
    "codeExecutionResult",
)


def insert(body: JSON, role: str, text: str) -> None:
    """Add a message to a request, in place; implements `Format.insert`.

    As a part within the last content of the role that says something of its own, since turns
    alternate and results must be as many as their calls.
    """
    within = pick(body, "generateContentRequest")
    if isinstance(within, dict):
        body = within
    if role in ("system", "developer"):
        _instruct(body, text)
        return
    name = "model" if role == "assistant" else "user"
    contents = body["contents"] = _contents(body.get("contents"))
    for content in reversed(contents):
        if isinstance(content, dict) and (content.get("role") or "user") == name:
            parts = objects(content.get("parts"))
            own = [place for place, part in enumerate(parts) if _is_own(part)]
            if own:
                content["parts"] = [*parts[: own[0]], {"text": text}, *parts[own[0] :]]
                return
    contents.append({"role": name, "parts": [{"text": text}]})


def _instruct(body: JSON, text: str) -> None:
    key = "system_instruction" if body.get("system_instruction") else "systemInstruction"
    before = body.get(key)
    if isinstance(before, str) and before:
        before = {"parts": [{"text": before}]}
    content = an_object(before)
    body[key] = {**content, "parts": [{"text": text}, *objects(content.get("parts"))]}


def _contents(value: Any) -> list[Any]:
    if isinstance(value, str) and value:
        return [{"role": "user", "parts": [{"text": value}]}]
    return value if isinstance(value, list) else objects(value)


def _is_own(part: JSON) -> bool:
    """Whether a part is neither a thought nor what a tool gave."""
    is_result = any(pick(part, name) is not None for name in _RESULTS)
    return not (part.get("thought") or is_result)


class GenerateContentDenial:
    """Ends a stream's candidates as unsafe; implements `Denial`."""

    def __init__(self) -> None:
        self._head: JSON = {}
        self._open: dict[int, bool] = {}
        """The candidates seen, and whether each is still unfinished."""

    def see(self, event: JSON) -> None:
        """Take the next event that went out."""
        for name in ("modelVersion", "responseId"):
            if value := string(pick(event, name)):
                self._head[name] = value
        for candidate in objects(event.get("candidates")):
            index = number(candidate.get("index")) or 0
            is_finished = isinstance(pick(candidate, "finishReason"), str)
            self._open[index] = self._open.get(index, True) and not is_finished

    def write(self, hook_results: JSON) -> bytes:
        """Return a chunk that finishes what is unfinished, or else the first candidate again."""
        indices = [index for index, is_open in self._open.items() if is_open] or [0]
        candidates = [
            {"content": {"role": "model", "parts": []}, "finishReason": "SAFETY", "index": index}
            for index in indices
        ]
        self._open.update(dict.fromkeys(indices, False))
        return self._event(candidates, hook_results)

    def report(self, hook_results: JSON) -> bytes | None:
        """Return a chunk without candidates, as those are that only count tokens."""
        return self._event([], hook_results)

    def _event(self, candidates: list[JSON], hook_results: JSON) -> bytes:
        data = written({"candidates": candidates, **self._head, "hook_results": hook_results})
        return f"data: {data}\n\n".encode("utf-8", "replace")
