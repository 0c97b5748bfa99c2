"""What each door says to a caller whose call a guardrail denied."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import Format
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.generate_content import GENERATE_CONTENT
from llmgateway.codecs.messages import MESSAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES
from llmgateway.errors import HooksFailed

MESSAGE = (
    "The guardrail checks defined in the config failed. You can find more information in the "
    "`hook_results` object."
)
RESULTS: dict[str, Any] = {
    "before_request_hooks": [{"verdict": False, "id": "g", "deny": True, "checks": []}],
    "after_request_hooks": [],
}
DOORS: list[Format] = [
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    RESPONSES,
    MESSAGES,
    GENERATE_CONTENT,
    OPAQUE,
]


def test_a_denial_has_the_words_of_the_contract() -> None:
    error = HooksFailed(RESULTS)

    assert (446, True) == (error.status, error.gateway_made)
    assert error.to_openai("r") == {
        "error": {
            "message": MESSAGE,
            "type": "hooks_failed",
            "param": None,
            "code": None,
            "request_id": "r",
        },
        "hook_results": RESULTS,
    }


@pytest.mark.parametrize("wire", DOORS, ids=lambda wire: wire.name)
def test_every_door_keeps_the_results_at_top_level(wire: Format) -> None:
    body = wire.encode_error(HooksFailed(RESULTS), "r")

    assert RESULTS == body["hook_results"]
    assert MESSAGE == body["error"]["message"]
    event = wire.error_event(HooksFailed(RESULTS), "r")
    assert orjson.dumps(RESULTS) in event
