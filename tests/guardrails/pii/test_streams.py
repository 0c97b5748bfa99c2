"""Streams are masked and restored as the whole text is, however they are cut."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmgateway.guardrails.pii import Looked, StreamMask, StreamRestore, Vault
from llmgateway.guardrails.pii.cuts import MAX_PIECE

_PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\nq1not/a+key==\n"
    "-----END RSA PRIVATE KEY-----"
)
PIECES = [
    *("alice@example.com", "bob.o'hara@mail.example.co.uk", "+1 415-555-2671", "(415) 555-2671"),
    *(
        "4111 1111 1111 1111",
        "378282246310005",
        "DE89 3704 0044 0532 0130 00",
        "8.8.8.8",
        "v1.2.3.4",
    ),
    *("version ", "00:1A:2B:3C:4D:5E", "123-45-6789", "SSN: ", "123456789", "2001:db8::1"),
    *("sk-proj-Zk3vQ9xT7bLm2Rw8Yc5NdJ1h", "Bearer ", "abc.def0123456789-xyz", "hunter2"),
    *("postgres://u:p,w@db.example/x", "secret access key: ", "Authorization: Basic ", _PEM),
    *("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "alice\\u0040example.com", "\\n", "\\\\", "\\"),
    *(
        "\\\\u0040",
        "\u200b",
        "４１１１",
        "é",
        "。",
        "\ud83d",
        "\x00",
        '"',
        "'",
        "[",
        "]",
        "@",
        ".",
        "-",
    ),
    *(
        " ",
        " ",
        "  ",
        "\n",
        ",",
        ", ",
        ":",
        "/",
        "+",
        "(",
        "hello ",
        "World",
        "the key ",
        "415",
        "1",
    ),
    *("-----BEGIN ", "-----END ", "-----", "PRIVATE KEY", "git@github.com:x", "?key=abcdef123"),
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 10**18)
    | st.sampled_from([4111111111111111, 378282246310005, 4155552671, -4111111111111111])
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def masked(pieces: Iterable[str], is_json: bool = False, vault: Vault | None = None) -> str:
    stream = StreamMask(vault or Vault(), is_json)
    return "".join([*map(stream.feed, pieces), stream.close()])


def restored(vault: Vault, pieces: Iterable[str], is_json: bool = False) -> str:
    stream = StreamRestore(vault, is_json)
    return "".join([*map(stream.feed, pieces), stream.close()])


@given(texts)
@example("count 12 then SG.ABCdefghijklmnopq.ABCdefghijklmnopq end")
@example("Authorization: Basic alice@example.com\x800")
@settings(max_examples=150, deadline=None)
def test_masks_of_streams_cut_at_every_position(text: str) -> None:
    whole = Vault().mask(text)
    assert masked(text) == whole
    for cut in range(len(text) + 1):
        assert masked([text[:cut], text[cut:]]) == whole


@given(texts)
@settings(max_examples=150, deadline=None)
def test_what_is_masked_comes_back(text: str) -> None:
    vault = Vault()
    whole = vault.mask(text)
    assert vault.restore(whole) == text
    assert vault.restore(whole.lower()).lower() == text.lower()
    assert restored(vault, whole) == text
    for cut in range(len(whole) + 1):
        assert restored(vault, [whole[:cut], whole[cut:]]) == text


@given(documents, st.booleans(), st.sampled_from([None, 1]))
@example("Authorization: Basic alice@example.com\x800", False, None)
@settings(max_examples=60, deadline=None)
def test_json_stays_json_and_comes_back(value: object, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    vault = Vault()
    whole = vault.mask(text, is_json=True)
    json.loads(whole)
    assert json.loads(vault.restore(whole, is_json=True)) == value
    back = vault.restore(whole, is_json=True)
    assert restored(vault, whole, is_json=True) == back
    assert masked(text, is_json=True) == whole
    for cut in range(len(text) + 1):
        assert masked([text[:cut], text[cut:]], is_json=True) == whole
    for cut in range(len(whole) + 1):
        assert restored(vault, [whole[:cut], whole[cut:]], is_json=True) == back


@given(documents)
@settings(max_examples=100, deadline=None)
def test_nested_values_come_back(value: object) -> None:
    vault = Vault(Looked(kinds=frozenset({"EMAIL_ADDRESS", "SECRET"})))
    changed = vault.mask_json(value)
    assert vault.restore_json(changed) == value


@pytest.mark.parametrize(
    "filler", ["x", "1", "a@b.cc;", "\\u0040", "é", "A1 ", "-----BEGIN ", "\u200b"]
)
@pytest.mark.parametrize("is_json", [False, True])
def test_texts_without_a_place_to_cut(filler: str, is_json: bool) -> None:
    size = 2 * MAX_PIECE // len(filler)
    text = filler * size + "alice@example.com;" + filler * (size // 3) + " 4111 1111 1111 1111"
    whole = Vault().mask(text, is_json)
    assert "4111 1111 1111" not in whole
    assert masked([text], is_json) == whole
    for step in (1000, 4097, MAX_PIECE + 1):
        assert masked([text[at : at + step] for at in range(0, len(text), step)], is_json) == whole


def test_words_go_out_as_soon_as_the_next_begins() -> None:
    stream = StreamMask(Vault())
    assert [
        stream.feed(word) for word in ("Dear", " reader", ", write", " to", " a@b.cc", " now")
    ] == [
        *("", "Dear ", "reader, ", "write ", "to ", "[EMAIL_ADDRESS_1] "),
    ]
    assert stream.close() == "now"


def test_only_what_may_be_a_placeholder_is_held_back() -> None:
    vault = Vault()
    vault.mask("alice@example.com")
    stream = StreamRestore(vault)
    assert [
        stream.feed(delta) for delta in ("see [1] and [", "x", " [em", "ail_ADDRESS", "_1", "]")
    ] == [
        *("see [1] and ", "[x", " ", "", "", "alice@example.com"),
    ]
    assert stream.close() == ""
