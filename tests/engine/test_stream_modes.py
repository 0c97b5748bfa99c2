"""How a stream is guarded, by what its checks need."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.config import parse_hooks
from llmgateway.engine.bind import Binder
from llmgateway.guardrails import builtin
from tests.engine.guarded import ASKED, ask
from tests.scripted import delta, events, stream

_NONE = {"default.contains": {"operator": "none", "words": ["x"]}}
_MASK = {"default.regexReplace": {"rule": "/x/g"}}
_COUNT = {"default.wordCount": {"minWords": 3}}


@pytest.mark.parametrize(
    ("hook", "mode"),
    [
        (_NONE, "MONITOR"),
        (_COUNT, "MONITOR"),
        ({**_NONE, "deny": True}, "WINDOW"),
        ({**_COUNT, "deny": True}, "HOLD"),
        (_MASK, "WINDOW"),
        ({**_MASK, **_NONE}, "WINDOW"),
        ({**_MASK, **_COUNT}, "HOLD"),
        ({**_NONE, **_COUNT, "deny": True}, "HOLD"),
        ({**_NONE, "deny": True, "stream_mode": "hold"}, "HOLD"),
        ({**_NONE, "deny": True, "stream_mode": "monitor"}, "MONITOR"),
    ],
)
def test_the_mode_is_what_all_its_text_checks_can_do(hook: dict[str, Any], mode: str) -> None:
    guards, faults = _bound(hook)

    assert ([], mode) == (faults, guards.outputs[0].mode.name)


@pytest.mark.parametrize("checks", [_COUNT, {**_COUNT, "deny": True}, {**_MASK, **_COUNT}])
def test_windows_are_refused_where_a_check_needs_the_whole_text(checks: dict[str, Any]) -> None:
    _, faults = _bound({**checks, "stream_mode": "window"})

    assert ["output_guardrails[0].stream_mode"] == [path for path, _ in faults]


def _bound(hook: dict[str, Any]) -> Any:
    hooks = parse_hooks([hook], "output", "output_guardrails")
    return Binder(builtin()).bind((), hooks, closed=False)


@pytest.mark.parametrize("mode", ["hold", "window", "monitor"])
async def test_the_log_knows_a_guarded_stream_for_one(mode: str) -> None:
    hook = {**_NONE, "deny": True, "stream_mode": mode}
    script = stream(*events(delta("Bat"), delta(finish="stop")))

    answered = await ask({"output_guardrails": [hook]}, script, body={**ASKED, "stream": True})

    assert (200, "Bat", True) == (answered.status, answered.text, answered.record.stream)
