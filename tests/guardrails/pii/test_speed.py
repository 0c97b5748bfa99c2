"""Looking for personal data takes time linear in the text, whatever the text is."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import pytest

from llmgateway.guardrails.pii import KINDS, Looked, StreamMask, Vault, find, patterns, phones
from llmgateway.guardrails.pii.phones import ASKED_AT_MOST, Asker

REPEATS = [
    *("1/2/", "1", "1 ", "1.", "a@", "a@b.", "a@b.cc ", "a@b.cc,", "4155552671,", "415-555-2671 "),
    *("4111 ", "4111-", "111-", "123-45-6789", "DE89 3704 ", "-----BEGIN ", "-", "sk-", "eyJ", "x"),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "bearer ",
        "://a:",
        "?key=aaaaaa",
        "M" * 24 + ".",
        "0a:",
        "::",
    ),
    *(
        "\\",
        "\\u0040",
        "\\\\u0040",
        '"',
        "[",
        "+1",
        "(",
        "ssn",
        "é",
        "\u200b",
        "\ud800",
        "A ",
        "a, ",
    ),
]
SIZE = 100 * 1024


def spent(call: Any) -> float:
    """Return the least of three runs, in seconds of this thread's processor time."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
        if times[-1] < 0.05:
            break
    return min(times)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_repeats(kind: str) -> None:
    """Less than 50 ms where nothing is found; 40 µs for each candidate where much is."""
    looked = Looked(frozenset({kind}))
    slow = {}
    for unit in REPEATS:
        text = unit * (SIZE // len(unit))
        taken = spent(lambda text=text: find(text, looked))
        allowed = 0.3 + 80e-6 * len(find(text, looked))
        if taken > allowed:
            slow[unit] = (taken, allowed)
    assert slow == {}


@pytest.mark.parametrize("unit", REPEATS)
def test_twice_the_text_takes_twice_the_time(unit: str) -> None:
    """What is searched in one go is bounded, so no engine can be worse than linear."""
    seen: list[int] = []
    real = patterns.secrets

    def counted(text: str, *more: Any) -> Any:
        seen.append(len(text))
        return real(text, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("llmgateway.guardrails.pii.find"), "secrets", counted)
        size = 4 * SIZE // len(unit) * len(unit)
        find(unit * (4 * SIZE // len(unit)), Looked(frozenset({"SECRET"})))
    assert max(seen, default=0) <= 32_768
    assert sum(seen) <= 2 * size + 32_768


def test_a_megabyte() -> None:
    text = "Dear reader, please write to alice@example.com or call +1 415-555-2671 now. " * 14_000
    masked = Vault().mask(text)
    assert "alice" not in masked
    assert spent(lambda: find(text)) < 5


def test_a_megabyte_in_deltas() -> None:
    text = "Dear reader, please write to alice@example.com now. " * 4_000
    stream = StreamMask(Vault())
    began = time.thread_time()
    out = [stream.feed(text[at : at + 4]) for at in range(0, len(text), 4)]
    assert "alice" not in "".join([*out, stream.close()])
    assert time.thread_time() - began < 20


def test_the_library_of_telephone_numbers_is_asked_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    real = phones._is_number

    def counted(spelled: str, regions: tuple[str, ...]) -> bool:
        asked.append(spelled)
        return real(spelled, regions)

    monkeypatch.setattr(phones, "_is_number", counted)
    text = "".join(f"415555{number:04d};" for number in range(4000))
    found = find(text, Looked(frozenset({"PHONE_NUMBER"})))
    assert len(asked) == ASKED_AT_MOST
    assert all(len(spelled) <= 40 for spelled in asked)
    # Beyond that, what has the shape of one counts.
    assert len(found) > 3700
    assert Asker(("US",)).left == ASKED_AT_MOST
