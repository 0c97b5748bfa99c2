"""Heuristics for prompt injections: known shapes in the user's and the tools' texts.

They find what is written as everybody writes it, hidden in look-alikes, invisible characters,
spaced letters or base64 too; a determined attacker finds other words. Figures at a threshold of
0.5 on the labelled lines in `tests/guardrails/more/injection`: of 170 attacks that were in sight
when the rules were written 95 % are found, of 30 that were not, half; of 360 benign lines (security
questions, code and talk about prompts among them) 1 is taken for one, which quotes an attack. The
bound that tests hold is 1 %. So it is one layer among others, never the only one.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Annotated

from annotated_types import Ge, Le

from llmgateway.guardrails.base import Subject, Verdict
from llmgateway.guardrails.declare import Arguments, check
from llmgateway.guardrails.injection_rules import RULES, SQUEEZED, SQUEEZED_WEIGHT
from llmgateway.guardrails.regexp import Regexp, compile_own

# Cyrillic and Greek letters that look Latin, folded to lower case.
_LOOKALIKES = str.maketrans(
    "авгеёзикмнорстухѕіјһԁԛԝαβγεζηικνορτυχω",
    "abreezukmhopctyxsijhdqwabyezniknoptuxw",
)
_INVISIBLE = frozenset(("Cf", "Mn", "Me", "Cc", "Co"))
_KEPT_CONTROLS = "\t\n\r"
# Letters of ASCII among the tags of Unicode: no font shows them, models read them.
_TAGS = range(0xE0020, 0xE007F)
# One class each, so linear in `re` as well.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_SEPARATORS = re.compile(r"[^a-z]")


def _limit(arguments: Arguments) -> None:
    # Finds that RE2 is missing when the config is read. A score over the whole has no window.
    _compiled()


@check("default.promptInjection", window_limit=_limit, blocking=True, scope="all")
def prompt_injection(
    subject: Subject,
    threshold: Annotated[float, Ge(0), Le(1)] = 0.5,
    roles: Sequence[str] = ("user", "tool"),
    not_: bool = False,
) -> Verdict:
    """Pass when no text looks like an attempt to take the model over.

    Each shape that a text has adds to its score: two of 0.4 make 0.64. Shapes are known for
    English, and for taking back instructions in German, French and Spanish. At the input the user's
    texts and the tools' results are looked at, wherever they stand in the request; at the output
    all of the answer. Texts over 1 MiB are an error. A request without text passes.

    Args:
        threshold: The score from 0 to 1 from which a text fails. 0.5 is what one sure shape or two
            unsure ones reach; 0.7 lets most talk about prompts pass.
        roles: Whose texts are looked at, at the input: `system`, `user`, `assistant`, `tool`.
        not_: Pass when there is one.
    """
    found = [score(text) for text in _texts(subject, roles)]
    highest = max((one[0] for one in found), default=0.0)
    passed = highest < threshold or (threshold == 0 and not found)
    names = sorted({name for one in found if one[0] >= threshold for name in one[1]})
    return Verdict(
        passed != not_,
        {
            "explanation": f"The likeliest text scores {highest}; the threshold is {threshold}",
            "score": highest,
            "threshold": threshold,
            "shapes": names,
            "not": not_,
        },
    )


def _texts(subject: Subject, roles: Sequence[str]) -> Iterator[str]:
    if subject.stage == "output" or len(subject.roles) != len(subject.texts):
        yield from subject.texts
        return
    for text, role in zip(subject.texts, subject.roles, strict=True):
        if role in roles:
            yield text


def score(text: str) -> tuple[float, list[str]]:
    """Return how much a text looks like an injection, from 0 to 1, and the shapes found.

    Raises `CheckFailed` for a text over 1 MiB.
    """
    weights = _weights(normalised(text))
    for hidden in _decoded(text):
        # What is encoded is meant to be missed, so it counts even where it alone would not.
        inner = _weights(normalised(hidden))
        weights |= {f"base64_{name}": weight for name, weight in inner.items()}
    missing = math.prod(1 - weight for weight in weights.values())
    return round(1 - missing, 3), sorted(weights)


def _weights(text: str) -> dict[str, float]:
    """Return each shape found with its highest weight; shapes of one name count once."""
    found: dict[str, float] = {}
    for name, weight, pattern in _compiled():
        if weight > found.get(name, 0) and pattern.search(text):
            found[name] = weight
    for piece in _spaced().finditer(text):
        squeezed = _SEPARATORS.sub("", text[piece.start : piece.end])
        if any(phrase in squeezed for phrase in SQUEEZED):
            found["spaced_letters"] = SQUEEZED_WEIGHT
            break
    return found


@cache
def _compiled() -> list[tuple[str, float, Regexp]]:
    return [(rule.name, rule.weight, compile_own(rule.pattern)) for rule in RULES]


@cache
def _spaced() -> Regexp:
    return compile_own(r"\b(?:[a-z][^a-z0-9\n]{1,3}){9,}[a-z]\b")


def normalised(text: str) -> str:
    """Return a text in the form that the rules are written for.

    NFKD without marks, so accents go; without what no font shows; tags of Unicode as the ASCII that
    they stand for; look-alikes of Cyrillic and Greek as Latin; in lower case.
    """
    if text.isascii():
        return text.lower()
    # Marks are dropped, so their order does not matter, and each character folds by itself.
    return text.translate({ord(one): _folded(one) for one in set(text)})


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if ord(character) in _TAGS:
        return chr(ord(character) - 0xE0000).lower()
    folded = unicodedata.normalize("NFKD", character).casefold().translate(_LOOKALIKES)
    return "".join(
        one for one in folded if one.isascii() or unicodedata.category(one) not in _INVISIBLE
    )


def _decoded(text: str) -> Iterator[str]:
    """Yield what readable text stands in base64: piece by piece, and lines put together."""
    found = (_readable(piece[0]) for piece in _BASE64.finditer(text))
    pieces = [piece for piece in found if piece is not None]
    if pieces:
        yield "\n".join(pieces)
    if len(pieces) > 1:
        yield "".join(pieces)


def _readable(encoded: str) -> str | None:
    plain = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - 1] if len(plain) % 4 == 1 else plain
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if text.isprintable() or not any(map(_is_control, text)) else None


def _is_control(character: str) -> bool:
    return not character.isprintable() and character not in _KEPT_CONTROLS


CHECKS = (prompt_injection,)
