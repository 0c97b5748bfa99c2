"""What goes through windows is the whole text's, however dense the finds and odd the cuts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.slots import Place, Slot
from llmgateway.config import CheckSpec, Hook
from llmgateway.engine.bind import Binder, BoundHook
from llmgateway.engine.guard import Matter, Runner
from llmgateway.engine.pool import Pool
from llmgateway.engine.stages import Denied
from llmgateway.engine.vaults import Vaults
from llmgateway.engine.windows import Windows
from llmgateway.guardrails import Services, Subject, Verdict, check
from llmgateway.guardrails.registry import builtin
from tests.scripted import ScriptedTransport, world

POOL = Pool(2, 16)
SUBJECT = Subject(stage="output", texts=())
NOTHING = cast(Services, None)


@check("tests.doubled", window_limit=2, changes=True, blocking=False)
def doubled(subject: Subject) -> Verdict:
    """Write two of a sign as one."""
    texts = tuple(text.replace("pp", "P") for text in subject.texts)
    return Verdict(True, texts=texts)


@check("tests.raises", window_limit=3, blocking=False)
def raises(subject: Subject) -> Verdict:
    """Raise where an x is."""
    if "x" in subject.text:
        raise ValueError(subject.text)
    return Verdict(True)


BINDER = Binder(builtin().with_checks([doubled, raises]))


def hook(id: str, *, deny: bool = False, closed: bool = False, **parameters: Any) -> BoundHook:
    """Return a guardrail of one check."""
    stated = Hook("h", (CheckSpec(id, parameters),), deny=deny, scope="all", fail_on_error=closed)
    guards, faults = BINDER.bind((), (stated,), closed=False)
    assert not faults
    return guards.outputs[0]


def runner(vaults: Vaults | None = None) -> Runner:
    """Return what runs checks, for one call."""
    stage = world(ScriptedTransport())
    return Runner(stage, POOL, 5.0, NOTHING, NOTHING, vaults or Vaults())


def slot(text: str = "", *, is_json: bool = False) -> Slot:
    """Return a place of an answer."""
    place = Place.TOOL_ARGUMENTS if is_json else Place.TEXT
    return Slot(text, lambda new: None, place=place, is_json=is_json)


async def whole(hooks: Sequence[BoundHook], text: str, is_json: bool = False) -> tuple[Any, ...]:
    """Return the verdicts and the text that come of a whole answer; no text where it is denied."""
    said = slot(text, is_json=is_json)
    matter = Matter.of_slots([said] if text else [], SUBJECT)
    results = await runner().run(hooks, matter)
    if any(result.denies for result in results):
        return (None,)
    return ([result.told["checks"][0]["verdict"] for result in results], said.text)


async def windowed(
    hooks: Sequence[BoundHook], pieces: Iterable[str], is_json: bool = False
) -> tuple[Any, ...]:
    """Return what comes of the same in pieces."""
    windows = Windows(hooks, runner(), SUBJECT)
    out = []
    try:
        channel = windows.open(slot(is_json=is_json))
        for piece in pieces:
            out.append(await channel.feed(piece))
        out.append(await channel.close())
        results = await windows.end()
    except Denied:
        assert any(result.denies for result in windows.results())
        return (None,)
    assert not any(result.denies for result in results)
    return ([result.told["checks"][0]["verdict"] for result in results], "".join(out))


def replacing(rule: str, new: str) -> BoundHook:
    """Return a guardrail that replaces."""
    return hook("default.regexReplace", rule=rule, redactText=new)


SETS = {
    "one word": [hook("default.contains", deny=True, operator="none", words=["apple", "ppp"])],
    "two": [replacing("/pp/g", "p"), hook("default.contains", operator="none", words=["ap"])],
    "nothing": [replacing("/pp/g", "")],
    "the same": [replacing("/pp|al/g", "$&")],
    "swapped": [replacing("/(p)(.)/gs", "$2$1")],
    "rewritten": [replacing("/ap|le/g", "pp"), replacing("/ppp?/g", "e")],
    "own": [hook("tests.doubled")],
    "raising": [hook("tests.raises", deny=True, closed=True)],
    "detected": [
        hook("default.regexReplace", deny=True, rule="/ppl/g", failOnDetection=True),
    ],
    "no match": [hook("default.regexMatch", deny=True, rule="l.?e|p{3}", **{"not": True})],
    "mail": [hook("default.pii", redact=True, categories=["EMAIL_ADDRESS"])],
    "no mail": [hook("default.pii", deny=True), hook("default.secrets", redact=True)],
}
letters = st.text(alphabet="apple x.@", max_size=14) | st.lists(
    st.sampled_from(["ap", "ple", "pp", "a@b.cc", " ", "8.8.8.8", "é", "\\u0040"]), max_size=7
).map("".join)


@pytest.mark.parametrize("name", SETS)
@given(letters)
@settings(max_examples=60, deadline=None)
def test_texts_cut_at_every_position(name: str, text: str) -> None:
    async def run() -> None:
        hooks = SETS[name]
        expected = await whole(hooks, text)
        cuts = [[text[:cut], text[cut:]] for cut in range(1, len(text))]
        for pieces in [[text], list(text), *cuts]:
            assert expected == await windowed(hooks, filter(None, pieces)), pieces

    asyncio.run(run())


@given(letters, letters)
@settings(max_examples=60, deadline=None)
def test_masked_arguments_stay_json(one: str, two: str) -> None:
    async def run() -> None:
        hooks = [hook("default.pii", redact=True)]
        text = json.dumps({"to": [one, two], two: 4111111111111111})
        expected = await whole(hooks, text, is_json=True)
        json.loads(expected[1])
        for cut in range(len(text)):
            assert expected == await windowed(hooks, [text[:cut], text[cut:]], is_json=True)

    asyncio.run(run())


@pytest.mark.parametrize("is_json", [False, True])
async def test_values_of_the_request_come_back_cut_at_every_position(is_json: bool) -> None:
    vaults = Vaults()
    masked = vaults.of("input").mask('ann"x@b.example.com and bob@b.example.com')
    text = json.dumps({"to": masked}) if is_json else masked
    original = vaults.of("input").restore(text, is_json)
    assert "bob@b.example.com" in original
    hooks = [hook("default.contains", operator="none", words=["bob@b.example.com"], deny=True)]
    for cut in range(len(text)):
        windows = Windows(hooks, runner(vaults), SUBJECT)
        channel = windows.open(slot(is_json=is_json))
        out = await channel.feed(text[:cut]) + await channel.feed(text[cut:])
        assert original == out + await channel.close()
        assert channel.differs


async def test_a_text_is_let_out_as_far_as_it_has_been_judged() -> None:
    hooks = [hook("default.contains", operator="none", words=["12345"], deny=True)]
    channel = Windows(hooks, runner(), SUBJECT).open(slot())

    assert ["", "a", "bc", "defghij"] == [
        await channel.feed(text) for text in ("abcde", "f", "gh", "ijklmno")
    ]
    assert "klmno" == await channel.close()


async def test_dense_finds_are_not_held_back_for_ever() -> None:
    channel = Windows([replacing("/pp/g", "P")], runner(), SUBJECT).open(slot())
    out = [await channel.feed("p" * 50) for _ in range(200)]

    assert "P" * 5000 == "".join([*out, await channel.close()])
    assert 5000 - len("".join(out)) < 2500


async def test_a_choice_of_which_no_text_was_seen_is_judged_on_none() -> None:
    hooks = [hook("default.regexMatch", rule="a", closed=True, deny=True, **{"not": True})]
    windows = Windows(hooks, runner(), SUBJECT)
    await windows.open(replace(slot("b"), choice=0)).feed("b")
    windows.open(replace(slot("c"), choice=1, place=Place.OTHER))

    with pytest.raises(Denied):
        await windows.end()


async def test_an_error_does_not_hide_that_a_check_has_failed() -> None:
    hooks = [
        hook("tests.raises", deny=True),
        hook("default.contains", words=["apple"], operator="none", deny=True),
    ]
    windows = Windows(hooks, runner(), SUBJECT)
    with pytest.raises(Denied):
        await windows.open(slot()).feed("x apple")
    first, second = windows.results()

    assert {"name": "Error", "message": "Error executing check"} == first.told["checks"][0]["error"]
    assert (True, True) == (first.passed, second.denies)
