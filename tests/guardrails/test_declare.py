"""A function's signature becomes the schema, and configs are held to it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest

from llmgateway.guardrails import (
    Check,
    CheckFailed,
    Checks,
    ParameterFault,
    Services,
    Subject,
    Verdict,
    builtin,
    check,
    declared,
)
from llmgateway.guardrails.parameters import described, spelling
from tests.guardrails.stubs import StubServices, run, subject


@check("tests.names", stages=("output",), window_limit=lambda given: len(given["suffix"]))
def names(
    subject: Subject,
    names: list[str],
    kind: Literal["a", "b"] = "a",
    suffix: Annotated[str, "What follows."] = "",
    limits: Mapping[str, int] | None = None,
    share: float = 0.5,
    not_: bool = False,
) -> Verdict:
    """Pass when a name is there.

    Args:
        names: Who is looked for,
            in this order.
        kind: One of two.
    """
    return Verdict(any(name + suffix in subject.text for name in names) != not_)


@check("tests.asks")
async def asks(subject: Subject, url: str = "", *, services: Services) -> Verdict:
    """Ask the world."""
    return Verdict(services.cached(url) is None)


def test_schema_comes_from_the_signature() -> None:
    schema = names.schema()
    assert schema["title"] == "tests.names"
    assert schema["description"] == "Pass when a name is there."
    assert schema["required"] == ["names"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert list(properties) == ["names", "kind", "suffix", "limits", "share", "not"]
    assert properties["names"]["description"] == "Who is looked for, in this order."
    assert properties["kind"]["enum"] == ["a", "b"]
    assert properties["suffix"]["description"] == "What follows."
    assert properties["not"] == {
        "title": "not",
        "type": "boolean",
        "default": False,
    }


@pytest.mark.parametrize("id", sorted(builtin()))
def test_our_schemas_are_schemas_with_words(id: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = builtin()[id].schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["description"]
    assert all("title" in found for found in schema["properties"].values())


def test_defaults_and_spellings() -> None:
    one = builtin()["default.webhook"]
    for spelled in ("webhookURL", "webhook_url", "webhookUrl"):
        given = one.bind({spelled: "https://a.example/"}).arguments
        assert given["webhook_url"] == "https://a.example/"
        assert given["timeout"] == 3000
    assert names.bind({"names": ["a"], "not": True}).arguments["not_"] is True
    assert names.bind({"names": ["a"], "not_": True}).arguments["not_"] is True
    assert spelling("max_token_age") == "maxTokenAge"
    assert spelling("only_dns") == "onlyDNS"


FAULTS: list[tuple[Any, tuple[Any, ...], str]] = [
    ([], (), "are an object"),
    ({}, ("names",), "names is missing"),
    ({"names": "a"}, ("names",), "list|array"),
    ({"names": ["a", 1]}, ("names", 1), "string"),
    ({"names": [], "kind": "c"}, ("kind",), "'a' or 'b'"),
    ({"names": [], "share": "0.5"}, ("share",), "number"),
    ({"names": [], "not": 1}, ("not",), "boolean"),
    ({"names": [], "limits": {"x": 1.5}}, ("limits", "x"), "integer"),
    ({"names": [], "limits": {"x": True}}, ("limits", "x"), "integer"),
    ({"names": [], "sufix": "x"}, ("sufix",), "did you mean 'suffix'"),
    ({"names": [], "not": True, "not_": True}, ("not_",), "twice"),
    ({"names": ["\ud800"]}, ("names",), "JSON"),
    ({"names": object()}, ("names",), "JSON"),
]


@pytest.mark.parametrize(("raw", "path", "words"), FAULTS)
def test_faults_say_where_and_never_what(raw: Any, path: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ParameterFault, match=words) as found:
        names.bind(raw)
    assert found.value.path == path


def test_a_fault_does_not_repeat_the_value() -> None:
    with pytest.raises(ParameterFault) as found:
        names.bind({"names": {"key": "sk-secret"}, "kind": "sk-secret"})
    assert "sk-secret" not in str(found.value)


def test_an_integer_is_a_number_and_null_is_none() -> None:
    given = names.bind({"names": [], "share": 1, "limits": None}).arguments
    assert given["share"] == 1
    assert given["limits"] is None


async def test_bound_checks_run() -> None:
    one = names.bind({"names": ["Ann"], "suffix": "!"})
    assert one.window_limit == 1
    assert one.blocking
    assert not one.may_change
    assert (await run(one, subject("Hi Ann!"))).passed
    other = asks.bind({"url": "x"})
    assert not other.blocking
    assert inspect.isawaitable(running := other.run(subject("a"), StubServices()))
    assert (await running).passed
    assert names(subject("Ann"), ["Ann"]) == Verdict(True)


def test_declarations_that_no_config_can_fill() -> None:
    def starred(subject: Subject, *words: str) -> Verdict:
        return Verdict(True)

    def taken(subject: Subject, timeout_ms: int) -> Verdict:
        return Verdict(True)

    def empty() -> Verdict:
        return Verdict(True)

    def alike(subject: Subject, a_b: int, ab: int) -> Verdict:
        return Verdict(True)

    for function in (starred, taken, empty, alike):
        with pytest.raises(TypeError):
            check("tests.faulty")(function)
    with pytest.raises(ValueError, match=r"group\.name"):
        check("nameless")
    assert all(one.id != "tests.faulty" for one in declared())


def test_an_id_is_one_functions() -> None:
    def other(subject: Subject) -> Verdict:
        return Verdict(True)

    with pytest.raises(ValueError, match="already declares"):
        check("default.contains")(other)
    again = check("tests.again")(other)
    assert check("tests.again")(other) is not again
    assert [one.id for one in declared()].count("tests.again") == 1


def test_annotations_of_types_alone_do_no_harm() -> None:
    def later(subject: NotThere, words: list[str]) -> AlsoNot:  # type: ignore[name-defined] # noqa: F821
        return Verdict(True)

    assert check("tests.later")(later).bind({"words": []}).arguments == {"words": []}


def test_registry() -> None:
    checks = builtin()
    assert len([id for id in checks if id.startswith("default.")]) >= 22
    assert checks["contains"] is checks["default.contains"] is checks["default.CONTAINS"]
    assert checks["isAllUpperCase"] is checks["default.alluppercase"]
    assert checks.get("default.nothing") is None
    assert "'default.contains'" in checks.suggest("contain")
    more = checks.with_checks([names])
    assert more["tests.names"] is names
    assert "tests.names" not in checks
    twin = Check("tests.names", names.function, names.parameters)
    with pytest.raises(ValueError, match="tests.names"):
        more.with_checks([twin])
    assert more.with_checks([names]) == more


def test_discover(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "ours"

        def __init__(self, found: object) -> None:
            self.load = lambda: found

    found: list[Entry] = [Entry(names), Entry([asks])]
    monkeypatch.setattr("llmgateway.guardrails.registry.entry_points", lambda group: found)
    assert set(Checks().discover()) == {"tests.names", "tests.asks"}
    found.append(Entry([]))
    with pytest.raises(TypeError, match="'ours'"):
        Checks().discover()


def test_described() -> None:
    text, items = described("Does it.\n\nMore.\n\nArgs:\n    one: First.\n    two: Second\n\nEnd.")
    assert text == "Does it.\n\nMore.\n\nEnd."
    assert items == {"one": "First.", "two": "Second"}


def test_check_failed_is_no_value_error() -> None:
    assert not issubclass(CheckFailed, ValueError)
