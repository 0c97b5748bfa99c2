"""Values planted wherever a request has room for words are in no sink, and back in the answer.

What is masked in the request goes to nobody but the caller: no provider, no webhook that stands
after the mask, no record, no log. Out of scope: base64, and what the caller's own answer holds.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any

import pytest

from tests.engine.guarded import Answered, ask
from tests.guardrails.pii.parrots import (
    NATIVE,
    TRANSLATED,
    Way,
    asked,
    got,
    got_streamed,
    parrot,
    path_of,
)
from tests.guardrails.pii.planted import Prompt, prompt

PII = {"default.pii": {"redact": True, "reversible": True}}
PROMPTS = 200


def leaked(it: Prompt, **sinks: Any) -> list[tuple[str, str]]:
    """Return which value is in which sink."""
    texts = {name: sink if isinstance(sink, str) else str(sink) for name, sink in sinks.items()}
    return [(name, form) for form in it.forms for name, text in texts.items() if form in text]


def sinks_of(answer: Answered) -> dict[str, Any]:
    """Return all that went out of the gateway but to the caller."""
    requests = answer.transport.requests
    return {
        "bodies": [body.decode() for body in answer.transport.bodies],
        "urls": [request.url for request in requests],
        "heads": [request.headers for request in requests],
        "varying": [request.varying for request in requests],
        "record": json.dumps(asdict(answer.record), ensure_ascii=False, default=str),
        "escaped record": json.dumps(asdict(answer.record), default=str),
        "words": repr(asdict(answer.record)),
    }


async def send(
    it: Prompt, way: Way, *, is_stream: bool, by: str = "settings", logs: bool = True, **more: Any
) -> Answered:
    """Send a prompt through a door, to a provider that repeats it."""
    hooks = more.pop("hooks", [PII])
    stated = {"input_guardrails": hooks, **more.pop("guardrails", {})}
    settings: dict[str, Any] = {"log_bodies": logs}
    config: dict[str, Any] = {"provider": way.provider}
    (settings if by == "settings" else config).update(stated)
    steps = more.pop("steps", [parrot(way.parrot, it.number, is_stream)])
    path = path_of(way.door, is_stream)
    if way.door == "gemini" and is_stream:
        more["query"] = "alt=sse"
    return await ask(
        config,
        *steps,
        body=asked(way.door, it, is_stream),
        path=path,
        settings=settings,
        x_portkey_metadata=json.dumps({"_user": it.note, "note": it.values[0]}),
        **more,
    )


@pytest.mark.parametrize("logs", [True, False], ids=["bodies logged", "not logged"])
@pytest.mark.parametrize("by", ["settings", "caller"])
async def test_no_sink_has_a_value_and_the_caller_gets_them_back(
    by: str, logs: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    first = 2 * (by == "caller") + logs
    for number in range(first, PROMPTS, 4):
        it = prompt(number)
        ways = TRANSLATED if number // 4 % 2 else NATIVE
        more = [
            Way("completions", "openai", "completions"),
            Way("embeddings", "openai", "embeddings"),
        ]
        for way in (*ways, *more):
            for is_stream in (False, True):
                if is_stream and way.door == "embeddings":
                    continue
                answer = await send(it, way, is_stream=is_stream, by=by, logs=logs)
                where = f"{number} {way} {is_stream}"
                assert 200 == answer.status, (where, answer.raw)
                assert [] == leaked(it, **sinks_of(answer)), where
                if way.door != "embeddings":
                    assert_restored(it, way, answer, is_stream, where)
        assert [] == leaked(it, log=caplog.text, out="".join(capfd.readouterr()))


def assert_restored(it: Prompt, way: Way, answer: Answered, is_stream: bool, where: str) -> None:
    text, arguments = (
        got_streamed(way.door, answer.events) if is_stream else got(way.door, answer.body)
    )
    assert it.said == text, where
    if way.door != "completions":
        assert json.loads(it.arguments) == arguments, where
