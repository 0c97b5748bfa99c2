"""Writes the hub's tools and `tool_choice` as `tools` and `toolConfig`.

Source: https://ai.google.dev/api/caching#Tool and
https://ai.google.dev/gemini-api/docs/function-calling
"""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.schema import to_subset
from llmgateway.codecs.generate_content.shape import Notes, an_object, objects, string, written
from llmgateway.codecs.generate_content.turns import is_third
from llmgateway.types import JSON
from llmgateway.types.capabilities import Schema

NEUTRAL: Final = {"web_search": "googleSearch", "code_execution": "codeExecution"}
"""The hub's built-in tools by their names here."""

_SPECIAL: Final = {
    **{name: name for name in ("googleSearch", "googleSearchRetrieval", "computerUse")},
    **{name: name for name in ("googleMaps", "urlContext", "codeExecution")},
    "google_search": "googleSearch",
    "google_search_retrieval": "googleSearchRetrieval",
    "computer_use": "computerUse",
    "google_maps": "googleMaps",
    "url_context": "urlContext",
}
"""Functions of these names stand for the API's own tools, as Portkey's clients write them."""

_MODES: Final = {"auto": "AUTO", "required": "ANY", "any": "ANY", "none": "NONE"}


def encode_tools(body: JSON, ctx: Context, notes: Notes) -> JSON:
    """Return the members `tools` and `toolConfig`, as far as there are any."""
    functions, others = _sorted(body, ctx, notes)
    third = is_third(ctx.capabilities)
    if functions and others and not third:
        # Refused by models of the second generation.
        # https://ai.google.dev/gemini-api/docs/tool-combination (seen 2026-11)
        notes.drop("tools.built_in")
        others = []
    config = _choice(body, notes) if functions else {}
    if functions and others:
        config = {**config, "includeServerSideToolInvocations": True}
    if functions:
        others = [*others, {"functionDeclarations": functions}]
    return {**({"tools": others} if others else {}), **({"toolConfig": config} if config else {})}


def _sorted(body: JSON, ctx: Context, notes: Notes) -> tuple[list[JSON], list[JSON]]:
    """Return the declarations of functions, and the tools of other kinds."""
    functions: list[JSON] = []
    others: dict[str, JSON] = {}
    for tool in _tools(body):
        function = an_object(tool.get("function"))
        name = string(function.get("name"))
        if tool.get("type", "function") == "function" and name not in _SPECIAL:
            functions.append(_declaration(function, ctx))
            continue
        other = _built_in(tool, name, function)
        if other is not None and tool.get("options"):
            notes.adjust(f"tools.{string(tool.get('type'))[:64]}")
        if other is None:
            notes.drop(f"tools.{string(tool.get('type'))[:64]}")
        else:
            others.setdefault(written(other), other)
    return functions, list(others.values())


def _tools(body: JSON) -> list[JSON]:
    """Return the tools, the older `functions` among them."""
    older = [{"type": "function", "function": f} for f in objects(body.get("functions"))]
    wished = body.get("web_search_options")
    search = [{"type": "web_search", "options": wished}] if isinstance(wished, dict) else []
    return [*objects(body.get("tools")), *older, *search]


def _built_in(tool: JSON, name: str, function: JSON) -> JSON | None:
    kind = tool.get("type")
    if kind == "function":
        return {_SPECIAL[name]: an_object(function.get("parameters"))}
    if kind == "native":
        native = an_object(tool.get("native"))
        # The API's own tools are named by their key; a `type` shows one of another provider.
        return native if native and "type" not in native else None
    neutral = NEUTRAL.get(string(kind))
    return None if neutral is None else {neutral: {}}


def _declaration(function: JSON, ctx: Context) -> JSON:
    declaration = {
        key: function[key] for key in ("name", "description") if isinstance(function.get(key), str)
    }
    schema = function.get("parameters")
    if not isinstance(schema, dict) or not schema:
        return declaration
    if ctx.capabilities.tool_schema is Schema.NATIVE:
        return {**declaration, "parametersJsonSchema": schema}
    subset = to_subset(schema)
    # An object without properties is refused there; none stands for it.
    empty = subset.get("type") == "OBJECT" and not subset.get("properties")
    return declaration if empty else {**declaration, "parameters": subset}


def _choice(body: JSON, notes: Notes) -> JSON:
    choice = body.get("tool_choice") or body.get("function_call")
    if choice is None:
        return {}
    config = _calling(choice)
    if config is None:
        notes.drop("tool_choice")
        return {}
    return {"functionCallingConfig": config}


def _calling(choice: Any) -> JSON | None:
    if isinstance(choice, str):
        mode = _MODES.get(choice)
        return None if mode is None else {"mode": mode}
    wished = an_object(choice)
    if wished.get("type") == "allowed_tools":
        return _allowed(an_object(wished.get("allowed_tools")) or wished)
    name = string(an_object(wished.get("function")).get("name")) or string(wished.get("name"))
    return {"mode": "ANY", "allowedFunctionNames": [name]} if name else None


def _allowed(allowed: JSON) -> JSON | None:
    names = [
        name
        for tool in objects(allowed.get("tools"))
        if (name := string(an_object(tool.get("function")).get("name")))
    ]
    if not names:
        return None
    mode = "ANY" if allowed.get("mode") == "required" else "VALIDATED"
    return {"mode": mode, "allowedFunctionNames": names}
