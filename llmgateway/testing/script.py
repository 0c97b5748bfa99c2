"""What the fake provider does wrong, and when: a script that a model's name spells out.

`fake-503-twice` fails two times and then answers. `PARTS` is the list of all words, for code and
docs alike. A name that does not begin with `fake` has no script.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from llmgateway.testing.answers import FakeError

__all__ = ["PARTS", "Attempts", "Part", "Script", "read_script", "script_table"]

_DURATION = r"(\d{1,4}(?:\.\d{1,3})?)(ms|s)?"
_COUNTS = {"once": 1, "twice": 2, "thrice": 3}
_PREFIX = "fake"


@dataclass(frozen=True, slots=True)
class Script:
    """What a name asks for. The fields without a comment are explained by their row in `PARTS`."""

    status: int | None = None
    times: int | None = None
    """How many tries of one call have the faults; None: all of them."""
    headers: tuple[tuple[str, str], ...] = ()
    """Added to an error answer."""
    delay_s: float = 0.0
    fault: str | None = None
    """One of the words that spoil an answer: `cut`, `html`, …"""
    tokens: int | None = None
    pace_s: float = 0.0
    says: str | None = None
    then: str | None = None

    def healed(self) -> Script:
        """Return the script without its faults; the shape of the answer stays."""
        return Script(tokens=self.tokens, pace_s=self.pace_s, says=self.then or self.says)


@dataclass(frozen=True, slots=True)
class Part:
    """One word of the scripts' language."""

    form: str
    """How it is written; capitals stand for what may vary."""
    example: str
    """A model name that uses it."""
    doc: str
    pattern: re.Pattern[str]
    fields: Callable[[re.Match[str]], dict[str, Any]]
    """The fields of `Script` that it sets."""


def _part(
    form: str,
    example: str,
    pattern: str,
    fields: Callable[[re.Match[str]], dict[str, Any]],
    doc: str,
) -> Part:
    return Part(form, example, doc, re.compile(f"-{pattern}(?=-|$)"), fields)


def _fault(word: str, doc: str) -> Part:
    return _part(word, f"fake-{word}", f"({word})", lambda match: {"fault": match[1]}, doc)


def _seconds(number: str, unit: str | None) -> float:
    return float(number) / (1000 if unit == "ms" else 1)


def _retry_after(match: re.Match[str]) -> dict[str, Any]:
    name = "retry-after-ms" if match[2] == "ms" else "retry-after"
    return {"headers": ((name, match[1]),)}


PARTS: tuple[Part, ...] = (
    _part(
        "STATUS",
        "fake-503",
        r"([45]\d\d)",
        lambda match: {"status": int(match[1])},
        "answers this status, 400 to 599, with an error body of OpenAI's shape",
    ),
    _part(
        "once, twice, thrice, xN",
        "fake-503-twice",
        r"(once|twice|thrice|x\d{1,3})",
        lambda match: {"times": _COUNTS.get(match[1]) or int(match[1].removeprefix("x"))},
        "has the faults on the first tries of one gateway call only, then answers well",
    ),
    _part(
        "retry-after-DURATION",
        "fake-429-retry-after-2",
        rf"retry-after-{_DURATION}",
        _retry_after,
        "adds `retry-after` (or, for `50ms`, `retry-after-ms`) to the error answer",
    ),
    _part(
        "slow-DURATION",
        "fake-slow-5",
        rf"slow-{_DURATION}",
        lambda match: {"delay_s": _seconds(match[1], match[2])},
        "waits before the response head; seconds, or milliseconds with `ms`",
    ),
    _fault("hang", "never answers"),
    _fault("cut", "closes the connection in the middle of the stream or body"),
    _fault("stall", "falls silent in the middle of the stream or body"),
    _fault("stream-error", "sends an error event after two chunks of content; streams only"),
    _fault("early-error", "sends an error before any content, with status 200"),
    _fault("no-done", "leaves out the `[DONE]` that ends a stream"),
    _fault("html", "answers a page of HTML"),
    _fault("bad-json", "answers JSON that breaks off, with the right length"),
    _fault("empty", "answers an empty body"),
    _part(
        "tokens-N",
        "fake-tokens-1000",
        r"tokens-(\d{1,6})",
        lambda match: {"tokens": int(match[1])},
        "answers with so many words",
    ),
    _part(
        "says-WORD",
        "fake-says-Bat",
        r"says-([A-Za-z]{1,40})",
        lambda match: {"says": match[1]},
        "answers with this word",
    ),
    _part(
        "then-WORD",
        "fake-says-Apple-x5-then-Bat",
        r"then-([A-Za-z]{1,40})",
        lambda match: {"then": match[1]},
        "answers with this word once the tries that `xN` counts are over",
    ),
    _part(
        "pace-DURATION",
        "fake-pace-50ms",
        rf"pace-{_DURATION}",
        lambda match: {"pace_s": _seconds(match[1], match[2])},
        "waits between the chunks of a stream",
    ),
)


def read_script(name: str) -> Script:
    """Read a model's name; raises `FakeError` (404) for a word that `PARTS` does not have."""
    if name != _PREFIX and not name.startswith(f"{_PREFIX}-"):
        return Script()
    script, rest = Script(), name[len(_PREFIX) :]
    while rest:
        part, match = _first(rest, name)
        script, rest = replace(script, **part.fields(match)), rest[match.end() :]
    return script


def _first(rest: str, name: str) -> tuple[Part, re.Match[str]]:
    for part in PARTS:
        match = part.pattern.match(rest)
        if match is not None:
            return part, match
    forms = "; ".join(part.form for part in PARTS)
    raise FakeError(
        404,
        f"The model {name[:100]!r} does not exist: a script has no part {rest[1:50]!r}. "
        f"There are: {forms}.",
        code="model_not_found",
        param="model",
    )


def script_table() -> str:
    """Return `PARTS` as a Markdown table."""
    rows = [f"| {part.form} | `{part.example}` | {part.doc} |" for part in PARTS]
    return "\n".join(["| part | example | the fake provider … |", "|---|---|---|", *rows])


class Attempts:
    """Counts the faulty tries of each gateway call, by the call's id; the oldest are forgotten."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._tries: OrderedDict[tuple[str, str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def next(self, call_id: str, name: str, script: Script) -> Script:
        """Return what this try gets: the script, or its healed form once the faults are over.

        Then the count begins anew, so that the same call made again goes the same way.
        """
        if script.times is None:
            return script
        tries = self._tries.pop((call_id, name), 0)
        if tries >= script.times:
            return script.healed()
        self._tries[call_id, name] = tries + 1
        if len(self._tries) > self._limit:
            self._tries.popitem(last=False)
        return script
