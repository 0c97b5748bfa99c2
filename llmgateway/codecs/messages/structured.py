"""How a request for structured output is met: in the API's own field, by a tool, or in words.

The codec reads its answers with the same decision, made again from the same request.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.blocks import dump
from llmgateway.codecs.messages.schema import closed_schema
from llmgateway.codecs.messages.shape import as_list
from llmgateway.codecs.messages.tools import input_schema
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.capabilities import Capabilities, Reasoning, Schema

_TOOL: Final = "json_response"
_TOOL_WORDS: Final = "Give the whole answer by calling this tool, once."
WORDS: Final = "Answer with one JSON object and nothing else: no words around it, no code fence."
"""What asks for JSON where neither a schema nor a tool can."""
_SCHEMA_WORDS: Final = "It must match this JSON schema:"


class Structure(NamedTuple):
    """The decision; at most one of `format`, `tool` and `words` is set."""

    format: JSON | None = None
    tool: JSON | None = None
    words: str | None = None
    is_adjusted: bool = False


def decide(body: JSON, capabilities: Capabilities) -> Structure:
    """Decide how the answer becomes what `response_format` asks for."""
    asked = body.get("response_format")
    if not isinstance(asked, dict) or asked.get("type") not in ("json_schema", "json_object"):
        return Structure()
    named = asked.get("json_schema")
    given: JSON = named if isinstance(named, dict) else {}
    schema = given.get("schema")
    if asked["type"] == "json_schema" and isinstance(schema, dict):
        return _by_schema(body, given, schema, capabilities)
    if body.get("tools") or thinks(body) or not _can_force(capabilities):
        return Structure(words=WORDS, is_adjusted=True)
    return Structure(tool=_tool(body, {"type": "object", "additionalProperties": True}, None))


def _by_schema(body: JSON, given: JSON, schema: Block, capabilities: Capabilities) -> Structure:
    if capabilities.schema in (Schema.NATIVE, Schema.SUBSET):
        closed = closed_schema(schema)
        if closed.is_possible:
            form = {"type": "json_schema", "schema": closed.schema}
            return Structure(format=form, is_adjusted=not closed.is_exact)
    if not _can_force(capabilities):
        return Structure(words=f"{WORDS} {_SCHEMA_WORDS}\n{dump(schema)}", is_adjusted=True)
    return Structure(tool=_tool(body, schema, given.get("description")))


def _tool(body: JSON, schema: Block, words: Any) -> JSON:
    return {
        "name": _free_name(body),
        "description": f"{_TOOL_WORDS} {words}" if isinstance(words, str) else _TOOL_WORDS,
        "input_schema": input_schema(schema),
    }


def _free_name(body: JSON) -> str:
    taken = set()
    for tool in as_list(body.get("tools")):
        if isinstance(tool, dict):
            function = tool.get("function")
            taken.add(str(function.get("name") if isinstance(function, dict) else tool.get("name")))
    name = _TOOL
    while name in taken:
        name += "_"
    return name


def json_tool(body: JSON, capabilities: Capabilities) -> str | None:
    """Return the name of the tool whose input is the answer, where there is one."""
    try:
        tool = decide(body, capabilities).tool
    except InvalidRequest:  # such a request was never sent
        return None
    return tool["name"] if tool else None


def thinks(body: JSON) -> bool:
    """Whether the caller asked for thinking."""
    thinking = body.get("thinking")
    if isinstance(thinking, dict):
        return thinking.get("type") != "disabled"
    return body.get("reasoning_effort") not in (None, "none")


def _can_force(capabilities: Capabilities) -> bool:
    can_think = capabilities.reasoning != frozenset({Reasoning.NONE})
    return (
        capabilities.forced_tool_with_reasoning
        or capabilities.can_disable_reasoning
        or not can_think
    )
