"""JSON Schema as the API's structured outputs take it.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema
limitations" (seen 2026-11). What cannot be enforced is said in the description, as the maker's own
SDKs do. Data (`enum`, `const`, `default`) is never touched.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.shape import text_of
from llmgateway.errors import InvalidRequest

MAX_DEPTH: Final = 100

_KEPT: Final = frozenset({
    "type", "title", "description", "enum", "const", "default", "required", "$ref", "pattern",
})  # fmt: skip
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = {"anyOf": "anyOf", "allOf": "allOf", "oneOf": "anyOf"}
_SILENT: Final = frozenset({"$schema", "$id", "$comment"})
_FORMATS: Final = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
})  # fmt: skip


class Closed(NamedTuple):
    """A schema in the API's subset."""

    schema: Block
    is_exact: bool
    """Whether it says all that the caller's said."""
    is_possible: bool
    """Whether every object's members are known, and nothing refers to itself."""


def closed_schema(schema: Block) -> Closed:
    """Return a schema in the subset. Raises `InvalidRequest` where it nests absurdly deep."""
    work = _Closing()
    closed = work.close(schema, 0)
    possible = work.is_possible and not _is_recursive(schema)
    return Closed(closed, work.is_exact and possible, possible)


class _Closing:
    def __init__(self) -> None:
        self.is_exact = True
        self.is_possible = True

    def close(self, schema: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise InvalidRequest("A JSON schema nests too deeply.", param="response_format")
        if not isinstance(schema, dict):
            return schema
        closed: Block = {}
        unsaid: Block = {}
        for key, value in schema.items():
            if key in _KEPT:
                closed[key] = value
            elif key in _MAPS and isinstance(value, dict):
                closed[key] = {name: self.close(one, depth + 1) for name, one in value.items()}
            elif key in _LISTS and isinstance(value, list):
                closed[_LISTS[key]] = [self.close(one, depth + 1) for one in value]
                self.is_exact = self.is_exact and key == _LISTS[key]
            elif key == "items":
                closed[key] = self.close(value, depth + 1)
            elif not self._keep(key, value, closed, unsaid):
                unsaid[key] = value
        return self._finish(closed, unsaid, schema)

    def _keep(self, key: str, value: Any, closed: Block, unsaid: Block) -> bool:
        """Take a keyword that needs a look; False where it can only be described."""
        if key == "format" and text_of(value) in _FORMATS:
            closed[key] = value
        elif key == "minItems" and value in (0, 1):
            closed[key] = value
        elif key == "additionalProperties":
            self.is_possible = self.is_possible and value in (False, None)
        elif key not in _SILENT:
            return False
        return True

    def _finish(self, closed: Block, unsaid: Block, schema: Block) -> Block:
        if closed.get("type") == "object" or "properties" in closed:
            if schema.get("additionalProperties") is not False:
                self.is_exact = False
            if "properties" not in closed:
                self.is_possible = False  # any members at all: no closed object says that
            closed["additionalProperties"] = False
        if unsaid:
            self.is_exact = False
            words = closed.get("description")
            said = orjson.dumps(unsaid, default=str).decode("utf-8")
            closed["description"] = f"{words}\n\n{said}" if isinstance(words, str) else said
        return closed


def _is_recursive(schema: Block) -> bool:
    """Tell whether a definition reaches itself, or the schema its own root."""
    edges: dict[str, set[str]] = {}
    for name in ("$defs", "definitions"):
        definitions = schema.get(name)
        if isinstance(definitions, dict):
            for key, value in definitions.items():
                edges[f"#/{name}/{key}"] = _references(value)
    if "#" in _references(schema):
        return True
    return _has_cycle(edges)


def _has_cycle(edges: dict[str, set[str]]) -> bool:
    """Search once, depth first; a name met again while what it refers to is walked is a cycle."""
    walked: set[str] = set()
    for start in edges:
        if start in walked:
            continue
        trail = {start}
        stack = [(start, iter(edges[start]))]
        while stack:
            name, following = stack[-1]
            successor = next(following, None)
            if successor is None:
                stack.pop()
                trail.discard(name)
                walked.add(name)
            elif successor in trail:
                return True
            elif successor not in walked:
                trail.add(successor)
                stack.append((successor, iter(edges.get(successor, ()))))
    return False


def _references(schema: object) -> set[str]:
    found: set[str] = set()
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                found.add(value["$ref"])
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return found
