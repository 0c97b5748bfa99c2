"""Checks that change what is said: a prefix, replacements.

Source: reference/portkey, guardrails, section 3.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Annotated, Literal

from llmgateway.guardrails.base import CheckFailed, Insertion, Subject, Verdict
from llmgateway.guardrails.declare import Arguments, check
from llmgateway.guardrails.regexp import MAX_TEXT_BYTES, Patience, Regexp, SlashedPattern, Span
from llmgateway.guardrails.request import request_type
from llmgateway.guardrails.text import demand_text, excerpt, is_large

_PREFIX = "Please respond helpfully and accurately to the following: "


@check(
    "default.addPrefix",
    stages=("input",),
    blocking=False,
    changes=True,
    scope="all",
)
def add_prefix(
    subject: Subject,
    prefix: str = _PREFIX,
    apply_to_role: Literal["user", "system", "assistant"] = "user",
    add_to_existing: Annotated[bool, "Else a message of its own goes before it."] = True,
    only_if_empty: Annotated[bool, "Leave a message alone that has words."] = False,
) -> Verdict:
    """Put a text before the first message of a role, or add one; always passes.

    Not where it stands already: what others change is brought here again.
    """
    if not prefix:
        raise CheckFailed("The prefix is empty")
    data = {
        "explanation": "The prefix was added",
        "prefix": prefix,
        "requestType": request_type(subject),
        "applyToRole": apply_to_role,
        "addToExisting": add_to_existing,
        "onlyIfEmpty": only_if_empty,
    }
    index = next(
        (
            index
            for index, role in enumerate(subject.roles)
            if role == apply_to_role and subject.places[index] == "text"
        ),
        None,
    )
    if index is not None and only_if_empty:
        return Verdict(True, {**data, "explanation": "There are words already; nothing was added"})
    said = zip(subject.roles, subject.texts, strict=False)
    if any(role == apply_to_role and text.startswith(prefix) for role, text in said):
        return Verdict(True, {**data, "explanation": "The prefix is there already"})
    if index is None or not add_to_existing:
        return Verdict(True, data, insert=Insertion(apply_to_role, prefix))
    texts = list(subject.texts)
    texts[index] = prefix + texts[index]
    return Verdict(True, data, texts=tuple(texts))


def _match_length(arguments: Arguments) -> int | None:
    rule: Regexp = arguments["rule"]
    # The first match alone is known only to who has seen the whole text; and what matches nothing
    # at all matches at each window's end.
    if not rule.is_global or rule.search("") is not None:
        return None
    return rule.max_length


def _cut(arguments: Arguments, text: str, place: int) -> int:
    """Return the end of the match that goes across a place, or the place itself."""
    rule: Regexp = arguments["rule"]
    across = (span for span in rule.finditer(text) if span.end > place)
    first = next(across, None)
    return place if first is None or first.start >= place else first.end


@check(
    "default.regexReplace", blocking=is_large, changes=True, window_limit=_match_length, cut=_cut
)
def regex_replace(
    subject: Subject,
    rule: Annotated[SlashedPattern, "A pattern, or /pattern/flags; with g, all are replaced."],
    redact_text: Annotated[str, "May hold $1, $<name>, $& and $$."] = "[REDACTED]",
    fail_on_detection: Annotated[bool, "Fail when something is found."] = False,
) -> Verdict:
    """Replace what the pattern matches in each text; passes unless told to fail on a match."""
    text = demand_text(subject)
    if not rule.source:
        raise CheckFailed("The pattern is empty")
    if len(text) > MAX_TEXT_BYTES:
        raise CheckFailed("The text is too long for this pattern")
    texts, count, patience = [], 0, Patience()
    in_json = json.dumps(redact_text, ensure_ascii=False)[1:-1]
    for one, is_json in zip_longest(subject.texts, subject.is_json):
        template = in_json if is_json else redact_text
        changed, found = rule.sub(_replacement(rule, template, one), one, patience)
        texts.append(changed)
        count += found
    data = {
        "explanation": f"{count} matches were replaced" if count else "Nothing was found",
        "regexPattern": rule.source,
        "textExcerpt": excerpt("\n".join(texts) if count else text),
    }
    return Verdict(not (count and fail_on_detection), data, texts=tuple(texts) if count else None)


class _Template:
    """A replacement in JavaScript's syntax, for one text."""

    def __init__(self, rule: Regexp, template: str, text: str) -> None:
        self._text = text
        self._names = {name: number for number, name in enumerate(rule.names, 1) if name}
        self._groups = len(rule.names)
        self._pieces = template.split("$")

    def __call__(self, span: Span) -> str:
        spans = [(span.start, span.end), *span.groups]
        out, pieces = [self._pieces[0]], self._pieces[1:]
        while pieces:
            piece = pieces.pop(0)
            if not piece and pieces:
                # Two in a row are one.
                out += ("$", pieces.pop(0))
                continue
            number, used = self._number(piece)
            if number is None:
                out += ("$", piece)
                continue
            found = spans[number]
            out += ("" if found is None else self._text[found[0] : found[1]], piece[used:])
        return "".join(out)

    def _number(self, piece: str) -> tuple[int | None, int]:
        """Return which group is named at a piece's beginning (0: the match), and how long."""
        if piece.startswith("&"):
            return 0, 1
        if piece.startswith("<") and self._names:
            name, closing, _ = piece[1:].partition(">")
            return (self._names.get(name), len(name) + 2) if closing else (None, 0)
        for length in (2, 1):
            digits = piece[:length]
            if len(digits) == length and digits.isascii() and digits.isdigit():
                if 1 <= int(digits) <= self._groups:
                    return int(digits), length
        return None, 0


def _replacement(rule: Regexp, template: str, text: str) -> str | _Template:
    return _Template(rule, template, text) if "$" in template else template


CHECKS = (add_prefix, regex_replace)
