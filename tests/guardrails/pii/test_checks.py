"""The checks: what they decide, change and tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from llmgateway.guardrails.base import ParameterFault, Services, Subject, Verdict
from llmgateway.guardrails.pii import Vault
from llmgateway.guardrails.pii.checks import pii, portkey_pii, secrets
from llmgateway.guardrails.pii.recognise import PresidioRecogniser, recognise_with
from llmgateway.guardrails.registry import builtin
from tests.secrets import TOKENS

TEXTS = ("I am alice@example.com", "and my card is 4111 1111 1111 1111")
SERVICES = cast(Services, None)


def run(check: Any, parameters: dict[str, Any], vault: Vault | None = None, **more: Any) -> Verdict:
    subject = Subject(**{"stage": "input", "texts": TEXTS, **more})
    return cast(Verdict, check.bind(parameters).run(subject, SERVICES, vault))


def test_they_are_built_in() -> None:
    assert {"default.pii", "portkey.pii", "default.secrets"} <= set(builtin())
    assert pii.wants_vault and pii.scope == "all"


def test_what_is_found_fails() -> None:
    verdict = run(pii, {})
    assert not verdict.passed
    assert verdict.texts is None
    assert verdict.data == {"detected": {"EMAIL_ADDRESS": 1, "CREDIT_CARD": 1}}
    assert run(pii, {"categories": ["SSN"]}).passed
    assert not run(pii, {"categories": ["SSN"], "not": True}).passed
    assert run(pii, {"not": True}).passed
    assert run(pii, {}, texts=()).passed


def test_what_is_redacted_passes() -> None:
    vault = Vault()
    verdict = run(pii, {"redact": True}, vault)
    assert verdict.passed
    assert verdict.texts == ("I am [EMAIL_ADDRESS_1]", "and my card is [CREDIT_CARD_1]")
    assert vault.restore("".join(verdict.texts)) == "".join(TEXTS)
    assert "alice" not in repr(verdict.data)
    assert run(pii, {"redact": True}, vault, texts=("nothing",)).texts is None


@pytest.mark.parametrize(
    ("parameters", "more"),
    [({"redact": True, "reversible": False}, {}), ({"redact": True}, {"stage": "output"})],
)
def test_masked_for_good(parameters: dict[str, Any], more: dict[str, Any]) -> None:
    vault = Vault()
    verdict = run(pii, parameters, vault, **more)
    assert verdict.texts == ("I am [EMAIL_ADDRESS]", "and my card is [CREDIT_CARD]")
    assert len(vault) == 0


def test_without_a_vault_it_is_for_good() -> None:
    assert run(pii, {"redact": True}).texts == (
        "I am [EMAIL_ADDRESS]",
        "and my card is [CREDIT_CARD]",
    )


def test_json_texts() -> None:
    verdict = run(
        pii, {"redact": True}, Vault(), texts=('{"n":4111111111111111}',), is_json=(True,)
    )
    assert verdict.texts == ('{"n":"[CREDIT_CARD_1]"}',)


def test_placeholders_of_a_later_text_are_kept_clear_of() -> None:
    texts = ("alice@example.com", "[EMAIL_ADDRESS_1]")
    assert run(pii, {"redact": True}, Vault(), texts=texts).texts == (
        "[EMAIL_ADDRESS_2]",
        "[EMAIL_ADDRESS_1]",
    )


def test_secrets_alone() -> None:
    slack, gitlab = TOKENS["slack-token"][0], TOKENS["gitlab-token"][0]
    texts = (f"{slack} {gitlab} alice@example.com",)
    verdict = run(secrets, {}, texts=texts)
    assert not verdict.passed
    assert verdict.data == {"detected": {"SECRET": 2}, "secrets": {"slack": 1, "gitlab": 1}}
    verdict = run(secrets, {"allowed": ["slack"], "redact": True}, Vault(), texts=texts)
    assert verdict.texts == (f"{slack} [SECRET_1] alice@example.com",)


@pytest.mark.parametrize(
    ("check", "parameters", "path"),
    [
        (pii, {"categories": ["EMAIL"], "x": 1}, ("x",)),
        (pii, {"categories": ["EMIAL_ADDRESS"]}, ("categories", 0)),
        (pii, {"regions": ["zz"]}, ("regions", 0)),
        (secrets, {"allowed": ["slakc"]}, ("allowed", 0)),
        (portkey_pii, {"categories": ["NAME"]}, ()),
        (portkey_pii, {"regions": ["US"]}, ("regions",)),
    ],
)
def test_faults(check: Any, parameters: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(ParameterFault) as fault:
        check.bind(parameters)
    assert fault.value.path == path


def test_windows_and_streams() -> None:
    bound = pii.bind({"redact": True, "categories": ["EMAIL_ADDRESS"]})
    assert bound.may_change and bound.window_limit == 320 * 7 + 2
    stream = bound.stream_mask(Vault())
    assert stream is not None
    assert stream.feed("to alice@exam") + stream.feed("ple.com, 8.8.8.8") + stream.close() == (
        "to [EMAIL_ADDRESS], 8.8.8.8"
    )
    assert pii.bind({}).stream_mask(Vault()) is None


@pytest.mark.parametrize("module", ["re2", "phonenumbers"])
def test_what_is_not_installed(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ParameterFault, match=r"llmgateway\[guardrails\]"):
        pii.bind({})


class Analyzer:
    """Has the method of Presidio's analyser, and knows one name and one town."""

    def analyze(self, text: str, entities: list[str], language: str) -> list[SimpleNamespace]:
        known = {"PERSON": ("Alice Liddell", 0.9), "LOCATION": ("Oxford", 0.4)}
        return [
            SimpleNamespace(
                start=text.index(word),
                end=text.index(word) + len(word),
                entity_type=entity,
                score=score,
            )
            for entity, (word, score) in known.items()
            if entity in entities and word in text
        ]


def test_names_with_a_recogniser() -> None:
    recognise_with(PresidioRecogniser(Analyzer()))
    try:
        bound = portkey_pii.bind(
            {"categories": ["NAME", "LOCATION_ADDRESS", "EMAIL_ADDRESS"], "redact": True}
        )
        assert bound.window_limit is None
        texts = ("Alice Liddell of Oxford, alice@example.com", '{"a": "Alice Liddell"}')
        subject = Subject("input", texts, is_json=(False, True))
        vault = Vault()
        verdict = bound.run(subject, SERVICES, vault)
        assert isinstance(verdict, Verdict) and verdict.texts is not None
        # What the analyser is not sure of stays.
        assert verdict.texts[0] == "[NAME_1] of Oxford, [EMAIL_ADDRESS_1]"
        assert verdict.texts[1] == '{"a": "[NAME_1]"}'
        assert vault.restore(verdict.texts[0]) == texts[0]
    finally:
        recognise_with(None)


def test_presidio_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "presidio_analyzer", None)
    with pytest.raises(ParameterFault, match="presidio"):
        PresidioRecogniser()
