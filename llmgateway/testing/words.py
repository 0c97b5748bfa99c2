"""The fake provider's words: an echo of what it was told, and values that fit a JSON schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from llmgateway.testing.answers import FakeError
from llmgateway.types import JSON

_MAX_DEPTH = 8
_WORD = re.compile(r"\s*\S+")


def pieces(text: str) -> list[str]:
    """Cut a text into words, each with the white space before it."""
    return _WORD.findall(text)


def count(texts: Iterable[str]) -> int:
    """Count tokens the simple way: a word is one."""
    return sum(len(text.split()) for text in texts)


def plain(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(_part(part) for part in content if isinstance(part, dict))


def _part(part: JSON) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else f"[{part.get('type')}]"


def reply_to(last: JSON, tokens: int | None, says: str | None = None) -> str:
    """Return what is said after `last`, the last message."""
    if says is not None:
        return says
    if tokens is not None:
        return " ".join(f"word{number}" for number in range(1, tokens + 1))
    verb = "The tool said" if last.get("role") == "tool" else "You said"
    return f"{verb}: {plain(last.get('content')) or 'nothing'}"


def as_asked(text: str, response_format: Any) -> str:
    """Return `text` in the form that `response_format` wants: as it is, or as JSON.

    Takes the chat form (`{"type": "json_schema", "json_schema": {"schema": …}}`) and the one of
    the Responses API (`{"type": "json_schema", "schema": …}`).
    """
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "json_object":
        return orjson.dumps({"reply": text}).decode()
    if kind == "json_schema":
        schema = (response_format.get("json_schema") or response_format).get("schema") or {}
        return orjson.dumps(sample(schema, text)).decode()
    return text


def cut(text: str, limit: Any) -> tuple[str, bool]:
    """Return the first `limit` words of a text and whether it had more."""
    words = pieces(text)
    if isinstance(limit, bool) or not isinstance(limit, int) or len(words) <= limit:
        return text, False
    if limit < 1:
        raise FakeError(400, "The maximum number of tokens must be 1 or more.", param="max_tokens")
    return "".join(words[:limit]), True


def sample(schema: Any, text: str) -> Any:
    """Return a value that fits a JSON schema; its strings are `text`."""
    root = schema if isinstance(schema, dict) else {}
    return _sample(root, text, root, 0)


def _sample(schema: JSON, text: str, root: JSON, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        # Of a type that contains itself, "none" is what ends it.
        ends = [branch for branch in branches if branch.get("type") == "null"]
        chosen = ends[0] if ends and depth > _MAX_DEPTH // 2 else branches[0]
        return _sample(chosen, text, root, depth + 1)
    if "$ref" in schema:
        return _sample(_referred(str(schema["$ref"]), root), text, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        parts = schema.get("properties", {})
        return {name: _sample(part, text, root, depth + 1) for name, part in parts.items()}
    if kind == "array":
        return [_sample(schema.get("items", {}), text, root, depth + 1)]
    simple = {"string": text, "boolean": True, "null": None}
    return simple.get(kind, schema.get("minimum", 1))


def _referred(reference: str, root: JSON) -> JSON:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(step, {}) if step and isinstance(found, dict) else found
    return found if isinstance(found, dict) else {}
