from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import pytest

from llmgateway.guardrails import language as module
from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject
from llmgateway.guardrails.language import language, portkey_language
from llmgateway.guardrails.languages import by_name

_EN = "Where is the nearest train station, please?"
_DE = "Wo ist der n\u00e4chste Bahnhof, bitte? Ich habe es eilig."
_ZH = "\u8bf7\u95ee\u6700\u8fd1\u7684\u706b\u8f66\u7ad9\u5728\u54ea\u91cc"
_UNCLEAR = "aaaa bbbb cccc dddd eeee ffff gggg"


@dataclass
class _Named:
    name: str


@dataclass
class _Value:
    language: _Named
    value: float


class _Detector:
    """Knows a language by one of its words."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def compute_language_confidence_values(self, text: str) -> list[_Value]:
        self.seen.append(text)
        if "the" in text.split():
            return [_Value(_Named("ENGLISH"), 0.9), _Value(_Named("GERMAN"), 0.1)]
        if "der" in text.split():
            return [_Value(_Named("ENGLISH"), 0.2), _Value(_Named("GERMAN"), 0.8)]
        if not text.isascii():
            return [_Value(_Named("CHINESE"), 1.0)]
        return [_Value(_Named("LATIN"), 0.1)]


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> _Detector:
    detector = _Detector()
    monkeypatch.setattr(module, "_detector", lambda: detector)
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    return detector


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize(
    ("texts", "parameters", "passes"),
    [
        ((), {"languages": ["en"]}, True),
        ((_EN,), {"languages": "en"}, True),
        ((_EN,), {"languages": ["deu", "English"]}, True),
        ((_EN,), {"languages": ["de"]}, False),
        ((_EN,), {"languages": ["de"], "not": True}, True),
        ((_EN,), {"languages": ["en"], "not": True}, False),
        ((_EN, _DE), {"languages": ["en"]}, False),
        ((_EN * 9, _DE), {"languages": ["en"]}, False),
        ((_ZH,), {"languages": ["zho_Hans"]}, True),
        ((_ZH,), {"languages": ["en"]}, False),
        ((_DE,), {"languages": ["en"], "minConfidence": 0.8}, False),
        ((_DE,), {"languages": ["en"], "minConfidence": 0.81}, True),
        (("ok",), {"languages": ["de"]}, True),
        (("ok",), {"languages": ["de"], "not": True}, True),
        (("ok",), {"languages": ["de"], "undecided": "fail"}, False),
        ((_UNCLEAR,), {"languages": ["de"]}, True),
        ((_UNCLEAR,), {"languages": ["de"], "undecided": "fail"}, False),
        (("1234567890 " * 50 + "\U0001f600",), {"languages": ["de"], "undecided": "fail"}, False),
    ],
)
def test_languages(texts: tuple[str, ...], parameters: Any, passes: bool) -> None:
    arguments = language.bind(parameters).arguments

    assert passes == language(Subject("output", texts), **arguments).passed


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize(("code", "passes"), [("eng_Latn", True), (["deu_Latn"], False)])
def test_portkeys_id_is_an_alias(code: Any, passes: bool) -> None:
    arguments = portkey_language.bind({"language": code}).arguments

    assert passes == portkey_language(Subject("input", (_EN,)), **arguments).passed


def test_of_a_long_text_a_part_is_looked_at(detector: _Detector) -> None:
    verdict = language(Subject("output", ("the word " * 110_000,)), ["en"])

    assert verdict.passed
    assert [8 * 500 + 7] == [len(text) for text in detector.seen]


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize(
    ("languages", "path"),
    [
        ("xx", ("languages",)),
        (["en", "klingon"], ("languages", 1)),
        ([], ("languages", "constrained-list")),
        (7, ("languages",)),
    ],
)
def test_unknown_languages_are_refused(languages: Any, path: tuple[Any, ...]) -> None:
    with pytest.raises(ParameterFault) as caught:
        language.bind({"languages": languages})

    assert path[:1] == caught.value.path[:1]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("en", "english"),
        ("ENG", "english"),
        ("en-US", "english"),
        ("pt_BR", "portuguese"),
        ("arb_Arab", "arabic"),
        ("swh_Latn", "swahili"),
        ("nob_Latn", "bokmal"),
        ("zho_Hant", "chinese"),
        (" German ", "german"),
    ],
)
def test_spellings(written: str, name: str) -> None:
    assert name == module._language(written)


def test_there_are_75_languages() -> None:
    assert 75 == len(set(by_name().values()))


def test_without_lingua_the_config_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    with pytest.raises(ParameterFault, match=r"llmgateway\[language\]"):
        language.bind({"languages": ["en"]})


@pytest.mark.skipif(importlib.util.find_spec("lingua") is not None, reason="lingua is installed")
def test_without_lingua_a_run_is_an_error() -> None:
    module._detector.cache_clear()

    with pytest.raises(CheckFailed, match="lingua"):
        language(Subject("input", (_EN,)), ["en"])


def test_lingua_itself() -> None:
    lingua = pytest.importorskip("lingua")
    known = {one.name.lower() for one in lingua.Language.all()}

    assert known == set(by_name().values())
    assert language(Subject("input", (_EN,)), ["en"]).passed
    assert language(Subject("input", (_DE, _ZH)), ["de", "zh"]).passed
    assert not language(Subject("input", (_EN, _DE)), ["en"]).passed
