"""What only some crossings have: page citations, native words, a target that refuses a loss."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.crossings import answers
from tests.crossings.asks import PAPER, request, user
from tests.crossings.doors import DOORS
from tests.crossings.gateway import CHECK_REQUEST, MODELS, send, stream_of, whole

JSON = dict[str, Any]

LOOSE = {"x_portkey_strict_open_ai_compliance": "false"}
PAGE: JSON = {
    "type": "page_location",
    "cited_text": "mild",
    "document_index": 0,
    "document_title": None,
    "start_page_number": 2,
    "end_page_number": 3,
    "file_id": None,
}
CITING: JSON = {
    **answers.ANTHROPIC["plain"],
    "content": [{"type": "text", "text": answers.TEXT, "citations": [PAGE]}],
}
CITED: JSON = {
    "messages": user(
        [
            {
                "type": "file",
                "file": {"file_data": f"data:application/pdf;base64,{PAPER}"},
                "citations": {"enabled": True},
            },
            {"type": "text", "text": "Sum it up."},
        ]
    )
}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])
async def test_citations_of_pages_are_seen_without_strict_compliance(
    strict: bool, streams: bool
) -> None:
    asked = {**request("chat", "plain", MODELS["anthropic"]), **CITED}
    step = whole(orjson.dumps(CITING))
    if streams:
        step = stream_of(answers.anthropic_events(CITING))

    answer = await send(
        "chat", "anthropic", asked, step, stream=streams, head={} if strict else LOOSE
    )

    CHECK_REQUEST["anthropic"](answer.asked)
    document = answer.asked["messages"][0]["content"][0]
    body = DOORS["chat"].gathered(answer.raw) if streams and strict else None
    text = answer.raw.decode()
    assert {"enabled": True} == document["citations"]
    assert strict is ("page_citation" not in text)
    # They are kept for the next turn all the same.
    assert "page_location" in text and (body is None or body["choices"])


async def test_a_citation_of_a_page_comes_back() -> None:
    asked = {**request("chat", "plain", MODELS["anthropic"]), **CITED}
    told = await send("chat", "anthropic", asked, whole(orjson.dumps(CITING)))
    again = DOORS["chat"].turn(asked, told.body)
    again["messages"] += user("Go on.")

    answer = await send("chat", "anthropic", again, whole(answers.whole("anthropic", "plain")))

    assert CITING["content"] == answer.asked["messages"][1]["content"]


@pytest.mark.parametrize(
    ("provider", "native"), [("anthropic", "stop_sequence"), ("google", "STOP")]
)
async def test_the_providers_own_word_stands_beside(provider: str, native: str) -> None:
    asked, raw = request("chat", "stop", MODELS[provider]), answers.whole(provider, "stop")

    strict = await send("chat", provider, asked, whole(raw))
    loose = await send("chat", provider, asked, whole(raw), head=LOOSE)

    (bare,), (shown,) = strict.body["choices"], loose.body["choices"]
    assert "stop" == bare["finish_reason"] == shown["finish_reason"]
    assert "native_finish_reason" not in bare
    assert native == shown["native_finish_reason"]


async def test_a_target_that_refuses_a_loss_is_passed_over() -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "anthropic", "unsupported_params": "refuse"},
            {"provider": "google", "override_params": {"model": MODELS["google"]}},
        ],
    }
    asked = {**request("chat", "plain", MODELS["anthropic"]), "seed": 7}
    step = whole(answers.whole("google", "plain"))

    head = {"x_portkey_config": orjson.dumps(config).decode()}
    answer = await send("chat", "google", asked, step, head=head)

    assert (200, []) == (answer.status, answer.dropped)
    assert 7 == answer.asked["generationConfig"]["seed"]
    assert "config.targets[1]" == answer.headers["x-portkey-last-used-option-index"]
