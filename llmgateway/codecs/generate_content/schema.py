"""Says a JSON schema in the subset that older models take.

Newer ones take any JSON schema in a field of its own, untouched; see `Capabilities.schema`. What is
data in a schema (`enum`, `default`, `example`, the names of properties) is never looked into.
Source: https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from llmgateway.codecs.generate_content.shape import an_object, objects, string, strings, written
from llmgateway.types import JSON

MAX_DEPTH: Final = 32
MAX_NODES: Final = 2_000
MAX_TRAIL: Final = 100
MAX_REPEATED: Final = 4_000_000
"""A schema may refer to itself, or fan out without end; below these bounds stands a bare object."""

_KEPT: Final = (
    "title", "description", "nullable", "default", "example", "pattern", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
    "propertyOrdering",
)  # fmt: skip
_TYPES: Final = {
    name: name.upper()
    for name in ("string", "number", "integer", "boolean", "array", "object", "null")
}
_FORMATS: Final = {
    "STRING": frozenset({"date-time", "enum"}),
    "NUMBER": frozenset({"float", "double"}),
    "INTEGER": frozenset({"int32", "int64"}),
}


def to_subset(schema: object) -> JSON:
    """Return `schema` in the subset: references inlined, unions with null as `nullable`."""
    return _Normaliser(an_object(schema)).normal(schema, ())


class _Normaliser:
    """Walks one schema; `trail` holds the references that lead to where it is."""

    def __init__(self, root: JSON) -> None:
        self._root = root
        self._nodes = 0
        self._targets: dict[str, tuple[JSON, int]] = {}
        """By pointer: what is there, and how large that is without its inner schemas."""
        self._repeated = 0

    def normal(self, value: object, trail: tuple[str, ...], depth: int = 0) -> JSON:
        """Return one schema in the subset."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            return {"type": "OBJECT"}
        schema, trail = self._resolved(an_object(value), trail)
        if schema is None:
            return {"type": "OBJECT"}
        kept = {key: schema[key] for key in _KEPT if schema.get(key) is not None}
        examples = schema.get("examples")
        if isinstance(examples, list) and examples and "example" not in kept:
            kept["example"] = examples[0]
        choices = self._choices(schema)
        if choices is None:
            return {**kept, **self._typed(schema, trail, depth)}
        return {**kept, **self._union(choices, schema, trail, depth)}

    def _resolved(
        self, schema: JSON, trail: tuple[str, ...], depth: int = 0
    ) -> tuple[JSON | None, tuple[str, ...]]:
        """Follow references and merge `allOf`; None for a reference that comes round again."""
        while isinstance(schema.get("$ref"), str):
            pointer = schema["$ref"]
            if pointer in trail or len(trail) > MAX_TRAIL:
                return None, trail
            trail = (*trail, pointer)
            target = self._target(pointer)
            if target is None:
                return None, trail
            beside = {key: item for key, item in schema.items() if key != "$ref"}
            schema = {**target, **beside}
        parts = objects(schema.get("allOf")) if depth <= MAX_DEPTH else []
        if parts:
            merged = _Merged(schema)
            for part in parts:
                found, trail = self._resolved(part, trail, depth + 1)
                merged.add(found or {})
            schema = merged.whole()
        return schema, trail

    def _target(self, pointer: str) -> JSON | None:
        """Return what a reference points to; None once references have repeated too much."""
        if pointer not in self._targets:
            target = self._at(pointer)
            size = len(target) + sum(_size(key, item) for key, item in target.items())
            self._targets[pointer] = target, size
        target, size = self._targets[pointer]
        self._repeated += size
        return target if self._repeated <= MAX_REPEATED else None

    def _at(self, pointer: str) -> JSON:
        """Return what a local reference points to. Source: RFC 6901, section 6."""
        place: Any = self._root
        for step in pointer.removeprefix("#").split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            place = an_object(place).get(name)
        return an_object(place)

    def _choices(self, schema: JSON) -> list[Any] | None:
        """Return the members of a union, or None where the schema is none."""
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return list(schema[key])
        types = strings(schema.get("type")) if isinstance(schema.get("type"), list) else []
        if not types:
            return None
        rest = {key: item for key, item in schema.items() if key not in _KEPT}
        return [{**rest, "type": name} for name in types]

    def _union(self, choices: list[Any], schema: JSON, trail: tuple[str, ...], depth: int) -> JSON:
        real = [choice for choice in choices if not _is_null(choice)]
        null = {"nullable": True} if len(real) < len(choices) else {}
        members = [self.normal(choice, trail, depth + 1) for choice in real]
        if len(members) == 1:
            return {**members[0], **null}
        if not members:
            return {"type": "NULL"}
        return {"anyOf": members, **null}

    def _typed(self, schema: JSON, trail: tuple[str, ...], depth: int) -> JSON:
        kind = _type(schema)
        found: JSON = {"type": kind, **_enum(schema, kind)}
        if string(schema.get("format")) in _FORMATS.get(kind, ()):
            found["format"] = schema["format"]
        if kind == "OBJECT":
            found |= self._object(schema, trail, depth)
        elif kind == "ARRAY":
            found["items"] = self._items(schema, trail, depth)
        return found

    def _object(self, schema: JSON, trail: tuple[str, ...], depth: int) -> JSON:
        properties = {
            name: self.normal(item, trail, depth + 1)
            for name, item in an_object(schema.get("properties")).items()
        }
        required = [name for name in strings(schema.get("required")) if name in properties]
        found: JSON = {"properties": properties} if properties else {}
        return {**found, "required": required} if required else found

    def _items(self, schema: JSON, trail: tuple[str, ...], depth: int) -> JSON:
        items, places = schema.get("items"), schema.get("prefixItems")
        if isinstance(items, list):
            items, places = None, items
        if isinstance(items, dict):
            return self.normal(items, trail, depth + 1)
        members = [self.normal(item, trail, depth + 1) for item in objects(places)]
        if len(members) == 1:
            return members[0]
        return {"anyOf": members} if members else {"type": "STRING"}


class _Merged:
    """Several schemas as one: properties and demands add up, else what stands first counts."""

    def __init__(self, schema: JSON) -> None:
        self._members = {key: item for key, item in schema.items() if key != "allOf"}
        self._properties = dict(an_object(schema.get("properties")))
        self._required = dict.fromkeys(strings(schema.get("required")))

    def add(self, part: JSON) -> None:
        """Take the next of the schemas."""
        for key, item in part.items():
            self._members.setdefault(key, item)
        for name, item in an_object(part.get("properties")).items():
            self._properties.setdefault(name, item)
        self._required |= dict.fromkeys(strings(part.get("required")))

    def whole(self) -> JSON:
        """Return the one schema."""
        members = self._members
        if "properties" in members:
            members["properties"] = self._properties
        if "required" in members:
            members["required"] = list(self._required)
        return members


def _size(key: str, value: object) -> int:
    """Return about how much a member of a schema adds where it is repeated."""
    return len(an_object(value)) if key in _SCHEMAS else len(written(value))


_SCHEMAS: Final = frozenset({"properties", "items", "$defs", "definitions"})


def _is_null(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") in ("null", ["null"])


def _type(schema: JSON) -> str:
    """Return the type that is stated, else the one that the other members imply."""
    stated = schema.get("type")
    if isinstance(stated, str) and stated.lower() in _TYPES:
        return _TYPES[stated.lower()]
    if "properties" in schema or "additionalProperties" in schema:
        return "OBJECT"
    return "ARRAY" if "items" in schema or "prefixItems" in schema else "STRING"


def _enum(schema: JSON, kind: str) -> JSON:
    """Return the values; the subset knows texts only, so others are told in the description."""
    values = schema.get("enum")
    if "const" in schema:
        values = [schema["const"]]
    if not isinstance(values, list) or not values:
        return {}
    null = {"nullable": True} if None in values else {}
    values = [value for value in values if value is not None]
    if kind == "STRING" and all(isinstance(value, str) for value in values):
        return {"enum": values, **null} if values else null
    told = f"One of: {', '.join(map(written, values))}."
    before = schema.get("description")
    return {"description": f"{before} {told}" if isinstance(before, str) else told, **null}
