"""Which tools a model may call, how often, and with which arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from llmgateway.guardrails.base import CheckFailed, Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.schemas import JSONSchema
from llmgateway.types import JSON

_MAX_TOLD = 20


@dataclass(frozen=True, slots=True)
class _Called:
    name: str | None
    """None: the body does not say it here."""
    arguments: str
    is_json: bool


@check("default.toolCalls", scope="tool_arguments", blocking=True)
def tool_calls(
    subject: Subject,
    allowed: list[str] | None = None,
    blocked: list[str] = [],  # noqa: B006 never changed
    schemas: dict[str, JSONSchema] = {},  # noqa: B006 never changed
    max_calls: Annotated[int, Ge(0)] | None = None,
    not_: bool = False,
) -> Verdict:
    """Pass when each call is of an allowed tool, with arguments that fit its schema.

    Names are compared exactly. Arguments that are no JSON object fail, and so does a member that
    stands there twice: two readers would read two values. Tools that take free text (OpenAI's
    custom tools) fail only where they have a schema. A call whose tool is not told where its
    arguments stand is an error where names matter. An answer without calls passes; a call
    without any arguments has an empty object of them.

    Args:
        allowed: The only tools that may be called; an empty list allows none.
        blocked: Tools that may not be called.
        schemas: By tool, the JSON schema (draft 2020-12) of its arguments.
        max_calls: How many calls there may be in one answer.
        not_: Pass when a call is not allowed.
    """
    called = list(_calls(subject))
    problems = [
        {"tool": one.name, "problem": problem}
        for one in called
        for problem in _problems(one, allowed, blocked, schemas)
    ]
    if max_calls is not None and len(called) > max_calls:
        problems.append({"tool": None, "problem": f"{len(called)} calls; at most {max_calls}"})
    return Verdict(
        bool(problems) if not_ else not problems,
        {
            "explanation": f"{len(problems)} problems in {len(called)} tool calls",
            "toolCalls": len(called),
            "tools": sorted({one.name for one in called if one.name})[:_MAX_TOLD],
            "problems": problems[:_MAX_TOLD],
            "not": not_,
        },
    )


def _calls(subject: Subject) -> Iterator[_Called]:
    for index, text in enumerate(subject.texts):
        if index < len(subject.places) and subject.places[index] != "tool_arguments":
            continue
        name = subject.tools[index] if index < len(subject.tools) else None
        is_json = subject.is_json[index] if index < len(subject.is_json) else True
        yield _Called(name, text, is_json)


def _problems(
    called: _Called,
    allowed: list[str] | None,
    blocked: list[str],
    schemas: dict[str, JSONSchema],
) -> Iterator[str]:
    names_matter = allowed is not None or blocked or schemas
    if called.name is None and names_matter:
        raise CheckFailed("A call does not say which tool it is of")
    if called.name in blocked or (allowed is not None and called.name not in allowed):
        yield "this tool may not be called"
        return
    schema = schemas.get(called.name) if called.name is not None else None
    if schema is None and not called.is_json:
        return
    try:
        arguments = _read(called.arguments)
    except (ValueError, RecursionError):
        yield "the arguments are no JSON object that can be read in one way"
        return
    # The value's own words stay out of the results: they may be what must not be told.
    for error in schema.errors(arguments) if schema else ():
        yield f"the arguments do not fit the schema at {error['path'] or 'their top'}"


def _read(text: str) -> JSON:
    if not text.strip():
        return {}
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> JSON:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


CHECKS = (tool_calls,)
