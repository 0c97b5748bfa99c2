"""Sealed texts: they open with their own key in their own place, and nowhere else."""

from __future__ import annotations

import pytest

from llmgateway.stores.sealing import (
    BrokenSeal,
    SealError,
    SealingKey,
    SecretBox,
    UnknownSealingKey,
)

OLD = SealingKey("old", b"o" * 32)
NEW = SealingKey("new", b"n" * 32)
TEXT = "sk-the-secret-of-a-provider-ü"


def test_a_text_opens_in_its_place() -> None:
    box = SecretBox([NEW])

    assert TEXT == box.open(box.seal(TEXT, "integration", "1"), "integration", "1")
    assert "" == box.open(box.seal("", "integration", "1"), "integration", "1")


def test_a_sealed_text_names_its_version_and_its_key_and_shows_nothing_else() -> None:
    sealed = SecretBox([NEW, OLD]).seal(TEXT, "integration", "1")

    version, key_id, packed = sealed.split(".")
    assert ("v1", "new") == (version, key_id)
    assert sealed.isascii() and "=" not in packed and "secret" not in sealed


def test_no_two_sealed_texts_are_alike() -> None:
    box = SecretBox([NEW])
    sealed = {box.seal(TEXT, "integration", "1") for _ in range(1000)}

    assert 1000 == len(sealed)
    assert 1000 == len({text.split(".")[2][:16] for text in sealed}), "a nonce came twice"


@pytest.mark.parametrize(
    "place",
    [
        ("integration", "2"),
        ("other", "1"),
        ("integration",),
        ("integration1",),
        ("integration", "1", ""),
    ],
    ids=" ".join,
)
def test_a_text_opens_in_no_other_place(place: tuple[str, ...]) -> None:
    box = SecretBox([NEW])
    sealed = box.seal(TEXT, "integration", "1")

    with pytest.raises(BrokenSeal):
        box.open(sealed, *place)


def test_every_key_of_the_ring_opens_and_the_first_one_seals() -> None:
    sealed = SecretBox([OLD]).seal(TEXT, "p")
    box = SecretBox([NEW, OLD])

    assert TEXT == box.open(sealed, "p")
    assert not box.is_current(sealed)
    assert box.is_current(box.seal(TEXT, "p"))


def test_a_key_that_was_removed_is_named() -> None:
    sealed = SecretBox([OLD]).seal(TEXT, "p")

    with pytest.raises(UnknownSealingKey, match="old") as caught:
        SecretBox([NEW]).open(sealed, "p")
    assert "old" == caught.value.key_id
    assert sealed.split(".")[2] not in str(caught.value)


def test_a_text_whose_key_id_was_changed_does_not_open() -> None:
    same = SealingKey("other", OLD.secret)
    sealed = SecretBox([OLD]).seal(TEXT, "p")

    with pytest.raises(BrokenSeal):
        SecretBox([OLD, same]).open(sealed.replace(".old.", ".other."), "p")


def test_every_changed_character_breaks_the_seal() -> None:
    box = SecretBox([NEW])
    sealed = box.seal("abc", "p")
    start = sealed.rindex(".") + 1
    for at in range(start, len(sealed)):
        other = "A" if sealed[at] != "A" else "B"
        try:
            opened = box.open(sealed[:at] + other + sealed[at + 1 :], "p")
        except BrokenSeal:
            continue
        # The last character may have bits that stand for nothing.
        assert (len(sealed) - 1, "abc") == (at, opened)


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "sk-in-plain",
        "v1",
        "v1.new",
        "v1.new.",
        "v1.new.AA",
        "v1.new.A",
        "v2.new.AAAA",
        "v1.é.AA",
    ],
)
def test_what_is_no_sealed_text_is_told_without_being_shown(sealed: str) -> None:
    with pytest.raises(SealError) as caught:
        SecretBox([NEW]).open(sealed, "p")
    assert isinstance(caught.value, BrokenSeal)
    assert caught.value.__cause__ is None and "plain" not in str(caught.value)


def test_reprs_hold_no_key() -> None:
    assert "SealingKey(id='old')" == repr(OLD)
    assert "SecretBox" in repr(SecretBox([OLD])) and "oooo" not in repr(SecretBox([OLD]))


def test_a_ring_has_keys_and_each_is_whole() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SecretBox([])
    with pytest.raises(ValueError, match="32 bytes"):
        SecretBox([SealingKey("short", b"x" * 16)])


def test_what_the_first_version_sealed_opens() -> None:
    """It is in databases: the format stays, or gets a new version."""
    sealed = "v1.new.AAECAwQFBgcICQoL6d6ovUsIQd4xylpZorfiB8KVRQ"

    assert "abc" == SecretBox([NEW]).open(sealed, "integration", "1")
