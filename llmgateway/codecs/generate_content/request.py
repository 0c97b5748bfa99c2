"""Writes a hub request as a generateContent request."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Context, Encoded
from llmgateway.codecs.generate_content import generation
from llmgateway.codecs.generate_content.generation import encode_generation
from llmgateway.codecs.generate_content.shape import Notes, snake
from llmgateway.codecs.generate_content.tools import encode_tools
from llmgateway.codecs.generate_content.turns import encode_turns
from llmgateway.types import JSON

_ROUTING: Final = frozenset({"model", "messages", "stream", "stream_options"})
_TOOLS: Final = frozenset(
    {"tools", "tool_choice", "functions", "function_call", "web_search_options"}
)
_PASSED: Final = ("safetySettings", "cachedContent")
"""Members of the API's own that go through, in either spelling."""
_SILENT: Final[dict[str, tuple[Any, ...]]] = {
    "parallel_tool_calls": (True,),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
}
"""Values that ask for what happens anyhow."""


def encode_request(body: JSON, ctx: Context) -> Encoded:
    """Return the request; raises `InvalidRequest` with `param`."""
    notes = Notes()
    contents, system = encode_turns(body.get("messages"), ctx, notes)
    request: JSON = {"contents": contents}
    if system:
        request["systemInstruction"] = {"parts": system}
    request |= encode_tools(body, ctx, notes)
    config = encode_generation(body, ctx, notes)
    if config:
        request["generationConfig"] = config
    known = {*_ROUTING, *_TOOLS, *generation.HANDLED}
    for name in _PASSED:
        known |= {name, snake(name)}
        value = body.get(snake(name)) or body.get(name)
        if value:
            request[name] = value
    for name, value in body.items():
        if name not in known and value is not None and value not in _SILENT.get(name, ()):
            notes.drop(name)
    stream = body.get("stream") is True
    operation = "streamGenerateContent" if stream else "generateContent"
    return Encoded(request, operation=operation, dropped=notes.dropped, adjusted=notes.adjusted)
