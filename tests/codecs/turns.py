"""Assistant turns of any shape, whole and as a codec streams them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmgateway.codecs.hub import APPENDED, Block, text_of_blocks

JSON = dict[str, Any]

_WORDS = st.text(max_size=12)
_SIGNATURES = st.text("abcXYZ019+/=", min_size=1, max_size=10)
_TEXTS = st.fixed_dictionaries(
    {"type": st.just("text"), "text": st.text(min_size=1, max_size=12)},
    optional={
        "signature": _SIGNATURES,
        "citations": st.just([{"type": "page_location", "cited_text": "c"}]),
    },
)
_BLOCKS = st.one_of(
    _TEXTS,
    st.fixed_dictionaries({"type": st.just("text"), "text": st.just(""), "signature": _SIGNATURES}),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": _WORDS, "signature": _SIGNATURES}
    ),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": _WORDS}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": _SIGNATURES}),
    st.fixed_dictionaries(
        {
            "type": st.just("opaque"),
            "wire": st.just("messages"),
            "value": st.fixed_dictionaries({"type": _WORDS, "input": st.lists(_WORDS)}),
        }
    ),
)
_CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": st.sampled_from(["f", "g"]), "arguments": st.just('{"x": "é"}')}
            ),
        },
        optional={"extra_content": st.fixed_dictionaries({"thought_signature": _SIGNATURES})},
    ),
    max_size=3,
)


@st.composite
def messages(draw: st.DrawFn) -> JSON:
    """Draw a turn that says something."""
    blocks = draw(st.lists(_BLOCKS, max_size=6))
    calls = [{"id": f"call_{at}", **call} for at, call in enumerate(draw(_CALLS))]
    if not blocks and not calls:
        blocks = [{"type": "text", "text": "Hi"}]
    message: JSON = {"role": "assistant", "content": text_of_blocks(blocks) or None}
    if blocks:
        message["content_blocks"] = blocks
    if calls:
        message["tool_calls"] = calls
    return message


def whole(message: JSON, **members: Any) -> JSON:
    """Return a hub answer of one choice."""
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"choices": [choice], "usage": {"input": 1, "output": 2}, **members}


def streamed(message: JSON, size: int) -> list[JSON]:
    """Return the turn as hub chunks, with texts in pieces of `size` characters."""
    chunks = [_chunk({"role": "assistant"})]
    for index, block in enumerate(message.get("content_blocks", ())):
        chunks += _of_block(index, block, size)
    for index, call in enumerate(message.get("tool_calls", ())):
        arguments = call["function"]["arguments"]
        start = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        chunks.append(_chunk({"tool_calls": [start]}))
        for piece in _pieces(arguments, size):
            rest = {"index": index, "function": {"arguments": piece}}
            chunks.append(_chunk({"tool_calls": [rest]}))
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    return [*chunks, _chunk({}, finish), {"choices": [], "usage": {"input": 1, "output": 2}}]


def _of_block(index: int, block: Block, size: int) -> list[JSON]:
    start = {key: value for key, value in block.items() if key not in APPENDED}
    chunks = [_chunk({"content_blocks": [{"index": index, **start}]})]
    for member in ("thinking", "text", "data", "signature"):
        for piece in _pieces(block.get(member, ""), size):
            delta: JSON = {"content_blocks": [{"index": index, member: piece}]}
            if member in _PLAIN:
                delta[_PLAIN[member]] = piece
            chunks.append(_chunk(delta))
    return chunks


_PLAIN = {"text": "content", "thinking": "reasoning_content"}


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _chunk(delta: JSON, finish: str | None = None) -> JSON:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
