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
    found: list[str] = []
    missing: list[str] = []
    for word in words:  # which are looked for once each: the text may be long
        (found if word in text else missing).append(word)
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


def _counted(subject: Subject, name: str, count: int, least: int, most: int, not_: bool) -> Verdict:
    """Judge a count; `name` is that of its member of the data: `wordCount`."""
    inside = least <= count <= most
    passed = judged(inside, not_)
    unit = {"sentenceCount": "Count", "wordCount": "Words", "characterCount": "Characters"}[name]
    data = {
        "explanation": f"{name} is {count}, {'within' if inside else 'outside'} {least} to {most}",
        name: count,
        f"min{unit}": least,
        f"max{unit}": most,
        "not": not_,
        "textExcerpt": excerpt(subject.text),
    }
    return Verdict(passed, data)


@check("default.sentenceCount", blocking=False)
def sentence_count(
    subject: Subject,
    min_sentences: int = 0,
    max_sentences: int = 99999,
    not_: Not = False,
) -> Verdict:
    """Pass when the number of sentences is within the bounds; `.`, `!` and `?` end them."""
    text = demand_text(subject).translate(_ENDS)
    count = sum(1 for piece in text.split(".") if piece.strip())
    return _counted(subject, "sentenceCount", count, min_sentences, max_sentences, not_)


_ENDS = str.maketrans("!?", "..")


@check("default.wordCount", blocking=False)
def word_count(
    subject: Subject, min_words: int = 0, max_words: int = 99999, not_: Not = False
) -> Verdict:
    """Pass when the number of words is within the bounds; white space parts them."""
    count = len(demand_text(subject).split())
    return _counted(subject, "wordCount", count, min_words, max_words, not_)


@check("default.characterCount", blocking=False)
def character_count(
    subject: Subject, min_characters: int = 0, max_characters: int = 9999999, not_: Not = False
) -> Verdict:
    """Pass when the number of characters (Unicode code points) is within the bounds."""
    count = len(demand_text(subject))
    return _counted(subject, "characterCount", count, min_characters, max_characters, not_)


@check("default.alluppercase", blocking=False)
def all_upper_case(subject: Subject, not_: Not = False) -> Verdict:
    """Pass when the text is written in capitals; what has no case does not matter."""
    text = demand_text(subject)
    return _cased(text, text == text.upper(), "upper", not_)


@check("default.alllowercase", blocking=False)
def all_lower_case(subject: Subject, not_: Not = False) -> Verdict:
    """Pass when the text is written without capitals; what has no case does not matter."""
    text = demand_text(subject)
    return _cased(text, text == text.lower(), "lower", not_)


def _cased(text: str, is_so: bool, case: str, not_: bool) -> Verdict:
    said = f"The text is {'' if is_so else 'not '}all {case} case"
    data = {"explanation": said, "not": not_, "textExcerpt": excerpt(text)}
    return Verdict(judged(is_so, not_), data)


@check("default.endsWith", blocking=False)
def ends_with(
    subject: Subject, suffix: Annotated[str, "A full stop may follow it."], not_: Not = False
) -> Verdict:
    """Pass when the text ends with the suffix."""
    text = demand_text(subject)
    if not suffix:
        raise CheckFailed("The suffix is empty")
    ends = text.endswith((suffix, suffix + "."))
    data = {
        "explanation": f"The text {'ends' if ends else 'does not end'} with the suffix",
        "suffix": suffix,
        "not": not_,
        "textExcerpt": excerpt(text),
    }
    return Verdict(judged(ends, not_), data)


CHECKS = (
    regex_match,
    contains,
    sentence_count,
    word_count,
    character_count,
    all_upper_case,
    all_lower_case,
    ends_with,
)
