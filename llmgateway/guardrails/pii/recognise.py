"""What finds names and addresses, which no pattern knows: Presidio's engine, or one of your own.

    from llmgateway.guardrails.pii.recognise import PresidioRecogniser, recognise_with
    recognise_with(PresidioRecogniser())

once, where the app starts. Presidio (extra `presidio`) needs a language model of spaCy's, which is
a download of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmgateway.guardrails.base import ParameterFault
from llmgateway.guardrails.pii.find import Recogniser
from llmgateway.late import import_late

__all__ = ["PresidioRecogniser", "recognise_with", "recogniser"]

_ENTITIES = {
    "NAME": ("PERSON",),
    "LOCATION_ADDRESS": ("LOCATION", "ADDRESS", "STREET_ADDRESS"),
}
"""Presidio's names of what it finds, by ours."""

_current: list[Recogniser] = []


def recognise_with(chosen: Recogniser | None) -> None:
    """Choose what this process recognises names and addresses with; None: nothing."""
    _current[:] = [] if chosen is None else [chosen]


def recogniser() -> Recogniser:
    """Return it; raises `ParameterFault` where none was chosen."""
    if not _current:
        raise ParameterFault(
            "NAME and LOCATION_ADDRESS need a recogniser, and this gateway has none: install "
            "llmgateway[presidio] and call recognise_with(PresidioRecogniser())"
        )
    return _current[0]


class PresidioRecogniser:
    """Presidio's analyser, or what has its method `analyze`."""

    def __init__(
        self, analyzer: Any = None, *, language: str = "en", min_score: float = 0.5
    ) -> None:
        self._analyzer = analyzer if analyzer is not None else _analyzer()
        self._language = language
        self._min_score = min_score

    def find(self, text: str, kinds: frozenset[str]) -> Iterable[tuple[int, int, str]]:
        """Return start, end and kind of each that is found, in characters of the text."""
        ours = {theirs: kind for kind in kinds for theirs in _ENTITIES.get(kind, ())}
        if not ours:
            return []
        results = self._analyzer.analyze(text=text, entities=sorted(ours), language=self._language)
        return [
            (result.start, result.end, ours[result.entity_type])
            for result in results
            if result.entity_type in ours and result.score >= self._min_score
        ]


def _analyzer() -> Any:
    try:
        return import_late("presidio_analyzer").AnalyzerEngine()
    except ImportError:
        raise ParameterFault("This gateway lacks Presidio; install llmgateway[presidio]") from None
