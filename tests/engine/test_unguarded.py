"""A call without guardrails runs nothing of theirs: counted, since no measure is so fine."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine.guarded import ASKED, CHAT
from tests.scripted import ScriptedTransport, chat, delta, events, stream, world

_OF_GUARDS = (
    *(f"llmgateway.engine.{name}" for name in ("guard", "guarding", "guarded", "windows", "held")),
    *(f"llmgateway.engine.{name}" for name in ("texts", "collected", "pool", "services")),
    "llmgateway.guardrails",
)
_OF_SLOTS = ("slots", "spots", "filtered", "guarding")
_CHECK = {"default.contains": {"operator": "none", "words": ["Cherry"]}, "deny": True}

_SAID = [b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps({"type": kind, **rest}))
         for kind, rest in (
             ("message_start", {"message": {"id": "m", "role": "assistant", "content": [],
                                            "usage": {"input_tokens": 1, "output_tokens": 1}}}),
             ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
             ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Bat"}}),
             ("content_block_stop", {"index": 0}),
             ("message_delta", {"delta": {"stop_reason": "end_turn"},
                                "usage": {"output_tokens": 2}}),
             ("message_stop", {}),
         )]  # fmt: skip
_CALLS: Mapping[str, tuple[str, bool, Callable[[], Any]]] = {
    "whole": ("openai", False, lambda: chat("Bat")),
    "streamed": ("openai", True, lambda: stream(*events(delta("Bat"), delta(finish="stop")))),
    "translated": ("anthropic", True, lambda: stream(*_SAID)),
}


def is_of_guards(module: str) -> bool:
    """Tell whether a module has to do with guardrails and with nothing else."""
    if module.startswith("llmgateway.codecs."):
        return module.rpartition(".")[2] in _OF_SLOTS
    return module.startswith(_OF_GUARDS)


async def calls_of(name: str, settings: Mapping[str, Any]) -> Counter[str]:
    """Return how often which module's functions run in a call, once its plan is compiled."""
    provider, is_stream, answer = _CALLS[name]
    transport = ScriptedTransport(answer(), answer())
    gateway = Gateway(
        {"access": "open", **settings}, transport=lambda: transport, world=world(transport)
    )
    head = Headers.of(
        content_type="application/json",
        authorization="Bearer sk-own",
        x_portkey_provider=provider,
    )
    raw = orjson.dumps({**ASKED, "max_tokens": 9, "stream": is_stream})
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            counts[frame.f_globals.get("__name__", "")] += 1

    async def ask() -> bytes:
        response = await gateway.handle(HTTPRequest("POST", CHAT, "", head, raw))
        assert 200 == response.status
        if isinstance(response.body, bytes):
            return response.body
        return b"".join([piece async for piece in response.body])

    await ask()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        said = await ask()
        await gateway.aclose()
    finally:
        sys.setprofile(before)
    assert b"Bat" in said
    return counts


@pytest.mark.parametrize("name", _CALLS)
async def test_a_call_without_guardrails_runs_none_of_their_code(name: str) -> None:
    counts = await calls_of(name, {})

    assert counts["llmgateway.engine.pipeline"]
    assert {} == {module: count for module, count in counts.items() if is_of_guards(module)}


@pytest.mark.parametrize("stage", ["input", "output"])
@pytest.mark.parametrize("name", _CALLS)
async def test_the_count_sees_the_code_of_guardrails_where_there_are_some(
    name: str, stage: str
) -> None:
    counts = await calls_of(name, {f"{stage}_guardrails": [_CHECK]})

    for module in ("engine.guard", "engine.guarding", "guardrails.text", "codecs.spots"):
        assert counts[f"llmgateway.{module}"]
