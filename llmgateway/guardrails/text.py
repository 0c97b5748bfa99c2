"""Checks over the text alone: words, counts, patterns, case.

Source: reference/portkey, guardrails, section 3.
"""

from __future__ import annotations

from typing import Annotated, Literal

from llmgateway.guardrails.base import CheckFailed, Subject, Verdict
from llmgateway.guardrails.declare import Arguments, check
from llmgateway.guardrails.regexp import INLINE_INSTRUCTIONS, Pattern, Regexp, Span
from llmgateway.types import JSON

Operator = Literal["any", "all", "none"]
Not = Annotated[bool, "Turn the verdict round."]


def excerpt(text: str) -> str:
    """Return the first 100 characters, with dots where that is not all."""
    return text if len(text) <= 100 else text[:100] + "..."


def demand_text(subject: Subject) -> str:
    """Return the text; raises `CheckFailed` where there is none."""
    text = subject.text
    if not text:
        raise CheckFailed("There is no text to look at")
    return text


def judged(passed: bool, not_: bool) -> bool:
    """Turn a verdict round where `not` is set."""
    return passed != not_


def _match_length(arguments: Arguments) -> int | None:
    rule: Regexp = arguments["rule"]
    return rule.max_length if arguments["not_"] else None


def is_large(arguments: Arguments) -> bool:
    """Tell whether a search for the argument `rule` belongs in a thread."""
    rule: Regexp = arguments["rule"]
    return rule.instructions > INLINE_INSTRUCTIONS


@check("default.regexMatch", window_limit=_match_length, blocking=is_large)
def regex_match(
    subject: Subject,
    rule: Annotated[Pattern, "A pattern, without slashes and flags."],
    not_: Not = False,
) -> Verdict:
    """Pass when the pattern is found in the text."""
    text = demand_text(subject)
    if not rule.source:
        raise CheckFailed("The pattern is empty")
    span = rule.search(text)
    passed = judged(span is not None, not_)
    wanted = "not match" if not_ else "match"
    found = "matches" if span else "does not match"
    return Verdict(
        passed,
        {
            "explanation": f"The text {found} the pattern, and should {wanted} it",
            "regexPattern": rule.source,
            "not": not_,
            "textExcerpt": excerpt(text),
            "matchDetails": _match_details(rule, text, span) if span else None,
        },
    )


def _match_details(rule: Regexp, text: str, span: Span) -> JSON:
    captures = [None if group is None else text[group[0] : group[1]] for group in span.groups]
    named = {name: found for name, found in zip(rule.names, captures, strict=True) if name}
    return {
        "matchedText": text[span.start : span.end],
        "index": span.start,
        "groups": named,
        "captures": captures,
    }


def _longest_word(arguments: Arguments) -> int | None:
    if arguments["operator"] != "none":
        return None
    return max(map(len, arguments["words"]), default=0)


@check("default.contains", window_limit=_longest_word, blocking=False)
def contains(
    subject: Subject,
    words: Annotated[list[str], "What to look for; case matters."],
    operator: Annotated[Operator, "How many of the words must be there."] = "any",
) -> Verdict:
    """Pass when any, all or none of the words stand in the text."""
    text = subject.text
    found = [word for word in words if word in text]
    missing = [word for word in words if word not in text]
    passed = {"any": bool(found), "all": not missing, "none": not found}[operator]
    return Verdict(
        passed,
        {
            "explanation": f"{'Passed' if passed else 'Failed'}: wanted {operator} of the words,"
            f" found {len(found)} of {len(words)}",
            "foundWords": found,
            "missingWords": missing,
            "operator": operator,
            "textExcerpt": excerpt(text),
        },
    )


CHECKS = (regex_match, contains)
