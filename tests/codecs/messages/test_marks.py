"""What the Messages door wrote into a history, and what it must leave there."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages import COUNT_TOKENS_DOOR, MESSAGES_DOOR
from llmgateway.codecs.messages.carrier import pack
from llmgateway.types.http import Headers
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import context

JSON = dict[str, Any]

ASK: JSON = {"role": "user", "content": "Hi"}
TEXT = {"type": "text", "text": "Hello"}
OWN = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SEALED = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"}],
}
THINKS: JSON = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def written(blocks: list[Block], *, streams: bool) -> list[Block]:
    """Return hub blocks as the door's client gets them."""
    if not streams:
        body = {"choices": [{"message": {"content_blocks": blocks}}]}
        content: list[Block] = MESSAGES_DOOR.encode_response(body, context("m"))["content"]
        return content
    encoder = MESSAGES_DOOR.encode_stream(context("m"))
    deltas = [{"content_blocks": [{"index": n, **block}]} for n, block in enumerate(blocks)]
    raw = b"".join(encoder.feed({"choices": [{"index": 0, "delta": one}]}) for one in deltas)
    content = gathered(raw + encoder.close())["content"]
    return content


def asked(*turns: JSON, **members: Any) -> JSON:
    return {"model": "m", "messages": [ASK, *turns], **members}


def said(*content: JSON) -> JSON:
    return {"role": "assistant", "content": list(content)}


FOREIGN = {"type": "thinking", "thinking": "h", "signature": "Z2Vt", "wire": "generate_content"}
UNSIGNED = {"type": "thinking", "thinking": "h"}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("thought", [FOREIGN, UNSIGNED], ids=["foreign", "unsigned"])
def test_a_thought_of_another_maker_comes_back_as_it_was(thought: Block, streams: bool) -> None:
    content = written([thought, OWN], streams=streams)
    assert content[0]["signature"].startswith("llmgateway.")
    assert OWN == content[1]

    body = asked(said(*content))
    read = MESSAGES_DOOR.decode_request(body, {}, Headers()).body["messages"][1]

    assert [thought, OWN] == read["content_blocks"]
    assert asked(said(OWN)) == MESSAGES_DOOR.without_marks(body).body


def test_a_signature_of_ours_that_was_cut_is_none() -> None:
    cut = {"type": "thinking", "thinking": "h", "signature": "llmgateway.?"}

    read = MESSAGES_DOOR.decode_request(asked(said(cut, TEXT)), {}, Headers())

    assert UNSIGNED == read.body["messages"][1]["content_blocks"][0]


@pytest.mark.parametrize("door", [MESSAGES_DOOR, COUNT_TOKENS_DOOR], ids=["messages", "count"])
def test_carriers_go_and_a_turn_of_nothing_else_too(door: Any) -> None:
    carrier = pack({"signature": "s"})
    body = asked(said(SEALED, TEXT, carrier, CALL), RESULT, said(carrier), ASK)

    plain = door.without_marks(body)

    assert asked(said(SEALED, TEXT, CALL), RESULT, ASK) == plain.body
    assert ("messages.thinking",) == plain.adjusted


def test_a_citation_that_no_search_of_the_api_gave_goes() -> None:
    note = {"url": "https://e.org", "title": "E", "start_index": 0, "end_index": 5}
    message = {
        "content": "Hello",
        "annotations": [{"type": "url_citation", "url_citation": note}],
    }
    body: JSON = {"choices": [{"message": message}]}
    (text,) = MESSAGES_DOOR.encode_response(body, context("m"))["content"]
    (made_up,) = text["citations"]
    own = {**made_up, "encrypted_index": "RW8="}
    both = {**text, "citations": [own, made_up]}

    plain = MESSAGES_DOOR.without_marks(asked(said(text), ASK, said(both)))

    left: list[JSON] = [{**TEXT, "citations": None}, {**TEXT, "citations": [own]}]
    assert asked(said(left[0]), ASK, said(left[1])) == plain.body
    assert ("messages.citations",) == plain.adjusted


def test_thinking_is_off_where_the_calls_have_lost_their_thoughts() -> None:
    carrier = pack({"call": "toolu_1", "extra": {"thought_signature": "s"}})

    lost = MESSAGES_DOOR.without_marks(asked(said(carrier, CALL), RESULT, **THINKS))
    kept = MESSAGES_DOOR.without_marks(asked(said(OWN, carrier, CALL), RESULT, **THINKS))
    over = MESSAGES_DOOR.without_marks(
        asked(said(carrier, CALL), RESULT, said(TEXT), ASK, **THINKS)
    )

    assert {"type": "disabled"} == lost.body["thinking"]
    assert ("messages.thinking", "thinking") == lost.adjusted
    assert THINKS["thinking"] == kept.body["thinking"] == over.body["thinking"]


@pytest.mark.parametrize(
    "turn",
    [
        said(OWN, SEALED, TEXT, {**TEXT, "citations": None}, CALL),
        said({**OWN, "signature": ""}, {"type": "redacted_thinking"}, {"type": "thinking"}),
        {"role": "user", "content": [{"type": "redacted_thinking", "data": "llmgateway."}]},
        {"role": "assistant", "content": "llmgateway."},
        {"role": "assistant", "content": ["llmgateway."]},
        {"role": "assistant"},
    ],
    ids=["own", "unsigned", "users", "text", "no-objects", "nothing"],
)
def test_what_others_wrote_stays(turn: JSON) -> None:
    body = asked(turn, **THINKS)

    assert body is MESSAGES_DOOR.without_marks(body).body


@pytest.mark.parametrize("body", [{}, {"messages": "?"}, {"messages": ["?"]}])
def test_a_body_without_history_stays_as_it_is(body: JSON) -> None:
    assert body is MESSAGES_DOOR.without_marks(body).body
