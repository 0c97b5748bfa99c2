"""Puts a call together whose arguments come in pieces, each at a JSON path.

Source: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
(`streamFunctionCallArguments`, seen 2026-11).
"""

from __future__ import annotations

import re
from typing import Any, Final

from llmgateway.codecs.generate_content.shape import objects, pick, string
from llmgateway.codecs.hub import append
from llmgateway.types import JSON

MAX_GAP: Final = 1_000
"""How far a call's indices may be beyond the ends of lists, all added up."""
MAX_STEPS: Final = 64

_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")
_VALUES: Final = ("stringValue", "numberValue", "boolValue")


class PartialCall:
    """One call on its way."""

    def __init__(self, part: JSON, call: JSON) -> None:
        self._part = part
        self._call = call
        self._args: JSON = {}
        self._open: str | None = None
        self._spare = MAX_GAP
        self.add(call)

    def add(self, call: JSON) -> None:
        """Take what another event says of the call."""
        args = call.get("args")
        if isinstance(args, dict):
            self._args |= args
        for piece in objects(pick(call, "partialArgs")):
            path = string(pick(piece, "jsonPath"))
            self._set(_steps(path), _value(piece), appends=path == self._open)
            self._open = path if pick(piece, "willContinue") is True else None

    def whole(self) -> tuple[JSON, JSON]:
        """Return the first event's part, and the call with all its arguments."""
        return self._part, {**self._call, "args": self._args}

    def _set(self, steps: list[str | int], value: Any, *, appends: bool) -> None:
        if not steps or len(steps) > MAX_STEPS or not isinstance(steps[0], str):
            return
        place: Any = self._args
        for step, following in zip(steps, steps[1:], strict=False):
            inner = _at(place, step)
            if not isinstance(inner, list if isinstance(following, int) else dict):
                inner = [] if isinstance(following, int) else {}
                if not self._put(place, step, inner):
                    return
            place = inner
        before = _at(place, steps[-1]) if appends else None
        if isinstance(before, str) and isinstance(value, str):
            del before  # nothing else may refer to a text that is to grow where it lies
            append(place, steps[-1], value)
        else:
            self._put(place, steps[-1], value)

    def _put(self, place: Any, step: str | int, value: Any) -> bool:
        if isinstance(step, str):
            place[step] = value
            return True
        gap = max(step - len(place), 0)
        if gap > self._spare:
            return False
        self._spare -= gap
        place.extend([None] * (step + 1 - len(place)))
        place[step] = value
        return True


def is_open(call: JSON) -> bool:
    """Whether more of a call is to come."""
    return pick(call, "willContinue") is True


def _steps(path: str) -> list[str | int]:
    """Return the steps of `$.a[0]['b']`; empty for what is no such path."""
    steps: list[str | int] = []
    at = 1 if path.startswith("$") else 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            return []
        name, index, *quoted = found.groups()
        steps.append(int(index) if index else name or next((q for q in quoted if q), ""))
        at = found.end()
    return steps


def _value(piece: JSON) -> Any:
    return next((found for name in _VALUES if (found := pick(piece, name)) is not None), None)


def _at(place: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return place.get(step)
    return place[step] if step < len(place) else None
