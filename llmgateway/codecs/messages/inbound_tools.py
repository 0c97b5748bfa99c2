"""Tools of a caller's Messages request, and the choice among them → the hub's."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.parts import mark
from llmgateway.codecs.messages.shape import as_list, text_of
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

_CUSTOM: Final = frozenset({
    "type", "name", "description", "input_schema", "strict", "cache_control",
})  # fmt: skip
_SEARCH_OPTIONS: Final = ("max_uses", "allowed_domains", "blocked_domains", "user_location")
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}


def read_tools(body: JSON, losses: Losses) -> list[JSON]:
    """Return the tools: the caller's own, neutral ones, and native ones as they are."""
    tools = body.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise InvalidRequest("`tools` must be a list.", param="tools")
    servers = {
        server.get("name"): server
        for server in as_list(body.get("mcp_servers"))
        if isinstance(server, dict) and isinstance(server.get("name"), str)
    }
    read = [_tool(tool, servers, losses) for tool in tools or []]
    # The connector's first version had no tool that names a server.
    return [*read, *(_mcp(server, {}) for server in servers.values())]


def _tool(tool: Any, servers: dict[Any, JSON], losses: Losses) -> JSON:
    if not isinstance(tool, dict):
        raise InvalidRequest("Each tool must be an object.", param="tools")
    kind = tool.get("type")
    if kind in (None, "custom"):
        return _custom(tool, losses)
    if isinstance(kind, str) and kind.startswith("web_search_"):
        options = {name: tool[name] for name in _SEARCH_OPTIONS if tool.get(name) is not None}
        return mark({"type": "web_search", "options": options}, tool)
    if isinstance(kind, str) and kind.startswith("code_execution_"):
        return mark({"type": "code_execution", "options": {}}, tool)
    server = (
        servers.pop(text_of(tool.get("mcp_server_name")), None) if kind == "mcp_toolset" else None
    )
    if server is not None:
        return mark(_mcp(server, tool), tool)
    return {"type": "native", "native": tool}


def _custom(tool: JSON, losses: Losses) -> JSON:
    if not isinstance(tool.get("name"), str):
        raise InvalidRequest("A tool needs a `name`.", param="tools")
    function: JSON = {"name": tool["name"]}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    if isinstance(tool.get("input_schema"), dict):
        function["parameters"] = tool["input_schema"]
    if isinstance(tool.get("strict"), bool):
        function["strict"] = tool["strict"]
    for name, value in tool.items():
        if name not in _CUSTOM and value is not None:
            losses.drop(f"tools.{name}")
    return mark({"type": "function", "function": function}, tool)


def _mcp(server: JSON, toolset: JSON) -> JSON:
    options: JSON = {"server_label": server["name"], "server_url": server.get("url")}
    if server.get("authorization_token") is not None:
        options["authorization"] = server["authorization_token"]
    default, configs = toolset.get("default_config"), toolset.get("configs")
    older = server.get("tool_configuration")
    if isinstance(default, dict) and default.get("enabled") is False and isinstance(configs, dict):
        options["allowed_tools"] = [
            name
            for name, config in configs.items()
            if isinstance(config, dict) and config.get("enabled") is True
        ]
    elif isinstance(older, dict) and isinstance(older.get("allowed_tools"), list):
        options["allowed_tools"] = older["allowed_tools"]
    return {"type": "mcp", "options": {**options, "require_approval": "never"}}


def read_choice(choice: Any) -> JSON:
    """Return the members that a `tool_choice` becomes."""
    if choice is None:
        return {}
    if not isinstance(choice, dict):
        raise InvalidRequest("`tool_choice` must be an object.", param="tool_choice")
    kind = choice.get("type")
    hub: JSON = {}
    if isinstance(kind, str) and kind in _CHOICES:
        hub["tool_choice"] = _CHOICES[kind]
    elif kind == "tool" and isinstance(choice.get("name"), str):
        hub["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    else:
        raise InvalidRequest(
            "`tool_choice.type` must be auto, any, none, or tool with a `name`.",
            param="tool_choice",
        )
    if choice.get("disable_parallel_tool_use") is True:
        hub["parallel_tool_calls"] = False
    return hub
