"""JavaScript's patterns on RE2: what is refused, where matches stand, how long they can be."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.guardrails import CheckFailed, ParameterFault
from llmgateway.guardrails.regexp import (
    MAX_PATTERN,
    MAX_TEXT_BYTES,
    compile_own,
    compile_pattern,
    compile_slashed,
)
from tests.guardrails.stubs import bound, run, subject

KILLERS = (
    "(a+)+$",
    "(a|aa)+$",
    "(.*)*x",
    "([a-zA-Z]+)*$",
    "(a|a?)+$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
)


@pytest.mark.parametrize("pattern", KILLERS)
@pytest.mark.parametrize("text", ["a" * 50_000 + "!", "a" * (2**20 - 1) + "!", "aB1 " * 2**16])
async def test_killers_are_quick(pattern: str, text: str) -> None:
    one = bound("regexMatch", {"rule": pattern})
    replace = bound("regexReplace", {"rule": f"/{pattern}/"})
    began = time.thread_time()
    await run(one, subject(text))
    await run(replace, subject(text))
    assert time.thread_time() - began < 2


REFUSED = {
    "(?=a)": "look-around",
    "(?!a)b": "look-around",
    "(?<=a)b": "look-around",
    "x(?<!a)b": "look-around",
    r"(a)\1": "back-references",
    r"(?<n>a)\k<n>": "back-references",
    "(a": "does not close",
    "a)": "does not open",
    "[a": "does not close",
    "*": "RE2 cannot compile",
    "a**": "RE2 cannot compile",
    "a{2000}": "RE2 cannot compile",
    "(?>a)": "does not know the group",
    "a\\": "ends with a backslash",
    r"\C": "unknown escape",
    r"\u{110000}": "no character",
    r"\ud800": "no character",
    "\ud800": "Unicode|JSON",
    "(((a{50}){20}){2})": "RE2 cannot compile|too large",
    "[^x]{500}é{500}[^ü]{100}": "too large",
    "(" * 200 + ")" * 200: "nests more than",
    "a" * (MAX_PATTERN + 1): "at most",
    r"\p{Nonsense}": "RE2 cannot compile",
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_refused_when_the_config_is_read(pattern: str) -> None:
    with pytest.raises(ParameterFault, match=REFUSED[pattern]) as found:
        bound("regexMatch", {"rule": pattern})
    assert found.value.path == ("rule",)


def test_flags() -> None:
    assert compile_slashed("/a/g").is_global
    assert not compile_slashed("a").is_global
    assert not compile_slashed("/a/").is_global
    with pytest.raises(ParameterFault, match="flags"):
        compile_slashed("/a/gy")
    # Not flags, so all of it is the pattern.
    assert compile_slashed("/usr/bin").search("in /usr/bin") is not None


LENGTHS: dict[str, int | None] = {
    "abc": 3,
    "a|bcd|": 3,
    "a?b{2,4}": 5,
    "a{3}": 3,
    "(ab){2}c": 5,
    "(?:ab|c)?": 2,
    r"\d{4}-\d{2}": 7,
    r"[\]a-z]x": 2,
    r"\u{1f600}é": 2,
    "(?i)ab": 2,
    "(?i:ab)c": 3,
    r"\{\}": 2,
    "{a": 2,
    "a{,3}": 5,
    "a{2": 3,
    r"\p{L}\pN": 2,
    r"\cA": 1,
    "(a{2}){3}?": 6,
    "a+": None,
    "a*": None,
    "a{2,}": None,
    "(a+)?b": None,
    "^a": None,
    "a$": None,
    r"\ba": None,
    r"a\B": None,
    r"\Aa": None,
    "x(a|b*)y": None,
    ".{10}": 10,
}


@pytest.mark.parametrize("pattern", LENGTHS)
def test_longest_match(pattern: str) -> None:
    assert compile_pattern(pattern).max_length == LENGTHS[pattern]
    assert bound("regexMatch", {"rule": pattern, "not": True}).window_limit == LENGTHS[pattern]
    assert bound("regexMatch", {"rule": pattern}).window_limit is None


def test_windows_of_replacements() -> None:
    def limit(rule: str) -> int | None:
        return bound("regexReplace", {"rule": rule}).window_limit

    assert limit(r"/\d{4}/g") == 4
    assert limit(r"\d{4}") is None
    assert limit("/a?/g") is None
    assert limit("/a+/g") is None


_ATOMS = st.sampled_from(["a", "b", "é", "[ab]", "[^a]", r"\d", ".", "😀", r"\u00e9"])


def _patterns(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeat = st.sampled_from(["", "?", "{2}", "{1,3}", "??"])
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, repeat).map(lambda two: f"(?:{two[0]}){two[1]}"),
        inner.map(lambda one: f"({one})"),
    )


def _as_javascript(pattern: str, text: str) -> list[tuple[int, int]]:
    """Match again and again, a character on after an empty match."""
    compiled, found, position = re.compile(pattern), [], 0
    while match := position <= len(text) and compiled.search(text, position):
        found.append(match.span())
        position = match.end() + (match.start() == match.end())
    return found


@given(
    st.recursive(_ATOMS, _patterns, max_leaves=6),
    st.text(alphabet="abé1😀x\n", max_size=40),
)
def test_like_pythons_own(pattern: str, text: str) -> None:
    regexp = compile_pattern(pattern)
    ours = [(span.start, span.end) for span in regexp.finditer(text)]
    assert ours == _as_javascript(pattern, text)
    assert regexp.max_length is not None
    assert all(end - start <= regexp.max_length for start, end in ours)


@given(st.text(alphabet=st.characters(), max_size=60), st.integers(0, 60))
def test_offsets_are_characters(text: str, start: int) -> None:
    regexp = compile_own("(?s).")
    start = min(start, len(text))
    spans = list(regexp.finditer(text, start))
    assert [(span.start, span.end) for span in spans] == [
        (index, index + 1) for index in range(start, len(text))
    ]


def test_half_a_surrogate_pair_keeps_its_place() -> None:
    assert [span.start for span in compile_own("b").finditer("é\ud83db\ude00b")] == [2, 4]
    assert compile_slashed("/b/g").sub("-", "\ud83db") == ("\ud83d-", 1)


def test_too_long_is_an_error_and_never_half_seen() -> None:
    regexp = compile_pattern("needle")
    with pytest.raises(CheckFailed, match="too long"):
        regexp.search("x" * MAX_TEXT_BYTES + "needle")
    with pytest.raises(CheckFailed, match="too long"):
        regexp.search("é" * (MAX_TEXT_BYTES // 2 + 1))
    assert regexp.search("x" * (MAX_TEXT_BYTES - 6) + "needle") is not None
    large = compile_pattern("a[ab]{400}c[ab]{400}d")
    with pytest.raises(CheckFailed, match="too long"):
        large.search("x" * MAX_TEXT_BYTES)


def test_large_programs_run_in_a_thread() -> None:
    assert not bound("regexMatch", {"rule": "^gpt-4"}).blocking
    assert bound("regexMatch", {"rule": "a[ab]{200}c"}).blocking


def test_own_patterns() -> None:
    regexp = compile_own(r"(?P<user>\w+)@(\w+)", ignore_case=True)
    assert regexp.names == ("user", None)
    text = "é a@b cc@dd"
    assert [span.groups for span in regexp.finditer(text)] == [
        ((2, 3), (4, 5)),
        ((6, 8), (9, 11)),
    ]
    assert regexp.sub(lambda span: text[span.start : span.end].upper(), text) == ("é A@B CC@DD", 2)


def test_without_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "re2", None)
    with pytest.raises(ParameterFault, match=r"llmgateway\[guardrails\]"):
        bound("regexMatch", {"rule": "a"})


def test_a_text_that_is_searched_again_and_again() -> None:
    began = time.thread_time()
    with pytest.raises(CheckFailed, match="takes too long"):
        compile_slashed("/a.*b|a/g").sub("", "a" * 2**20)
    assert time.thread_time() - began < 2


async def test_many_parts_share_their_time() -> None:
    one = bound("regexReplace", {"rule": "/a.*b|a/g"})
    began = time.thread_time()
    with pytest.raises(CheckFailed, match="takes too long"):
        await run(one, subject(*["a" * 2**18] * 3))
    with pytest.raises(CheckFailed, match="too long for this"):
        await run(one, subject(*["a" * 2**19] * 3))
    assert time.thread_time() - began < 2
