"""Values and placeholders of one request."""

from __future__ import annotations

import json
import random
import threading

import pytest

from llmgateway.guardrails.pii import Found, Looked, StreamMask, StreamRestore, Vault
from tests.guardrails.pii.labelled import TRUE
from tests.secrets import TOKENS

# Nine digits alone are a social security number only by the words before them.
VALUES = [
    value
    for cases in TRUE.values()
    for _, value in cases
    if value.isascii() and value != "123456789"
]
SECRETS = [token for tokens in TOKENS.values() for token in tokens]
BEFORE = ["", "(", '"']
WORDS = (
    "the of and please send tell about my our what is write Answer to Now, then; it: for".split()
)


def test_one_value_has_one_placeholder() -> None:
    vault = Vault()
    text = "alice@example.com, bob@example.com; alice@example.com 8.8.8.8"
    masked = vault.mask(text)
    assert masked == "[EMAIL_ADDRESS_1], [EMAIL_ADDRESS_2]; [EMAIL_ADDRESS_1] [IP_ADDRESS_1]"
    assert vault.mask("To: bob@example.com") == "To: [EMAIL_ADDRESS_2]"
    assert vault.restore(masked) == text
    assert vault.restore("ask [email_Address_2] and [EMAIL_ADDRESS_3] or [x]") == (
        "ask bob@example.com and [EMAIL_ADDRESS_3] or [x]"
    )


def test_what_needs_no_mask_is_the_same_object() -> None:
    vault, text = Vault(), "Nothing here, really."
    assert vault.mask(text) is text
    assert vault.restore(text) is text


def test_placeholders_that_stand_in_the_text_already() -> None:
    vault = Vault()
    text = "[EMAIL_ADDRESS_1] [email_address_2] alice@example.com [EMAIL_ADDRESS_3]"
    masked = vault.mask(text)
    assert masked == "[EMAIL_ADDRESS_1] [email_address_2] [EMAIL_ADDRESS_4] [EMAIL_ADDRESS_3]"
    assert vault.restore(masked) == text


def test_texts_reserved_before_the_first_is_masked() -> None:
    vault = Vault()
    vault.reserve("say [EMAIL_ADDRESS_1] as it is")
    assert vault.mask("alice@example.com") == "[EMAIL_ADDRESS_2]"
    # A text that is masked twice keeps its placeholders.
    assert vault.mask("[EMAIL_ADDRESS_2] bob@example.com") == "[EMAIL_ADDRESS_2] [EMAIL_ADDRESS_3]"
    assert vault.restore("[EMAIL_ADDRESS_1] [EMAIL_ADDRESS_2]") == (
        "[EMAIL_ADDRESS_1] alice@example.com"
    )


def test_what_is_beyond_the_bound_is_masked_for_good() -> None:
    vault = Vault(max_values=2)
    text = "a@example.com b@example.com c@example.com a@example.com"
    masked = vault.mask(text)
    assert masked == "[EMAIL_ADDRESS_1] [EMAIL_ADDRESS_2] [REDACTED] [EMAIL_ADDRESS_1]"
    assert vault.restore(masked) == text.replace("c@example.com", "[REDACTED]")
    assert len(vault) == 2


def test_masks_for_good() -> None:
    vault, found = Vault(), Found()
    assert vault.mask("a@example.com", is_reversible=False, found=found) == "[EMAIL_ADDRESS]"
    assert vault.mask('{"a": 4111111111111111}', True, is_reversible=False) == (
        '{"a": "[CREDIT_CARD]"}'
    )
    assert len(vault) == 0
    assert found.counts == {"EMAIL_ADDRESS": 1}


def test_json_arguments() -> None:
    vault = Vault()
    text = (
        r'{"to":"alice\u0040example.com","card":4111111111111111,"note":"a\n+14155552671\t\"x\""}'
    )
    masked = vault.mask(text, is_json=True)
    assert json.loads(masked) == {
        "to": "[EMAIL_ADDRESS_1]",
        "card": "[CREDIT_CARD_1]",
        "note": 'a\n[PHONE_NUMBER_1]\t"x"',
    }
    assert json.loads(vault.restore(masked, is_json=True)) == json.loads(text)
    # The value is the same in a text that is no JSON.
    assert vault.mask("alice@example.com") == "[EMAIL_ADDRESS_1]"
    assert vault.restore("card [CREDIT_CARD_1]") == "card 4111111111111111"


def test_values_are_escaped_in_arguments() -> None:
    vault = Vault()
    pem = TOKENS["private-key"][0]
    mark = vault.mask(pem)
    assert mark == "[SECRET_1]"
    arguments = vault.restore(json.dumps({"key": mark}), is_json=True)
    assert json.loads(arguments) == {"key": pem}
    stream = StreamRestore(vault, is_json=True)
    deltas = [*map(stream.feed, json.dumps({"key": mark})), stream.close()]
    assert json.loads("".join(deltas)) == {"key": pem}


def test_arguments_that_are_cut_off_or_no_json() -> None:
    vault = Vault()
    for text in ('{"to": "alice@example.com', "alice@example.com", '{"a": 4111111111111111', '"\\'):
        assert vault.restore(vault.mask(text, is_json=True), is_json=True) == text


def test_metadata() -> None:
    vault = Vault()
    value = {
        "user": "alice@example.com",
        "bob@example.com": ["8.8.8.8", {"n": 4111111111111111, "t": True, "f": 1.5, "z": None}],
        "nested": json.dumps({"mail": "alice@example.com", "n": [4111111111111111]}),
    }
    masked = vault.mask_json(value)
    assert not any(one in json.dumps(masked) for one in ("alice", "bob", "8.8.8.8", "41111"))
    assert masked["user"] == "[EMAIL_ADDRESS_1]"
    assert json.loads(masked["nested"])["mail"] == "[EMAIL_ADDRESS_1]"
    back = vault.restore_json(masked)
    assert json.loads(back["nested"]) == json.loads(value["nested"])  # type: ignore[arg-type]
    assert back["user"] == "alice@example.com"
    deep: object = "alice@example.com"
    for _ in range(2000):
        deep = [deep]
    assert "alice" not in json.dumps(vault.mask_json(deep))


def test_no_values_in_reprs() -> None:
    vault = Vault()
    vault.mask("alice@example.com")
    stream = StreamMask(vault)
    stream.feed("bob@example.com")
    restore = StreamRestore(vault)
    restore.feed("x [EMAIL")
    told = f"{vault!r} {stream!r} {restore!r} {vault.looked!r}"
    assert "alice" not in told and "bob" not in told
    assert not any("alice" in str(cell) for cell in (vault, stream, restore))


def test_two_hundred_prompts() -> None:
    draw = random.Random(20_241_130)
    for _ in range(200):
        planted = [*draw.sample(VALUES, 4), *draw.sample(SECRETS, 2)]
        words = [draw.choice(WORDS) for _ in range(60)]
        for value in planted:
            words.insert(draw.randrange(len(words)), draw.choice(BEFORE) + value + " ;")
        text = draw.choice([" ", "\n"]).join(words)
        vault = Vault()
        masked = vault.mask(text)
        arguments = json.dumps({"text": text, "list": planted}, ensure_ascii=draw.random() < 0.5)
        masked_arguments = vault.mask(arguments, is_json=True)
        for value in planted:
            assert value not in masked, value
            assert value not in masked_arguments, value
            assert value not in str(json.loads(masked_arguments)), value
        assert vault.restore(masked) == text
        assert json.loads(vault.restore(masked_arguments, is_json=True)) == json.loads(arguments)
        stream = StreamRestore(vault)
        assert "".join([*map(stream.feed, masked), stream.close()]) == text


def test_checks_in_threads_share_a_vault() -> None:
    vault = Vault()
    texts = [f"user{number}@example.com" for number in range(200)]
    masked: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: masked.append([vault.mask(text) for text in texts]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vault) == 200
    assert all(list(map(vault.restore, marks)) == texts for marks in masked)


def test_a_stream_has_no_recogniser() -> None:
    class Nobody:
        def find(self, text: str, kinds: frozenset[str]) -> list[tuple[int, int, str]]:
            return []

    with pytest.raises(ValueError, match="whole text"):
        StreamMask(Vault(Looked(recogniser=Nobody())))


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "\ud800",
        "\udfff@x",
        "\x00alice@example.com\x00",
        "\x01\x02\x03\x04",
        "a\ud800lice@example.com",
    ],
)
def test_odd_characters(text: str) -> None:
    vault = Vault()
    for is_json in (False, True):
        masked = vault.mask(text, is_json)
        assert vault.restore(masked, is_json) == text
        assert "alice@" not in masked
