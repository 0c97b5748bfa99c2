"""The published schemas, closed for what we send; they lie beside the project, not in it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).resolve().parents[3] / "../shared/schemas"

# Betas that the schema of stable parameters leaves out.
_BETA_MEMBERS = {"mcp_servers": {"type": "array"}, "context_management": {"type": "object"}}
# The schema is of an API version that no longer has these; we write for 2023-06-01, which does.
_SAMPLING = {
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
    "top_p": {"type": "number"},
    "top_k": {"type": "number"},
}
_MCP_TOOLSET = {
    "type": "object",
    "required": ["type", "mcp_server_name"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "mcp_toolset"},
        "mcp_server_name": {"type": "string"},
        "default_config": {"type": "object"},
        "configs": {"type": "object"},
        "cache_control": {"type": "object"},
    },
}


@cache
def _definitions() -> dict[str, Any]:
    path = SCHEMAS / "anthropic.schema.json"
    if not path.exists():
        pytest.skip(f"no schemas at {SCHEMAS.name}/ beside the project")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    return found


def _closed(schema: Any) -> Any:
    """Return a copy in which an object has the members that are named, and no other."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: _closed(value) for key, value in schema.items()}
    if isinstance(copy.get("properties"), dict) and copy.get("type") == "object":
        copy.setdefault("additionalProperties", False)
    return copy


@cache
def _request_validator(name: str) -> Draft202012Validator:
    definitions = _closed(_definitions())
    for which in ("MessageCreateParamsNonStreaming", "MessageCreateParamsStreaming"):
        properties = definitions[which]["properties"]
        properties.update({**_BETA_MEMBERS, **_SAMPLING})
        properties["tools"]["items"]["anyOf"].append(_MCP_TOOLSET)
    # A custom tool's own schema is anything; the typed alternative says less.
    definitions["InputSchemaTyped"]["additionalProperties"] = True
    # Blocks of betas (compaction, mcp) come back as they are; the stable schema lacks them.
    open_block = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": ["compaction", "mcp_tool_use", "mcp_tool_result"]}},
    }
    for which in ("AssistantMessageParam", "UserMessageParam"):
        blocks = definitions[which]["properties"]["content"]["anyOf"][1]["items"]["anyOf"]
        blocks[:] = [one for one in blocks if _is_for_requests(one)] + [open_block]
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def _is_for_requests(block: dict[str, str]) -> bool:
    """The SDK's union takes answers' blocks too, which are open; a request's own are enough."""
    return block["$ref"].endswith("Param")


@cache
def _answer_validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


def check_request(body: Any, name: str = "MessageCreateParams") -> None:
    """Check a request that we write against the closed schema."""
    _check(_request_validator(name), body)


def check_answer(body: Any) -> None:
    """Check a message that we write."""
    _check(_answer_validator("Message"), body)


def check_event(body: Any) -> None:
    """Check an event that we write."""
    _check(_answer_validator("RawMessageStreamEvent"), body)


def check_error(body: Any) -> None:
    """Check an error that we write."""
    _check(_answer_validator("ErrorResponse"), body)


def _check(validator: Draft202012Validator, body: Any) -> None:
    faults = [_words(fault) for fault in validator.iter_errors(body)]
    assert not faults, "\n".join(faults[:5])


def _words(fault: Any, depth: int = 0) -> str:
    best = sorted(fault.context or [], key=lambda one: -len(one.absolute_path))[:3]
    inner = [_words(one, depth + 1) for one in best] if depth < 4 else []
    here = f"{'  ' * depth}{list(fault.absolute_path)}: {fault.message[:200]}"
    return "\n".join([here, *inner])
