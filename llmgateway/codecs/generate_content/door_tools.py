"""Reads a caller's `tools` and `toolConfig` into the hub's form."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.generate_content.door_schema import to_json_schema
from llmgateway.codecs.generate_content.shape import (
    Notes,
    an_object,
    objects,
    pick,
    snake,
    string,
    strings,
)
from llmgateway.codecs.generate_content.tools import NEUTRAL
from llmgateway.types import JSON

_KINDS: Final = {
    **{theirs: ours for ours, theirs in NEUTRAL.items()},
    "googleSearchRetrieval": "web_search",
}
_LOST: Final = ("response", "responseJsonSchema", "behavior")
"""Members of a declaration that the hub has no place for."""
_CHOICES: Final = {"AUTO": "auto", "VALIDATED": "auto", "NONE": "none", "ANY": "required"}


def decode_tools(tools: object, notes: Notes) -> tuple[list[JSON], list[str]]:
    """Return the hub's tools, and the names of the functions among them."""
    found: list[JSON] = []
    names: list[str] = []
    for tool in objects(tools):
        for name, value in tool.items():
            if name in ("functionDeclarations", "function_declarations"):
                declared = [_function(declaration, notes) for declaration in objects(value)]
                found += declared
                names += [string(entry["function"].get("name")) for entry in declared]
            elif value is not None:
                found.append(_other(name, value, notes))
    return found, names


def _other(name: str, value: Any, notes: Notes) -> JSON:
    """Return a built-in tool: a neutral one if the hub has it, else the caller's own."""
    kind = _KINDS.get(name) or next((k for n, k in _KINDS.items() if snake(n) == name), None)
    if kind is None:
        return {"type": "native", "native": {name: value}}
    if value:
        notes.adjust(f"tools.{name}")
    return {"type": kind, "options": {}}


def _function(declaration: JSON, notes: Notes) -> JSON:
    function: JSON = {"name": string(declaration.get("name"))}
    if isinstance(declaration.get("description"), str):
        function["description"] = declaration["description"]
    schema = pick(declaration, "parametersJsonSchema")
    if schema is None and isinstance(own := declaration.get("parameters"), dict):
        schema = to_json_schema(own)
    if isinstance(schema, dict):
        function["parameters"] = schema
    for member in _LOST:
        if pick(declaration, member) is not None:
            notes.drop(f"tools.{member}")
    return {"type": "function", "function": function}


def decode_choice(config: JSON, functions: list[str], notes: Notes) -> JSON:
    """Return the member `tool_choice`, if the caller steers."""
    if pick(config, "retrievalConfig") is not None:
        notes.drop("toolConfig.retrievalConfig")
    calling = an_object(pick(config, "functionCallingConfig"))
    mode = string(calling.get("mode")).upper()
    choice = _CHOICES.get(mode)
    if choice is None:
        return {}
    allowed = strings(pick(calling, "allowedFunctionNames"))
    if not allowed or choice == "none" or set(allowed) >= set(functions):
        return {"tool_choice": choice}
    if len(allowed) == 1 and choice == "required":
        return {"tool_choice": {"type": "function", "function": {"name": allowed[0]}}}
    tools = [{"type": "function", "function": {"name": name}} for name in allowed]
    within = {"mode": choice, "tools": tools}
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": within}}
