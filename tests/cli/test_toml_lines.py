"""Every key of a TOML text is found on its line."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from llmgateway.cli.toml_lines import Path, key_lines, line_of

TEXT = '''\
# a comment with a = 1
default_provider = "openai"  # [not.a.table]
text = """
fake = "key"
[fake]
""" 
dotted.name."with.dot" = 1
"escaped \\u0041\\tB" = 2

[providers.openai]
api_key = 'a # b'
models = [
  "one", # first
  "two"
]

[limits]

[[targets]]
name = "a"
[targets.retry]
attempts = 1
[[targets]]
name = 'b'
retry = { attempts = 2, codes = [ 1,
  2 ] }
time = 07:32:00
'''

EXPECTED: dict[Path, int] = {
    ("default_provider",): 2,
    ("text",): 3,
    ("dotted",): 7,
    ("dotted", "name"): 7,
    ("dotted", "name", "with.dot"): 7,
    ("escaped A\tB",): 8,
    ("providers",): 10,
    ("providers", "openai"): 10,
    ("providers", "openai", "api_key"): 11,
    ("providers", "openai", "models"): 12,
    ("providers", "openai", "models", 0): 13,
    ("providers", "openai", "models", 1): 14,
    ("limits",): 17,
    ("targets",): 19,
    ("targets", 0): 19,
    ("targets", 0, "name"): 20,
    ("targets", 0, "retry"): 21,
    ("targets", 0, "retry", "attempts"): 22,
    ("targets", 1): 23,
    ("targets", 1, "name"): 24,
    ("targets", 1, "retry"): 25,
    ("targets", 1, "retry", "attempts"): 25,
    ("targets", 1, "retry", "codes"): 25,
    ("targets", 1, "retry", "codes", 0): 25,
    ("targets", 1, "retry", "codes", 1): 26,
    ("targets", 1, "time"): 27,
}


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Return the paths of all keys and elements."""
    if isinstance(value, dict):
        steps: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    else:
        return set()
    below = (paths(item, (*path, step)) for step, item in steps)
    return {(*path, step) for step, _ in steps}.union(*below)


def test_every_key_has_its_line() -> None:
    assert EXPECTED == key_lines(TEXT)


def test_no_key_is_forgotten() -> None:
    assert paths(tomllib.loads(TEXT)) == key_lines(TEXT).keys()


def test_a_missing_key_has_the_line_of_its_table() -> None:
    assert 10 == line_of(("providers", "openai", "base_url"), key_lines(TEXT))
    assert line_of(("nothing",), key_lines(TEXT)) is None


@pytest.mark.parametrize(
    "text", ["= 1", "a", "a =", "a = [", "a = {", '"a', "[a", "a = 1\n???", "a = [" * 5000]
)
def test_what_is_no_toml_ends_the_search(text: str) -> None:
    assert key_lines(text).keys() <= {("a",), *((("a", *[0] * n)) for n in range(1, 1500))}
