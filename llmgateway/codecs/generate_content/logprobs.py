"""The tokens of an answer's log probabilities, as slots.

Source: https://ai.google.dev/api/generate-content#LogprobsResult
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmgateway.codecs.generate_content.shape import an_object, objects, pick
from llmgateway.codecs.slots import Slot, SlotKind
from llmgateway.types import JSON


def logprob_slots(result: JSON, **facts: Any) -> list[Slot]:
    """Return one slot for each token that was chosen."""
    tops = pick(result, "topCandidates")
    steps = tops if isinstance(tops, list) else []
    return [
        Slot(entry["token"], _writer(entry, steps, step), kind=SlotKind.TOKEN, **facts)
        for step, entry in enumerate(objects(pick(result, "chosenCandidates")))
        if isinstance(entry.get("token"), str) and entry["token"]
    ]


def _writer(entry: JSON, steps: list[Any], step: int) -> Callable[[str], None]:
    """Return what writes a token; what could have stood there instead would tell it again."""

    def put(text: str) -> None:
        entry["token"] = text
        others = an_object(steps[step]).get("candidates") if step < len(steps) else None
        for other in objects(others):
            other["token"] = text

    return put
