"""JSON Schema, draft 2020-12, for schemas and values that nobody vouches for.

jsonschema does the work, with what it lacks: nothing is fetched (its registry is empty), steps and
time are counted (1.3 KB of doubling `allOf` would take seconds, a few more bytes years), patterns
run on RE2, and what would compare every item with every other is reckoned otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

import orjson
from pydantic import PlainValidator, WithJsonSchema

from llmgateway.guardrails.base import CheckFailed, ParameterFault
from llmgateway.guardrails.regexp import Regexp, compile_pattern
from llmgateway.late import import_late
from llmgateway.types import JSON

MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 64
MAX_PATTERNS = 64
MAX_STEPS = 100_000
"""How many keywords are applied at most in one validation."""
MAX_SECONDS = 1.0
"""How much processor time one validation may take; a thread's own, so load does not count."""
MAX_ERRORS = 20
_MAX_MESSAGE = 300
# Their values are data, whatever they look like.
_DATA = frozenset({"const", "enum", "default", "examples"})
_DRAFT = "https://json-schema.org/draft/2020-12/"


class _Spent(Exception):
    """The budget of a validation has been used up."""


@dataclass(slots=True)
class _Budget:
    """What one validation may cost, and the schema's patterns."""

    patterns: Mapping[str, Regexp]
    steps: int = 0
    until: float = field(default_factory=lambda: time.thread_time() + MAX_SECONDS)

    def spend(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS or time.thread_time() > self.until:
            raise _Spent

    def matches(self, pattern: str, text: str) -> bool:
        regexp = self.patterns.get(pattern)
        if regexp is None:
            raise CheckFailed("The schema has a pattern where none was looked for")
        return regexp.search(text) is not None


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A schema that has been found usable."""

    raw: JSON
    patterns: Mapping[str, Regexp] = field(repr=False, default_factory=dict)

    def errors(self, value: Any) -> list[JSON]:
        """Return what is wrong with a value, `{path, message}` each; empty where it is valid.

        At most `MAX_ERRORS`. Raises `CheckFailed` where the schema refers to what it does not
        hold, and where its validation would take too long or nest too deep.
        """
        validator = _validator_class()(self.raw, registry=_empty_registry())
        budget = _Budget(self.patterns)
        found: list[JSON] = []
        try:
            for error in _with_budget(validator, budget).iter_errors(value):
                found.append({"path": _pointer(error.absolute_path), "message": _message(error)})
                if len(found) >= MAX_ERRORS:
                    break
        except _Spent:
            raise CheckFailed("The validation against this schema takes too long") from None
        except RecursionError:
            raise CheckFailed("The schema or the value nests too deep") from None
        except _unresolvable():
            raise CheckFailed("The schema refers to one that it does not hold") from None
        return found


def compile_schema(raw: Any) -> Schema:
    """Check a schema when a config is read; raises `ParameterFault`."""
    if not isinstance(raw, dict):
        raise ParameterFault("A JSON schema is an object")
    if len(orjson.dumps(raw)) > MAX_SCHEMA_BYTES:
        raise ParameterFault(f"A JSON schema has at most {MAX_SCHEMA_BYTES // 1024} KiB")
    nodes = list(_nodes(raw, ()))
    _refuse_foreign(nodes)
    try:
        _validator_class().check_schema(raw)
    except _schema_error() as exc:
        raise ParameterFault(_message(exc), tuple(exc.absolute_path)) from None
    _refuse_mixed(nodes)
    return Schema(raw, _patterns_of(nodes))


def _nodes(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], JSON]]:
    if len(path) > MAX_SCHEMA_DEPTH:
        raise ParameterFault(f"A JSON schema nests at most {MAX_SCHEMA_DEPTH} deep")
    if isinstance(value, dict):
        yield path, value
        for key, member in value.items():
            if key not in _DATA:
                yield from _nodes(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _nodes(member, (*path, index))


_Nodes = list[tuple[tuple[str | int, ...], JSON]]


def _refuse_foreign(nodes: _Nodes) -> None:
    held = {str(node.get("$id", "")).rstrip("#") for _, node in nodes}
    for path, node in nodes:
        for key in ("$ref", "$dynamicRef"):
            ref = node.get(key)
            if not isinstance(ref, str) or "://" not in ref:
                continue
            base = ref.partition("#")[0]
            if base not in held and not base.startswith(_DRAFT):
                raise ParameterFault("A schema can refer to its own parts only", (*path, key))


def _refuse_mixed(nodes: _Nodes) -> None:
    # jsonschema reckons with both together by Python's own, backtracking, expressions.
    keys = {key for _, node in nodes for key in node}
    if "patternProperties" in keys and "unevaluatedProperties" in keys:
        raise ParameterFault(
            "patternProperties and unevaluatedProperties cannot be used in one schema here"
        )


def _patterns_of(nodes: _Nodes) -> dict[str, Regexp]:
    found: dict[str, Regexp] = {}
    for path, node in nodes:
        stated = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
        keyed = node.get("patternProperties")
        stated += list(keyed) if isinstance(keyed, dict) else []
        for pattern in stated:
            try:
                found[pattern] = compile_pattern(pattern)
            except ParameterFault as exc:
                raise ParameterFault(exc.message, (*path, "pattern")) from None
        if len(found) > MAX_PATTERNS:
            raise ParameterFault(f"A schema has at most {MAX_PATTERNS} patterns", path)
    return found


def _jsonschema() -> Any:
    try:
        # An optional dependency, wanted only by checks that have a schema.
        return import_late("jsonschema")
    except ImportError:
        raise ParameterFault(
            "Schemas need jsonschema, which this gateway lacks; install llmgateway[guardrails]"
        ) from None


def _schema_error() -> Any:
    return _jsonschema().SchemaError


def _unresolvable() -> Any:
    return import_late("referencing").exceptions.Unresolvable


@cache
def _empty_registry() -> Any:
    return import_late("referencing").Registry()


@cache
def _validator_class() -> Any:
    return _jsonschema().Draft202012Validator


def _with_budget(validator: Any, budget: _Budget) -> Any:
    """Return the validator with each keyword counted; its class is this validation's own."""
    keywords = {**_validator_class().VALIDATORS, **_OWN_KEYWORDS}

    def counted(keyword: Any) -> Any:
        def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
            budget.spend(1 + (len(value) // 16 if isinstance(value, list | dict) else 0))
            if keyword in _OWN_KEYWORDS.values():
                return keyword(budget, validator, value, instance, schema)
            return keyword(validator, value, instance, schema)

        return apply

    def counted_last(keyword: Any) -> Any:
        # What these look through is not counted, but is part of what validation visits; so that
        # goes first.
        def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
            # It looks each member up in a list of those that it knows.
            size = len(instance) if isinstance(instance, list | dict) else 0
            budget.spend(1 + size * size // 1000)
            others = {key: schema[key] for key in schema if not key.startswith("unevaluated")}
            for _ in validator.evolve(schema=others).iter_errors(instance):
                pass
            return keyword(validator, value, instance, schema)

        return apply

    wrapped = {
        name: counted_last(keyword) if name.startswith("unevaluated") else counted(keyword)
        for name, keyword in keywords.items()
    }
    made = _jsonschema().validators.extend(_validator_class(), validators=wrapped)
    return made(validator.schema, registry=_empty_registry())


def _pattern(
    budget: _Budget, validator: Any, pattern: str, instance: Any, schema: JSON
) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not budget.matches(pattern, instance):
        yield _error(f"The text does not match {pattern!r}")


def _pattern_properties(
    budget: _Budget, validator: Any, patterns: JSON, instance: Any, schema: JSON
) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in patterns.items():
        for key, value in instance.items():
            budget.spend()
            if budget.matches(pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(
    budget: _Budget, validator: Any, inner: Any, instance: Any, schema: JSON
) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    patterns = list(schema.get("patternProperties", {}))
    budget.spend(len(instance) * (1 + len(patterns)) // 4)
    named = schema.get("properties", {})
    others = [
        key
        for key in instance
        if key not in named and not any(budget.matches(pattern, key) for pattern in patterns)
    ]
    if inner is False and others:
        names = ", ".join(repr(key[:50]) for key in others[:5])
        yield _error(f"Additional properties are not allowed: {names}")
    elif inner is not False:
        for key in others:
            yield from validator.descend(instance[key], inner, path=key)


def _unique_items(
    budget: _Budget, validator: Any, wanted: Any, instance: Any, schema: JSON
) -> Iterator[Any]:
    if not wanted or not validator.is_type(instance, "array"):
        return
    budget.spend(len(instance))
    # 1 and 1.0 are one number, and no truth value is a number.
    if len({_canonical(item) for item in instance}) < len(instance):
        yield _error("The items are not unique")


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return frozenset((key, _canonical(member)) for key, member in value.items())
    if isinstance(value, list):
        return tuple(_canonical(member) for member in value)
    return (isinstance(value, bool), value)


_OWN_KEYWORDS: dict[str, Any] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}


def _error(message: str) -> Any:
    return _jsonschema().ValidationError(message)


def _message(error: Any) -> str:
    message = str(error.message)
    return message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + "…"


def _pointer(path: Iterable[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts)


JSONSchema = Annotated[Schema, PlainValidator(compile_schema), WithJsonSchema({"type": "object"})]
"""The type of a parameter that is a JSON schema, checked when the config is read."""
