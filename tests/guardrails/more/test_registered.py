from __future__ import annotations

import pytest

from llmgateway.guardrails import builtin


@pytest.mark.parametrize(
    "id",
    [
        "default.moderation",
        "portkey.moderateContent",
        "default.judge",
        "default.language",
        "portkey.language",
        "default.promptInjection",
        "default.urlAllowList",
        "default.toolCalls",
        "default.tokenLimit",
    ],
)
def test_each_is_found_and_describes_itself(id: str) -> None:
    found = builtin()[id]

    assert found.doc
    assert all(one.get("description") for one in found.schema()["properties"].values())
