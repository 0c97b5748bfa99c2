"""A section for each check of the guardrails, made from the registry and `check_examples.json`.

An example is what a config states, and a text or a request that passes and one that fails;
`tests/docs/test_check_examples.py` runs each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgateway.guardrails import Check, builtin

EXAMPLES = Path(__file__).with_name("check_examples.json")
Table = Callable[[Sequence[str], Iterator[Sequence[str]]], str]

_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z`])")
_WORDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
}
_STAGES = {
    ("input", "output"): "requests and answers",
    ("input",): "requests",
    ("output",): "answers",
}


def examples() -> dict[str, Any]:
    """Return the examples by the id of their check."""
    found: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


def config_of(id: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return the routing config of an example."""
    guardrail = {id: example["parameters"], **example.get("actions", {"deny": True})}
    return {"provider": "openai", f"{example['stage']}_guardrails": [guardrail]}


def overview(table: Table) -> str:
    """Return the table of all checks."""
    rows = (
        (f"[`{id}`](#{_anchor(id)})", _told(check.doc)[0], _STAGES[check.stages])
        for id, check in _sorted()
    )
    return table(("check", "what it does", "for"), rows)


def sections(table: Table) -> str:
    """Return the sections of all checks."""
    known = examples()
    return "\n".join(_section(id, check, known[id], table) for id, check in _sorted())


def _sorted() -> list[tuple[str, Check]]:
    return sorted(builtin().items(), key=lambda item: item[0].lower())


def _section(id: str, check: Check, example: Mapping[str, Any], table: Table) -> str:
    doc = "\n\n".join("\n".join(_told(part)) for part in check.doc.split("\n\n"))
    parts = [f"### {id}", doc, _facts(check, example)]
    if parameters := list(_parameters(check)):
        head = ("parameter", "type", "default", "meaning")
        parts.append(table(head, iter(parameters)).rstrip())
    parts += [f"```json\n{_written(config_of(id, example))}\n```", _outcomes(example)]
    return "\n\n".join(parts) + "\n"


def _anchor(id: str) -> str:
    return re.sub(r"[^\w\- ]", "", id.lower())


def _told(text: str) -> list[str]:
    """Return a text's sentences."""
    return _SENTENCE_END.split(" ".join(text.split()))


def _facts(check: Check, example: Mapping[str, Any]) -> str:
    lines = [f"For {_STAGES[check.stages]}."]
    if check.scope:
        lines.append(f"Its own scope is `{check.scope}`.")
    if check.changes:
        lines.append(example.get("changes", "It changes what it looks at."))
    if "output" in check.stages:
        lines.append(_on_streams(check, example))
    lines += [example["needs"]] if "needs" in example else []
    return "\n".join(lines)


def _on_streams(check: Check, example: Mapping[str, Any]) -> str:
    if not check.needs_text:
        return "On streams: it runs at the end, and holds nothing back."
    if "window" in example:
        return f"On streams: {example['window']}"
    return "On streams: it needs the whole text."


def _parameters(check: Check) -> Iterator[Sequence[str]]:
    schema = check.schema()
    for name, one in schema["properties"].items():
        default = "required" if name in schema.get("required", ()) else _default(one["default"])
        yield f"`{name}`", _kind(one), default, one.get("description", "")


def _default(value: Any) -> str:
    return "–" if value in (None, [], {}) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _kind(schema: Mapping[str, Any], plural: bool = False) -> str:
    """Say a JSON schema in words."""
    if "enum" in schema and len(schema["enum"]) > 5:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one["type"] != "null")
    if isinstance(schema["type"], list):
        return " or ".join(_plain({"type": kind}, plural) for kind in schema["type"])
    return _plain(schema, plural)


def _plain(schema: Mapping[str, Any], plural: bool) -> str:
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'], plural=True)}"
    if schema["type"] == "object":
        return "objects" if plural else "object"
    if "format" in schema:
        return {"regex": "pattern", "uri": "URL"}[schema["format"]]
    word = _WORDS[schema["type"]] + ("s" if plural else "")
    bounds = [words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema]
    return " ".join([word, *bounds])


def _written(config: Mapping[str, Any]) -> str:
    """Return a config in a few lines."""
    provider, (name, guardrails) = config["provider"], list(config.items())[1]
    lines = ",\n".join(f"    {json.dumps(one, ensure_ascii=False)}" for one in guardrails)
    return f'{{\n  "provider": "{provider}",\n  "{name}": [\n{lines}\n  ]\n}}'


def _outcomes(example: Mapping[str, Any]) -> str:
    lines = []
    for verdict in ("passes", "fails"):
        if verdict in example:
            words = f"{verdict.capitalize()}: {_shown(example[verdict])}"
            lines.append(f"- {words}" + _becomes(example[verdict]))
    return "\n".join(lines)


def _becomes(case: Any) -> str:
    becomes = case.get("becomes") if isinstance(case, Mapping) else None
    return "" if becomes is None else f", which becomes {_code(becomes)}"


def _shown(case: Any) -> str:
    if isinstance(case, str):
        return _code(case)
    told = [(key, value) for key, value in case.items() if key != "becomes"]
    return ", ".join(_code(value) if key == "text" else _named(key, value) for key, value in told)


def _named(key: str, value: Any) -> str:
    return f"{key.replace('_', ' ')} {_code(value)}"


def _code(value: Any) -> str:
    """Return a value as code, on one line; a text that has backticks within longer ones."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "⏎")
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text or ' '}`"
