"""What holds for the slots of every format, checked without knowing any."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Format
from llmgateway.codecs.slots import Part, Slot, SlotKind
from tests.codecs.lies import spoiled

JSON = dict[str, Any]
Told = tuple[str, str, str, str]

MACHINE = {
    "type", "id", "object", "role", "signature", "thoughtSignature", "encrypted_content",
    "encrypted_index", "encrypted_stdout", "name", "tool_use_id", "call_id", "status", "model",
    "cache_control", "caller", "data", "media_type", "mimeType", "file_id", "container_id",
    "server_name", "server_label", "namespace", "phase", "execution", "image_url", "file_url",
    "retrieved_at", "detail", "toolType", "prompt_cache_breakpoint",
}  # fmt: skip
"""Members in which no recorded answer has words for a reader."""


def told(slots: Iterable[Slot]) -> list[Told]:
    """Return of each text its kind, place and channel."""
    return [(one.text, one.kind.value, one.place.value, one.channel) for one in texts_of(slots)]


def texts_of(slots: Iterable[Slot]) -> list[Slot]:
    """Return the slots that hold a text: neither ends nor calls without arguments."""
    return [slot for slot in slots if slot.kind is not SlotKind.END and slot.text]


def ends(wire: Format, event: JSON) -> list[tuple[int, str]]:
    """Return the choices and channels that an event ends."""
    slots = wire.slots(event, Part.EVENT)
    return [(one.choice, one.channel) for one in slots if one.kind is SlotKind.END]


def check_marks(wire: Format, body: JSON, part: Part) -> None:
    """Check that each slot's text lands in its own place, and that nothing else changes."""
    changed = json.loads(json.dumps(body))
    slots = texts_of(wire.slots(changed, part))
    assert changed == body
    texts, marks = [slot.text for slot in slots], [_mark(*one) for one in enumerate(slots)]
    for slot, mark in zip(slots, marks, strict=True):
        slot.put(mark)
    assert marks == [slot.text for slot in texts_of(wire.slots(changed, part))]
    for slot, text in zip(slots, texts, strict=True):
        slot.put(text)
    if not any(slot.kind is SlotKind.TOKEN for slot in slots):  # these forget their alternatives
        assert json.loads(json.dumps(body)) == changed


def _mark(number: int, slot: Slot) -> str:
    if not slot.is_json:
        return f"mark {number}"
    return json.dumps([number] if slot.text.startswith("[") else {"m": number}).replace(" ", "")


def check_words(value: Any, slots: Iterable[Slot]) -> None:
    """Check that all words in a value are within some slot."""
    known: set[str] = set()
    for slot in slots:
        known.add(slot.text)
        known.update(_words(_parsed(slot.text), frozenset()) if slot.is_json else ())
    missing = [word for word in _words(value, MACHINE) if word not in known]
    assert [] == missing


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _words(value: Any, skip: Iterable[str]) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in skip:
                yield from _words(inner, skip)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner, skip)


def joined(slots: Iterable[Slot]) -> dict[tuple[int, str], str]:
    """Return the texts that the deltas of a stream add up to, by choice and channel."""
    found: dict[tuple[int, str], str] = {}
    for slot in slots:
        if slot.kind is SlotKind.DELTA:
            key = (slot.choice, slot.channel)
            found[key] = found.get(key, "") + slot.text
    return found


def fuzz(
    wire: Format, bodies: list[tuple[Part, JSON]], names: str, words: str
) -> Callable[[], None]:
    """Return a test that whatever JSON comes, `slots` and `insert` do not raise, and marks land.

    Bodies are made of a format's own names and words, or are its own bodies with lies within.
    """
    keys, said = st.sampled_from(names.split()), st.sampled_from(words.split())
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | said,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=20,
    )
    made = st.tuples(st.sampled_from(Part), st.dictionaries(keys, values, max_size=8))
    lies = st.builds(
        lambda body, seed: (body[0], spoiled(body[1], random.Random(seed))),
        st.sampled_from(bodies),
        st.integers(0, 2**32),
    )

    @settings(max_examples=150, deadline=None)
    @given(body=made | lies, role=st.sampled_from(["system", "user", "assistant", "tool"]))
    def test(body: tuple[Part, Any], role: str) -> None:
        part, value = body
        if not isinstance(value, dict):
            return
        check_marks(wire, value, part)
        denial = wire.denial()
        denial.see(value)
        denial.write({"a": 1})
        denial.report({"a": 1})
        wire.insert(value, role, "inserted")

    return test
