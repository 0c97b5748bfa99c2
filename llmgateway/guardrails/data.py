"""Checks over what a text holds: JSON, code, and whether it holds anything.

Source: reference/portkey, guardrails, section 3.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from llmgateway.guardrails.base import Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.fences import Found, blocks, json_in
from llmgateway.guardrails.schemas import JSONSchema
from llmgateway.guardrails.text import Not, Operator, demand_text, excerpt, judged
from llmgateway.types import JSON

Format = Literal[
    "SQL", "Python", "TypeScript", "JavaScript", "Java", "C#", "C++", "C", "Ruby", "PHP", "Swift",
    "Kotlin", "Go", "Rust", "Scala", "R", "Perl", "Shell", "HTML", "CSS", "XML", "JSON", "YAML",
    "Markdown", "Dockerfile",
]  # fmt: skip

_TAGS: dict[str, tuple[str, ...]] = {
    "Python": ("py", "python3"),
    "TypeScript": ("ts", "tsx"),
    "JavaScript": ("js", "jsx", "node", "mjs"),
    "C#": ("cs", "csharp"),
    "C++": ("cpp", "cc", "cxx"),
    "C": ("h",),
    "Ruby": ("rb",),
    "Kotlin": ("kt", "kts"),
    "Go": ("golang",),
    "Rust": ("rs",),
    "Perl": ("pl",),
    "Shell": ("sh", "bash", "zsh"),
    "HTML": ("htm",),
    "YAML": ("yml",),
    "Markdown": ("md",),
    "Dockerfile": ("docker",),
}
"""Other tags of code blocks; a language's own name in lower case is one, too."""
_BY_TAG = {name.lower(): name for name in get_args(Format)} | {
    tag: name for name, tags in _TAGS.items() for tag in tags
}
_MAX_TOLD = 20


# In a thread: a validation may take a second of processor time.
@check("default.jsonSchema", stages=("output",), blocking=True)
def json_schema(
    subject: Subject,
    schema: Annotated[JSONSchema, "A JSON schema, draft 2020-12, that refers to its own parts."],
    not_: Not = False,
) -> Verdict:
    """Pass when some JSON in the text is valid against the schema.

    It is sought in fenced code blocks; where they hold none, as a list that is the whole text, or
    as objects anywhere in it.
    """
    text = demand_text(subject)
    candidates = json_in(text)
    match: Found | None = None
    errors: list[JSON] = []
    for candidate in candidates:
        faults = schema.errors(candidate.value)
        if not faults:
            match, errors = candidate, []
            break
        errors = errors or faults
    said = "is valid against the schema" if match else "is not valid against the schema"
    data: JSON = {
        "explanation": f"JSON of the text {said}" if candidates else "The text holds no JSON",
        "not": not_,
        "matchedJson": match.value if match else None,
        "validationErrors": errors,
        "textExcerpt": excerpt(text),
    }
    return Verdict(judged(match is not None, not_), data)


@check("default.jsonKeys", stages=("output",), blocking=False)
def json_keys(
    subject: Subject,
    keys: Annotated[list[str], "Names at the top level of the JSON."],
    operator: Annotated[Operator, "How many of the keys must be there."] = "any",
) -> Verdict:
    """Pass when JSON in the text has any, all or none of the keys."""
    text = demand_text(subject)
    candidates = [found for found in json_in(text) if isinstance(found.value, dict)]
    match = next((one for one in candidates if _has(one.value, keys, operator)), None)
    if operator == "none":
        # One object with such a key is enough to fail.
        match = next((one for one in candidates if _has(one.value, keys, "any")), None)
        passed = match is None
    else:
        passed = match is not None
    shown = match or next(iter(candidates), None)
    value: JSON = shown.value if shown else {}
    present = [key for key in keys if key in value]
    return Verdict(
        passed,
        {
            "explanation": f"{'Passed' if passed else 'Failed'}: wanted {operator} of the keys,"
            f" found {len(present)} of {len(keys)}"
            if candidates
            else "The text holds no JSON object",
            "operator": operator,
            "matchedJson": shown.value if shown else None,
            "presentKeys": present,
            "missingKeys": [key for key in keys if key not in value],
            "textExcerpt": excerpt(text),
        },
    )


def _has(value: Any, keys: list[str], operator: Literal["any", "all", "none"]) -> bool:
    return (all if operator == "all" else any)(key in value for key in keys)


@check("default.containsCode", stages=("output",), blocking=False)
def contains_code(
    subject: Subject,
    format: Annotated[Format, "The language that the code block names."],
    not_: Not = False,
) -> Verdict:
    """Pass when a fenced code block of this language stands in the text."""
    text = demand_text(subject)
    tags = dict.fromkeys(block.language for block in blocks(text) if block.language)
    found = list(dict.fromkeys(_BY_TAG.get(tag, tag) for tag in tags))[:_MAX_TOLD]
    has = any(_BY_TAG.get(tag) == format for tag in tags)
    return Verdict(
        judged(has, not_),
        {
            "explanation": f"The text holds {'a' if has else 'no'} code block in {format}",
            "searchedFormat": format,
            "foundFormats": found,
            "not": not_,
            "textExcerpt": excerpt(text),
        },
    )


@check("default.notNull", stages=("output",), blocking=False)
def not_null(subject: Subject, not_: Not = False) -> Verdict:
    """Pass when the answer has content."""
    is_null = not subject.text
    return Verdict(
        judged(not is_null, not_),
        {
            "explanation": f"The answer has {'no ' if is_null else ''}content",
            "isNull": is_null,
            "contentType": "null" if is_null else "string",
            "not": not_,
            "textExcerpt": excerpt(subject.text),
        },
    )


CHECKS = (json_schema, json_keys, contains_code, not_null)
