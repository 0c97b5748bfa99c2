"""Answer → history → request is the identity on parts, signatures and ids.

At the chat door with compliance on and off, streamed or whole, and at the door of the format.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC, GENERATE_CONTENT_DOOR
from llmgateway.codecs.generate_content.carried import is_packed
from llmgateway.codecs.generate_content.turns import UNSIGNED
from llmgateway.types.http import Headers
from tests.codecs.crossing import context, crossed, events_of
from tests.codecs.generate_content.grammar import check_stream
from tests.codecs.generate_content.models import THIRD
from tests.codecs.grammar import check_chat

JSON = dict[str, Any]
PARAMS = {"model": "m", "operation": "generateContent"}

_TEXTS = st.text(min_size=1, max_size=6)
_SIGNATURES = (  # no provider signs as we do; Hypothesis tries what it finds in the source
    st.binary(min_size=1, max_size=12)
    .map(lambda raw: base64.b64encode(raw).decode())
    .filter(lambda signature: not is_packed(signature))
)
_SIGNED = st.fixed_dictionaries({}, optional={"thoughtSignature": _SIGNATURES})
_ARGS = st.dictionaries(
    _TEXTS, st.integers(0, 9) | _TEXTS | st.lists(_TEXTS, max_size=2), max_size=3
)


def _part(core: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    return st.builds(lambda part, signed: {**part, **signed}, core, _SIGNED)


TEXT = _part(st.builds(lambda text: {"text": text}, _TEXTS))
THOUGHT = st.builds(
    lambda text, signature: {"text": text, "thought": True, "thoughtSignature": signature},
    _TEXTS,
    _SIGNATURES,
)
SIGNATURE_ALONE = st.builds(lambda s: {"text": "", "thoughtSignature": s}, _SIGNATURES)
CALL = _part(
    st.builds(
        lambda name, args: {"functionCall": {"id": "", "name": name, "args": args}},
        st.sampled_from(["look", "find"]),
        _ARGS,
    )
)
NATIVE = _part(
    st.sampled_from(
        [
            {"executableCode": {"code": "1", "language": "PYTHON"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB"}},
        ]
    )
)


@st.composite
def turns(draw: st.DrawFn) -> list[JSON]:
    """Return the parts of a model's turn, each call with an id of its own."""
    parts = draw(st.lists(TEXT | THOUGHT | SIGNATURE_ALONE | CALL | NATIVE, min_size=1, max_size=7))
    for place, part in enumerate(parts):
        if "functionCall" in part:
            part["functionCall"] = {**part["functionCall"], "id": f"id{place}"}
    return parts


def answer(parts: list[JSON]) -> JSON:
    content = {"role": "model", "parts": parts}
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}


def sent(message: JSON, **members: Any) -> tuple[list[JSON], tuple[str, ...]]:
    """Return what the provider gets of a turn in a client's history."""
    history = {"messages": [{"role": "user", "content": "hi"}, message]}
    decoded = CHAT_DOOR.decode_request(history, {}, Headers())
    encoded = GENERATE_CONTENT_CODEC.encode_request(decoded.body, context(**members))
    contents = encoded.body["contents"]
    return (contents[1]["parts"] if len(contents) > 1 else []), encoded.adjusted


def as_joined(parts: list[JSON]) -> list[JSON]:
    """Return parts with unsigned texts that follow each other as one, as streams merge them."""
    joined: list[JSON] = []
    for part in parts:
        if joined and set(part) == {"text"} == set(joined[-1]):
            joined[-1] = {"text": joined[-1]["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


both = pytest.mark.parametrize("compliance", [True, False], ids=["strict", "loose"])
several = settings(max_examples=150, deadline=None)


@several
@given(parts=turns())
@both
def test_at_the_chat_door(parts: list[JSON], compliance: bool) -> None:
    ctx = context(compliance=compliance)
    decoded = GENERATE_CONTENT_CODEC.decode_response(answer(parts), ctx)
    shown = CHAT_DOOR.encode_response(decoded, ctx)
    message = json.loads(json.dumps(shown["choices"][0]["message"]))

    assert as_joined(parts) == as_joined(sent(message)[0])


@several
@given(parts=turns())
@both
def test_at_the_chat_door_in_a_stream(parts: list[JSON], compliance: bool) -> None:
    ctx = context(compliance=compliance)
    events = events_of(*(answer([part]) for part in parts))
    raw = crossed(GENERATE_CONTENT_CODEC, CHAT_DOOR, events, ctx)
    message = check_chat(raw, asked=True)["choices"][0]["message"]

    assert as_joined(parts) == as_joined(sent(message)[0])


@several
@given(parts=turns())
def test_at_the_door_of_the_format(parts: list[JSON]) -> None:
    ctx = context()
    decoded = GENERATE_CONTENT_CODEC.decode_response(answer(parts), ctx)
    shown = GENERATE_CONTENT_DOOR.encode_response(decoded, ctx)
    history = {"contents": [{"parts": [{"text": "hi"}]}, shown["candidates"][0]["content"]]}
    again = GENERATE_CONTENT_DOOR.decode_request(history, PARAMS, Headers())
    encoded = GENERATE_CONTENT_CODEC.encode_request(again.body, ctx).body

    assert parts == encoded["contents"][1]["parts"]


@several
@given(parts=turns())
def test_at_the_door_of_the_format_in_a_stream(parts: list[JSON]) -> None:
    events = events_of(*(answer([part]) for part in parts))
    raw = crossed(GENERATE_CONTENT_CODEC, GENERATE_CONTENT_DOOR, events, context())
    shown = [part for part in check_stream(raw)["candidates"][0]["parts"] if part != {"text": ""}]
    history = {"contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": shown}]}
    again = GENERATE_CONTENT_DOOR.decode_request(history, PARAMS, Headers())
    encoded = GENERATE_CONTENT_CODEC.encode_request(again.body, context()).body

    assert as_joined(parts) == as_joined(encoded["contents"][1]["parts"])


@several
@given(parts=turns())
@both
def test_a_framework_that_drops_what_it_does_not_know(parts: list[JSON], compliance: bool) -> None:
    """No 400: the first call of the step is signed all the same, and that is named."""
    ctx = context(compliance=compliance)
    decoded = GENERATE_CONTENT_CODEC.decode_response(answer(parts), ctx)
    shown = CHAT_DOOR.encode_response(decoded, ctx)["choices"][0]["message"]
    calls = [
        {key: value for key, value in call.items() if key in ("id", "type")}
        | {"function": {k: call["function"][k] for k in ("name", "arguments")}}
        for call in shown.get("tool_calls", ())
    ]
    bare = {"role": "assistant", "content": shown["content"], "tool_calls": calls}
    back, adjusted = sent(bare, capabilities=THIRD)
    signatures = [part.get("thoughtSignature") for part in back if "functionCall" in part]

    assert [UNSIGNED, *[None] * (len(calls) - 1)][: len(calls)] == signatures
    assert (("thought_signature",) if calls else ()) == adjusted


# ---- other makers' blocks at the door of the format

_FOREIGN = st.one_of(
    st.builds(
        lambda t, s: {"type": "thinking", "thinking": t, "signature": s},
        _TEXTS,
        st.text(min_size=1, max_size=8),
    ),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, _TEXTS),
    st.builds(lambda v: {"type": "opaque", "wire": "messages", "value": {"x": v}}, _TEXTS),
    st.builds(lambda t: {"type": "text", "text": t}, _TEXTS),
)


def as_googles_client_sends(part: JSON) -> JSON:
    """Return a part as the SDK sends it back: base64 read and written in the URL's alphabet."""
    signature = part.get("thoughtSignature")
    if signature is None:
        return part
    usual = signature.replace("-", "+").replace("_", "/")
    raw = base64.b64decode(usual + "=" * (-len(usual) % 4))
    return {**part, "thoughtSignature": base64.urlsafe_b64encode(raw).decode()}


@several
@given(blocks=st.lists(_FOREIGN, min_size=1, max_size=5))
def test_foreign_blocks_pass_a_gemini_client(blocks: list[JSON]) -> None:
    message = {"role": "assistant", "content": "x", "content_blocks": blocks}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    shown = GENERATE_CONTENT_DOOR.encode_response(body, context())
    back = [as_googles_client_sends(part) for part in shown["candidates"][0]["content"]["parts"]]
    history = {"contents": [{"role": "user", "parts": "hi"}, {"role": "model", "parts": back}]}
    again = GENERATE_CONTENT_DOOR.decode_request(history, PARAMS, Headers()).body

    assert blocks == again["messages"][1]["content_blocks"]
