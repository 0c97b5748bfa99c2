"""The grammar of the streams that the door writes."""

from __future__ import annotations

import json
from typing import Any

from tests.codecs.generate_content.schemas import check
from tests.codecs.grammar import sse

JSON = dict[str, Any]


def check_stream(raw: bytes) -> JSON:
    """Check that each event is a whole answer, one envelope, finishes and usage in the last only.

    Returns the answer that the events add up to.
    """
    events = sse(raw)
    assert all(name is None for name, _ in events)
    answers: list[JSON] = [json.loads(data) for _, data in events]
    assert 1 == len({(answer["responseId"], answer["modelVersion"]) for answer in answers})
    assert all("usageMetadata" not in answer for answer in answers[:-1])
    candidates: dict[int, JSON] = {}
    for place, answer in enumerate(answers):
        check("GenerateContentResponse", answer)
        assert answer["candidates"], "an event that says nothing"
        for candidate in answer["candidates"]:
            assert ("finishReason" in candidate) == (place == len(answers) - 1)
            assert "model" == candidate["content"]["role"]
            known = candidates.setdefault(candidate["index"], {"parts": []})
            known["parts"] += candidate["content"]["parts"]
            known |= {key: value for key, value in candidate.items() if key != "content"}
    assert all("finishReason" in candidate for candidate in candidates.values())
    return {"candidates": candidates, "usage": answers[-1].get("usageMetadata")}
