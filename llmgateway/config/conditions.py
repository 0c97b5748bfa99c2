"""The query language of the conditional router, compiled once per config.

A query is compiled into tests that know nothing of JSON, so that what is wrong with it is found
when the config is read, never when a request is routed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from llmgateway.config.javascript import UNDEFINED, parse_float, strictly_equal
from llmgateway.config.models import Facts, Query
from llmgateway.config.patterns import Patterns

Test = Callable[[Any], bool]
"""Whether the value of a field, or `UNDEFINED`, passes one operator."""
Location = tuple[str | int, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds if all parts hold: several fields of one query, or `$and`."""

    parts: tuple[Query, ...]

    @property
    def reads_params(self) -> bool:
        """Whether any part asks about the body."""
        return any(part.reads_params for part in self.parts)

    def matches(self, facts: Facts) -> bool:
        """Tell whether all parts hold."""
        return all(part.matches(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds if any part holds: `$or`."""

    parts: tuple[Query, ...]

    @property
    def reads_params(self) -> bool:
        """Whether any part asks about the body."""
        return any(part.reads_params for part in self.parts)

    def matches(self, facts: Facts) -> bool:
        """Tell whether any part holds."""
        return any(part.matches(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class FieldTest:
    """Holds if the value of one field passes all tests."""

    source: str
    """`metadata`, `params` or `url`; any other has no fields."""
    key: str
    tests: tuple[Test, ...]

    @property
    def reads_params(self) -> bool:
        """Whether the field is one of the body."""
        return self.source == "params"

    def matches(self, facts: Facts) -> bool:
        """Tell whether the field's value passes."""
        value = _fields(self.source, facts).get(self.key, UNDEFINED)
        return all(test(value) for test in self.tests)


def _fields(source: str, facts: Facts) -> Mapping[str, Any]:
    match source:
        case "metadata":
            return facts.metadata
        case "params":
            return facts.params
        case "url":
            return {"pathname": facts.pathname}
        case _:
            return {}


class QueryCompiler:
    """Compiles one query and collects all that is wrong with it, each with its place."""

    def __init__(self, patterns: Patterns) -> None:
        self.faults: list[tuple[Location, str]] = []
        self._operators = {**_OPERATORS, "$regex": patterns.compile}

    def compile(self, raw: Any, location: Location = ()) -> Query:
        """Return the compiled query; of no use where it left `faults`."""
        if not isinstance(raw, dict):
            self.faults.append((location, "A query must be an object"))
            return AllOf(())
        parts = {key: self._part(key, value, (*location, key)) for key, value in raw.items()}
        return AllOf(_evaluated(parts, returning=_GROUPS))

    def _part(self, key: str, raw: Any, location: Location) -> Query:
        if not key.startswith("$"):
            return self._field(key, raw, location)
        if key not in _GROUPS:
            self.faults.append((location, _unsupported(key)))
        elif not isinstance(raw, list):
            self.faults.append((location, f"{key} must be a list of queries"))
        else:
            queries = (self.compile(query, (*location, i)) for i, query in enumerate(raw))
            return _GROUPS[key](tuple(queries))
        return AllOf(())

    def _field(self, field: str, raw: Any, location: Location) -> Query:
        source, _, key = field.partition(".")
        if "." in key:
            # A field has exactly two parts: `params.a.b` is no field of anything.
            source = ""
        if not isinstance(raw, dict):
            return FieldTest(source, key, (_equal(raw),))
        tests = {op: self._test(op, operand, (*location, op)) for op, operand in raw.items()}
        return FieldTest(source, key, _evaluated(tests, returning={"$regex"}))

    def _test(self, op: str, operand: Any, location: Location) -> Test:
        make_test = self._operators.get(op)
        if make_test is None:
            self.faults.append((location, _unsupported(op)))
            return _equal(operand)
        try:
            return make_test(operand)
        except ValueError as exc:
            self.faults.append((location, str(exc)))
            return _equal(operand)


def _unsupported(name: str) -> str:
    return f"Unsupported operator used in the query router: {name[:64]}"


def _evaluated(parts: Mapping[str, T], returning: Collection[str]) -> tuple[T, ...]:
    """Return the parts up to the first that returns at once: those after it never count."""
    kept = []
    for key, part in parts.items():
        kept.append(part)
        if key in returning:
            break
    return tuple(kept)


def _equal(operand: Any) -> Test:
    return lambda value: strictly_equal(value, operand)


def _unequal(operand: Any) -> Test:
    return lambda value: not strictly_equal(value, operand)


def _comparing(compare: Callable[[float, float], bool]) -> Callable[[Any], Test]:
    def make_test(operand: Any) -> Test:
        bound = parse_float(operand)
        # Each comparison with not-a-number is false, in Python as in JavaScript.
        return lambda value: compare(parse_float(value), bound)

    return make_test


def _one_of(operand: Any) -> Test:
    choices = _list(operand)
    return lambda value: any(strictly_equal(value, choice) for choice in choices)


def _none_of(operand: Any) -> Test:
    choices = _list(operand)
    return lambda value: not any(strictly_equal(value, choice) for choice in choices)


def _list(operand: Any) -> list[Any]:
    if not isinstance(operand, list):
        raise ValueError("$in and $nin take a list")
    return operand


_GROUPS: Mapping[str, type[AllOf] | type[AnyOf]] = {"$and": AllOf, "$or": AnyOf}
_OPERATORS: Mapping[str, Callable[[Any], Test]] = {
    "$eq": _equal,
    "$ne": _unequal,
    "$gt": _comparing(operator.gt),
    "$gte": _comparing(operator.ge),
    "$lt": _comparing(operator.lt),
    "$lte": _comparing(operator.le),
    "$in": _one_of,
    "$nin": _none_of,
}
