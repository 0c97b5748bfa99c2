"""Hub tools and the choice among them → the API's.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview (custom tools),
/tool-use/web-search-tool, /tool-use/code-execution-tool and /mcp-connector (seen 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.parts import mark
from llmgateway.codecs.messages.schema import closed_schema
from llmgateway.codecs.messages.shape import as_list, text_of
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

# Each is the version that every model serves; later ones need newer models.
WEB_SEARCH: Final = "web_search_20250305"
CODE_EXECUTION: Final = "code_execution_20250825"
CODE_EXECUTION_BETA: Final = "code-execution-2025-08-25"
MCP_BETA: Final = "mcp-client-2025-11-20"

_FUNCTION_EXTRAS: Final = (
    "defer_loading", "allowed_callers", "input_examples", "eager_input_streaming"
)  # fmt: skip


@dataclass(slots=True)
class Tools:
    """What a request offers, gathered tool by tool."""

    tools: list[JSON] = field(default_factory=list)
    mcp_servers: list[JSON] = field(default_factory=list)
    betas: list[str] = field(default_factory=list)


def write_tools(body: JSON, *, takes_strict: bool, losses: Losses) -> Tools:
    """Write the tools of a request, the older `functions` and `web_search_options` included."""
    found = Tools()
    listed = body.get("tools")
    if listed is not None and not isinstance(listed, list):
        raise InvalidRequest("`tools` must be a list.", param="tools")
    functions = [{"type": "function", "function": one} for one in as_list(body.get("functions"))]
    searches = body.get("web_search_options")
    built_in = [{"type": "web_search", "options": searches}] if isinstance(searches, dict) else []
    for tool in [*(listed or []), *functions, *built_in]:
        if not isinstance(tool, dict):
            raise InvalidRequest("Each tool must be an object.", param="tools")
        _write_tool(tool, found, takes_strict=takes_strict, losses=losses)
    return found


def _write_tool(tool: JSON, found: Tools, *, takes_strict: bool, losses: Losses) -> None:
    kind = tool.get("type")
    own = tool.get(kind) if isinstance(kind, str) else None
    if kind == "function":
        found.tools.append(_function(tool, takes_strict=takes_strict, losses=losses))
    elif isinstance(own, dict) and isinstance(own.get("name"), str) and kind != "custom":
        # Portkey's form: {"type": "web_search", "web_search": {"name": "web_search_20250305", …}}
        native = own if kind == "native" else {**own, "name": kind, "type": own["name"]}
        found.tools.append(mark(native, tool))
    elif isinstance(kind, str) and kind in _BUILT_IN:
        options = tool.get("options")
        _BUILT_IN[kind](tool, options if isinstance(options, dict) else {}, found, losses)
    elif kind == "native" and isinstance(own, dict) and _is_ours(own):
        found.tools.append(own)
    elif isinstance(tool.get("name"), str) and own is None and kind != "custom":
        found.tools.append(tool)  # the API's own, as a caller wrote it
    else:
        losses.drop(f"tools.{kind}" if isinstance(kind, str) else "tools")


def _is_ours(native: JSON) -> bool:
    """Tell this API's own tools from those of others: they have dated types, or a name beside."""
    kind = native.get("type")
    if not isinstance(kind, str):
        return False
    return isinstance(native.get("name"), str) or _DATED.search(kind) is not None


_DATED: Final = re.compile(r"_20\d{6}$|^mcp_toolset$")


def _function(tool: JSON, *, takes_strict: bool, losses: Losses) -> JSON:
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest("A function tool needs `function.name`.", param="tools")
    written: JSON = {"name": function["name"]}
    if isinstance(function.get("description"), str):
        written["description"] = function["description"]
    written["input_schema"] = input_schema(function.get("parameters"))
    if function.get("strict") is True:
        exact = takes_strict and closed_schema(written["input_schema"]).is_exact
        if exact:
            written["strict"] = True
        else:  # the schema stays whole; the API would refuse it where it is strict
            losses.adjust("tools.strict")
    extras = {key: function[key] for key in _FUNCTION_EXTRAS if function.get(key) is not None}
    return mark({**written, **extras}, tool if "cache_control" in tool else function)


def input_schema(parameters: object) -> JSON:
    """Return a tool's schema as it came; the API wants its type said."""
    schema: JSON = parameters if isinstance(parameters, dict) else {}
    if schema.get("type") == "object" and ("properties" in schema or len(schema) > 1):
        return schema
    if not schema or schema == {"type": "object"}:
        return {"type": "object", "properties": {}}
    return schema if "type" in schema else {"type": "object", **schema}


def _web_search(tool: JSON, options: JSON, found: Tools, losses: Losses) -> None:
    written: JSON = {"type": WEB_SEARCH, "name": "web_search"}
    filters = options.get("filters")
    limits: JSON = {**(filters if isinstance(filters, dict) else {}), **options}
    for key in ("max_uses", "allowed_domains", "blocked_domains"):
        if limits.get(key) is not None:
            written[key] = limits[key]
    place = options.get("user_location")
    if isinstance(place, dict):
        near = place.get("approximate")
        written["user_location"] = {
            "type": "approximate",
            **(near if isinstance(near, dict) else place),
        }
    if options.get("search_context_size") is not None:
        losses.drop("tools.web_search.search_context_size")
    found.tools.append(mark(written, tool))


def _code_execution(tool: JSON, options: JSON, found: Tools, losses: Losses) -> None:
    found.tools.append(mark({"type": CODE_EXECUTION, "name": "code_execution"}, tool))
    found.betas.append(CODE_EXECUTION_BETA)


def _mcp(tool: JSON, options: JSON, found: Tools, losses: Losses) -> None:
    """Write a remote server; the members of `options` are those of OpenAI's Responses."""
    given: JSON = {**tool, **options}
    label, url = given.get("server_label"), given.get("server_url")
    if not isinstance(label, str) or not isinstance(url, str):
        raise InvalidRequest("An mcp tool needs `server_label` and `server_url`.", param="tools")
    server: JSON = {"type": "url", "url": url, "name": label}
    if token := _bearer(given):
        server["authorization_token"] = token
    toolset: JSON = {"type": "mcp_toolset", "mcp_server_name": label}
    allowed = given.get("allowed_tools")
    names = allowed.get("tool_names") if isinstance(allowed, dict) else allowed
    if isinstance(names, list):
        toolset["default_config"] = {"enabled": False}
        toolset["configs"] = {name: {"enabled": True} for name in names if isinstance(name, str)}
    if given.get("require_approval") not in (None, "never"):
        losses.drop("tools.mcp.require_approval")
    found.mcp_servers.append(server)
    found.tools.append(mark(toolset, tool))
    found.betas.append(MCP_BETA)


def _bearer(given: JSON) -> str:
    token = given.get("authorization")
    headers = given.get("headers")
    if not token and isinstance(headers, dict):
        token = next((v for k, v in headers.items() if k.lower() == "authorization"), None)
    return token.removeprefix("Bearer ") if isinstance(token, str) else ""


_BUILT_IN: Final[dict[str, Callable[[JSON, JSON, Tools, Losses], None]]] = {
    "web_search": _web_search,
    "web_search_preview": _web_search,
    "code_execution": _code_execution,
    "code_interpreter": _code_execution,
    "mcp": _mcp,
}


# ---- choice


def write_choice(body: JSON, losses: Losses) -> JSON | None:
    """Write the choice of tools; None where nothing is to be said."""
    choice: Any = body.get("tool_choice", body.get("function_call"))
    written = _choice(choice, losses)
    if body.get("parallel_tool_calls") is False and (written or {}).get("type") != "none":
        return {**(written or {"type": "auto"}), "disable_parallel_tool_use": True}
    return written


def _choice(choice: Any, losses: Losses) -> JSON | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise InvalidRequest(
                "`tool_choice` must be auto, required, none or a tool.", param="tool_choice"
            )
        return {"type": _CHOICES[choice]}
    if not isinstance(choice, dict):
        raise InvalidRequest("`tool_choice` must be a word or an object.", param="tool_choice")
    kind = choice.get("type")
    allowed = choice.get("allowed_tools")
    if kind == "allowed_tools" and isinstance(allowed, dict):
        return _choice("required" if allowed.get("mode") == "required" else "auto", losses)
    if kind in ("auto", "any", "none", "tool") and (kind != "tool" or "name" in choice):
        return choice  # the API's own form
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else choice.get("name", kind)
    if not isinstance(name, str):
        raise InvalidRequest("`tool_choice` names no tool.", param="tool_choice")
    return {"type": "tool", "name": name}


_CHOICES: Final = {"auto": "auto", "required": "any", "any": "any", "none": "none"}


def allowed_only(tools: list[JSON], choice: object) -> list[JSON]:
    """Return the tools that an `allowed_tools` choice leaves; all of them for any other choice."""
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if not isinstance(allowed, dict):
        return tools
    names = set()
    for one in as_list(allowed.get("tools")):
        if isinstance(one, dict):
            function = one.get("function")
            within = function if isinstance(function, dict) else one
            names.add(text_of(within.get("name")))
    return [tool for tool in tools if text_of(tool.get("name")) in names]
