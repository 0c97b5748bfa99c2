"""Client keys: their form, and that each is new."""

from __future__ import annotations

import re

from llmgateway.engine.client_keys import has_checksum, new_client_key


def test_a_key_has_its_form() -> None:
    assert re.fullmatch(r"lgw_[0-9A-Za-z]{49}", new_client_key())


def test_no_two_keys_are_the_same() -> None:
    assert 100 == len({new_client_key() for _ in range(100)})


def test_the_smallest_and_the_largest_key_are_as_long() -> None:
    smallest = new_client_key(lambda length: b"\x00" * length)
    largest = new_client_key(lambda length: b"\xff" * length)

    assert len(smallest) == len(largest)


def test_the_checksum_finds_a_typing_error() -> None:
    key = new_client_key(lambda length: bytes(range(length)))

    assert has_checksum(key)
    assert not has_checksum(key[:10] + ("x" if key[10] != "x" else "y") + key[11:])
    assert not has_checksum(key[:-1])
    assert not has_checksum("sk-" + key)
