"""What is found of each kind, and what is not: a labelled list, and the secrets of vendors."""

from __future__ import annotations

import pytest

from llmgateway.guardrails.pii import KINDS, Looked, find, known_kind, window_limit
from llmgateway.guardrails.pii.patterns import is_card
from llmgateway.guardrails.pii.shapes import CARDS, LONGEST_UNIT
from llmgateway.guardrails.pii.vendors import VENDORS
from tests.guardrails.pii.labelled import FALSE, TRUE
from tests.secrets import IN_CONTEXT, TOKENS

LABELLED = [(kind, *case) for kind, cases in TRUE.items() for case in cases]
SURROUNDINGS = [
    "{}",
    "My key is {}.",
    "x={};y=1",
    '"{}"',
    "<{}>",
    "a:{},b",
    "first\\n{}\\nlast",
    "%3D{}",
]


@pytest.mark.parametrize(("kind", "text", "value"), LABELLED)
def test_what_is_found(kind: str, text: str, value: str) -> None:
    assert (kind, value) in [(span.kind, span.value) for span in find(text)]


@pytest.mark.parametrize(("kind", "text", "value"), LABELLED)
def test_one_kind_alone(kind: str, text: str, value: str) -> None:
    found = find(text, Looked(kinds=frozenset({kind})))
    assert value in [span.value for span in found]
    assert {span.kind for span in found} == {kind}
    assert all(text[span.start : span.end] == span.value for span in found)


@pytest.mark.parametrize("text", FALSE)
def test_what_is_none(text: str) -> None:
    assert find(text) == []


def test_the_rates() -> None:
    """All of what is labelled true, none of what is labelled false: 68 and 100 texts at least."""
    assert len(LABELLED) >= 68
    assert len(FALSE) >= 100


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize("token", [token for tokens in TOKENS.values() for token in tokens])
def test_the_secrets_that_logs_are_kept_clear_of(token: str, around: str) -> None:
    text = around.format(token)
    spans = [span for span in find(text) if span.kind == "SECRET"]
    assert len(spans) == 1
    # What stands after may go on like a token; nothing of the token is left.
    assert token in spans[0].value


# A word elsewhere in the text tells these, or a member's name: a stream may have gone by it.
_ELSEWHERE = ("for AWS:", "AKIA", "proxy-authorization")


@pytest.mark.parametrize(
    ("around", "secret"),
    [
        (around, secret)
        for name, around, secret in IN_CONTEXT
        if name != "member" and not around.startswith(_ELSEWHERE)
    ],
)
def test_secrets_in_context(around: str, secret: str) -> None:
    text = around.format(secret)
    assert any(secret in span.value or span.value in secret for span in find(text))


def _example(rest: str) -> str:
    """Return a secret of a row that has a plain repetition or two."""
    filled = "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT" * 4
    special = {
        "[0-9a-f]": "0a1b2c3d4e5f" * 8,
        "[0-9a-fA-F]": "0a1b2c3d4e5f" * 8,
        "[0-9a-f-]": "0a1b2c3d4e5f" * 8,
        "[A-Z0-9]": "0A1B2C3D4E5F" * 8,
    }
    made, place = "", 0
    while place < len(rest):
        end = place + (2 if rest[place] == "\\" else 1)
        if rest[place] == "[":
            end = rest.index("]", place) + 1
        unit = rest[place:end]
        count = 1
        if rest[end : end + 1] == "{":
            close = rest.index("}", end)
            count = int(rest[end + 1 : close].split(",")[0])
            end = close + 1
        elif rest[end : end + 1] in "+?(" or rest[place] == "(":
            return made
        literal = unit[-1] if unit not in ("\\w",) and unit[0] != "[" else ""
        if unit == "[0-9]":
            made += "1234567890"[:count]
        else:
            made += literal or special.get(unit, filled)[:count]
        place = end
    return made


def test_keys_of_thirty_vendors() -> None:
    vendors = {vendor.name for vendor in VENDORS}
    assert len(vendors) >= 50
    missed = []
    for vendor in VENDORS:
        for prefix in vendor.prefixes:
            secret = prefix + _example(vendor.rest)
            if vendor.name == "azure":
                secret = "sv=2024-01-01&ss=b&sig=aZq0w9aZq0w9aZq0w9aZq0w9"
            if [span.value for span in find(f"key: {secret} end")] != [secret]:
                missed.append(secret)
    assert missed == []


def test_allowed_vendors() -> None:
    text = f"{TOKENS['slack-token'][0]} {TOKENS['gitlab-token'][0]}"
    found = find(text, Looked(frozenset({"SECRET"}), allowed=frozenset({"slack"})))
    assert [span.detail for span in found] == ["gitlab"]


def test_the_more_certain_of_two_wins() -> None:
    assert [(span.kind, span.value) for span in find("postgres://u:pw@db.example.com/x")] == [
        ("SECRET", "pw")
    ]
    assert [span.kind for span in find("378282246310005")] == ["CREDIT_CARD"]
    assert [span.kind for span in find("::ffff:192.0.2.128")] == ["IP_ADDRESS"]


def test_numbers_of_other_regions() -> None:
    text = "Ruf 030 901820 an"
    assert find(text) == []
    looked = Looked(frozenset({"PHONE_NUMBER"}), regions=("US", "DE"))
    assert [span.value for span in find(text, looked)] == ["030 901820"]


def test_names_of_kinds() -> None:
    assert known_kind("ssn") == "US_SSN"
    assert known_kind("Email_Address") == "EMAIL_ADDRESS"
    assert known_kind("NAME") == "NAME"
    assert known_kind("nonsense") is None
    assert window_limit(frozenset({"NAME"})) is None
    limit = window_limit(frozenset({"EMAIL_ADDRESS"}))
    assert limit is not None and limit >= KINDS["EMAIL_ADDRESS"].longest * LONGEST_UNIT
    assert window_limit(frozenset(KINDS)) == 8192 + 64


def test_the_table_of_cards_is_in_order() -> None:
    assert all(one[1] < two[0] for one, two in zip(CARDS, CARDS[1:], strict=False))
    assert not is_card("4111111111111") and not is_card("41")


def test_no_value_in_reprs() -> None:
    assert "alice" not in repr(find("alice@example.com"))
