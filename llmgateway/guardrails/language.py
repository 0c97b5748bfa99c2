"""Which language the texts are in, as lingua (an extra of its own, 96 MB) finds it.

Source: https://github.com/pemistahl/lingua-rs. Its models of low accuracy are used: they take
70 MB of memory and load in half a second, the others 950 MB and ten seconds, and texts that are too
short for them are too short to be judged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.languages import by_name
from llmgateway.late import import_late

_MIN_LETTERS = 20
"""Shorter texts are undecided; a letter of a script that writes words in one counts four times."""
_WIDE_SCRIPTS_FROM = 0x2E80
_SAMPLES, _SAMPLE_LENGTH = 8, 500
_CONFIDENCE = 0.5


def _language(name: str) -> str:
    """Return lingua's name of a language: `en`, `eng`, `English`, `en-US` and `eng_Latn` alike."""
    primary = name.strip().replace("_", "-").split("-")[0].lower()
    found = by_name().get(primary)
    if found is None:
        raise ParameterFault(f"{name[:50]!r} is no language that can be told apart")
    return found


def _named(names: Sequence[str] | str) -> tuple[str, ...]:
    if isinstance(names, str):
        return (_language(names),)
    found = []
    for index, name in enumerate(names):
        try:
            found.append(_language(name))
        except ParameterFault as exc:
            raise ParameterFault(exc.message, (index,)) from None
    return tuple(found)


def _installed(names: list[str] | str) -> list[str] | str:
    if find_spec("lingua") is None:
        raise ParameterFault("Languages are told by lingua: pip install 'llmgateway[language]'")
    _named(names)
    return names


_Languages = Annotated[
    Annotated[list[str], MinLen(1)] | Annotated[str, MinLen(1)], AfterValidator(_installed)
]


@check("default.language", blocking=True)
def language(
    subject: Subject,
    languages: _Languages,
    min_confidence: Annotated[float, Ge(0), Le(1)] = _CONFIDENCE,
    undecided: Literal["pass", "fail"] = "pass",
    not_: bool = False,
) -> Verdict:
    """Pass when each text is in one of the languages.

    Each text is judged for itself, so one foreign turn is not outvoted by others. A text with less
    than 20 letters (5 of Chinese, Japanese or Korean), and one whose likeliest language has less
    than `min_confidence`, is undecided. Of a long text eight pieces of 500 characters are looked
    at, together; a text in several languages counts as the one that prevails. What has no text
    passes.

    Args:
        languages: ISO 639 codes (`en`, `eng`), English names, or Portkey's forms (`eng_Latn`).
        min_confidence: How sure the detector must be, from 0 to 1.
        undecided: What becomes of texts too short or too unclear to tell: `pass` or `fail`.
        not_: Pass when no text is in one of the languages.
    """
    found = [_find(text, min_confidence) for text in subject.texts]
    return _verdict(found, _named(languages), undecided == "pass", not_)


@check("portkey.language", blocking=True)
def portkey_language(subject: Subject, language: _Languages, not_: bool = False) -> Verdict:
    """Pass when each text is in one of the languages: `default.language` under Portkey's id.

    Portkey's own service answers this id; here lingua does, on this machine.

    Args:
        language: One code or several: `eng_Latn`.
        not_: Pass when no text is in one of them.
    """
    found = [_find(text, _CONFIDENCE) for text in subject.texts]
    return _verdict(found, _named(language), True, not_)


@dataclass(frozen=True, slots=True)
class _Found:
    name: str | None
    """As lingua spells it, in lower case; None: undecided."""
    confidence: float = 0.0


def _verdict(
    found: Sequence[_Found], wanted: Sequence[str], passes_undecided: bool, not_: bool
) -> Verdict:
    told = sorted({one.name for one in found if one.name})
    passed = all(
        passes_undecided if one.name is None else (one.name in wanted) != not_ for one in found
    )
    return Verdict(
        passed,
        {
            "explanation": _explain(passed, told),
            "languages": list(wanted),
            "foundLanguages": told,
            "confidence": min((one.confidence for one in found if one.name), default=None),
            "undecided": sum(one.name is None for one in found),
            "not": not_,
        },
    )


def _find(text: str, min_confidence: float) -> _Found:
    sample = _sample(text)
    letters = sum(4 if ord(one) >= _WIDE_SCRIPTS_FROM else 1 for one in sample if one.isalpha())
    if letters < _MIN_LETTERS:
        return _Found(None)
    values = _detector().compute_language_confidence_values(sample)
    best = max(values, key=lambda one: one.value, default=None)
    if best is None or best.value <= 0 or best.value < min_confidence:
        return _Found(None)
    return _Found(best.language.name.lower(), round(best.value, 3))


def _sample(text: str) -> str:
    if len(text) <= _SAMPLES * _SAMPLE_LENGTH:
        return text
    step = (len(text) - _SAMPLE_LENGTH) // (_SAMPLES - 1)
    return " ".join(text[at * step : at * step + _SAMPLE_LENGTH] for at in range(_SAMPLES))


@cache
def _detector() -> Any:
    # Late: an extra, and heavy.
    try:
        lingua = import_late("lingua")
    except ImportError as exc:
        raise CheckFailed("lingua is not installed: llmgateway[language]") from exc
    return lingua.LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def _explain(passed: bool, told: Sequence[str]) -> str:
    said = ", ".join(told) or "undecided"
    return f"The language is {'' if passed else 'not '}as wanted: {said}"


CHECKS = (language, portkey_language)
