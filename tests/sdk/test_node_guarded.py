"""What the unmodified npm SDKs make of guarded streams; what they ask stands in `guarded.mjs`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_runner import run_node
from tests.sdk.stage import Stage
from tests.sdk.test_guarded_streams import BEFORE, MASKED

CLIENTS = ("openai", "anthropic", "chat", "responses")
"""The last two are doors of Vercel's."""


@pytest.fixture(scope="module")
def seen(keyed: Stage) -> dict[str, Any]:
    """What the SDKs saw; Node is started once."""
    packages = ("openai", "@anthropic-ai/sdk", "ai", "@ai-sdk/openai")
    return run_node("guarded.mjs", keyed.url, *packages)


@pytest.mark.parametrize("client", CLIENTS)
def test_masked_streams(seen: dict[str, Any], client: str) -> None:
    masked = seen["masked"][client]

    assert (MASKED, None) == (masked["text"], masked["error"])
    assert [{"anthropic": "end_turn"}.get(client, "stop")] == masked["finishes"]
    assert 0 == masked.get("errors", 0)
    assert 1 == masked.get("reports", 1)


@pytest.mark.parametrize("client", CLIENTS)
def test_denied_streams(seen: dict[str, Any], client: str) -> None:
    denied = seen["denied"][client]

    assert denied["text"] and BEFORE.startswith(denied["text"])
    if client in ("openai", "anthropic"):
        reason = {"openai": "content_filter", "anthropic": "refusal"}[client]
        assert ([reason], 1) == (denied["finishes"], denied["reports"])
        assert "guardrail checks" in denied["error"]
    else:
        assert 1 == denied["errors"]
