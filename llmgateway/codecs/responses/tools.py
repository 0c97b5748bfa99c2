"""Reads the tools of a Responses request, and writes them as an answer repeats them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from llmgateway.codecs.chat.losses import Losses, invalid
from llmgateway.types import JSON

_INPUT: Final = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
"""The parameters of the function that stands for a custom tool, whose input is any text."""


def tools_of(tools: Any, losses: Losses) -> list[JSON]:
    """Return the hub's tools; those that it has no word for are left out."""
    if not isinstance(tools, list):
        raise invalid("tools", "must be a list")
    found = []
    for number, tool in enumerate(tools):
        place = f"tools[{number}]"
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise invalid(place, "must be an object with a type")
        reader = _READERS.get(tool["type"])
        if reader is None:
            losses.drop(f"tools.{tool['type']}")
        else:
            found.append(reader(tool, place, losses))
    return found


def _function(tool: JSON, place: str, losses: Losses) -> JSON:
    # Some clients send the nested form of chat completions here too.
    nested = tool.get("function")
    source = nested if isinstance(nested, dict) else tool
    if not isinstance(source.get("name"), str):
        raise invalid(f"{place}.name", "must be a text")
    members = ("name", "description", "parameters", "strict")
    function = {key: source[key] for key in members if source.get(key) is not None}
    return {"type": "function", "function": function}


def _custom(tool: JSON, place: str, losses: Losses) -> JSON:
    """Return the function that stands for a custom tool; a grammar of its input is lost."""
    if not isinstance(tool.get("name"), str):
        raise invalid(f"{place}.name", "must be a text")
    described = {"description": tool["description"]} if tool.get("description") else {}
    form = tool.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        losses.adjust("tools.custom.format")
        words = f"The input must match this {form.get('syntax')} grammar:\n{form.get('definition')}"
        described["description"] = "\n\n".join(filter(None, (tool.get("description"), words)))
    return {"type": "function", "function": {"name": tool["name"], **described, **_AS_INPUT}}


_AS_INPUT: Final[JSON] = {"parameters": _INPUT}


def _search(tool: JSON, place: str, losses: Losses) -> JSON:
    options = {key: tool[key] for key in ("user_location", "search_context_size") if tool.get(key)}
    filters = tool.get("filters")
    if isinstance(filters, dict):
        options |= {key: value for key, value in filters.items() if value}
    return {"type": "web_search", "options": options}


def _code(tool: JSON, place: str, losses: Losses) -> JSON:
    container = tool.get("container")
    if isinstance(container, str) or (isinstance(container, dict) and container.get("file_ids")):
        losses.drop("tools.code_interpreter.container")
    return {"type": "code_execution", "options": {}}


def _mcp(tool: JSON, place: str, losses: Losses) -> JSON:
    options = {key: value for key, value in tool.items() if key in _MCP and value is not None}
    for key in sorted(tool.keys() - _MCP - {"type"}):
        losses.drop(f"tools.mcp.{key}")
    names = options.get("allowed_tools")
    if isinstance(names, dict):
        options["allowed_tools"] = names.get("tool_names") or []
    return {"type": "mcp", "options": options}


_MCP: Final = frozenset(
    {
        "server_label",
        "server_url",
        "authorization",
        "headers",
        "allowed_tools",
        "require_approval",
    }
)
_READERS: Final[Mapping[str, Callable[[JSON, str, Losses], JSON]]] = {
    "function": _function,
    "custom": _custom,
    "web_search": _search,
    "web_search_2025_08_26": _search,
    "web_search_preview": _search,
    "web_search_preview_2025_03_11": _search,
    "code_interpreter": _code,
    "mcp": _mcp,
}


def choice_of(choice: Any, losses: Losses) -> Any:
    """Return the hub's tool choice, or None for one that it cannot say."""
    if choice is None or isinstance(choice, str):
        return choice
    if not isinstance(choice, dict):
        raise invalid("tool_choice", "must be a word or an object")
    kind = choice.get("type")
    if kind in ("function", "custom") and isinstance(choice.get("name"), str):
        return _named(choice["name"])
    if kind == "allowed_tools" and isinstance(choice.get("tools"), list):
        allowed = [
            _named(tool["name"])
            for tool in choice["tools"]
            if isinstance(tool, dict) and isinstance(tool.get("name"), str)
        ]
        if len(allowed) == len(choice["tools"]):
            within = {"mode": choice.get("mode") or "auto", "tools": allowed}
            return {"type": "allowed_tools", "allowed_tools": within}
    losses.drop("tool_choice")
    return None


def _named(name: str) -> JSON:
    return {"type": "function", "function": {"name": name}}


def custom_names(request: JSON) -> frozenset[str]:
    """Return the names of the custom tools of a request."""
    return frozenset(
        tool["name"]
        for tool in _list(request.get("tools"))
        if isinstance(tool, dict)
        and tool.get("type") == "custom"
        and isinstance(tool.get("name"), str)
    )


def repeated_tools(request: JSON) -> list[Any]:
    """Return the tools as an answer repeats them: with defaults, without secrets."""
    return [_repeated(tool) for tool in _list(request.get("tools")) if isinstance(tool, dict)]


def _repeated(tool: JSON) -> JSON:
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    return {key: value for key, value in tool.items() if key not in ("authorization", "headers")}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
