"""Guardrails of the settings: what is wrong with them is told at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmgateway import Gateway
from llmgateway.cli.check import check
from llmgateway.cli.server_file import FileFaults
from llmgateway.engine.check import SettingsFault
from llmgateway.engine.reading import read_settings
from llmgateway.providers import builtin

NO_SECRET = {"default.contains": {"words": ["secret"], "operator": "none"}}


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        (
            {"input_guardrails": [{"default.contians": {"words": ["a"]}}]},
            "input_guardrails[0].default.contians",
            "There is no check 'default.contians'; did you mean 'default.contains'?",
        ),
        (
            {"output_guardrails": [NO_SECRET, {"contains": {"words": "a", "operator": "none"}}]},
            "output_guardrails[1].contains.words",
            "",
        ),
        ({"input_guardrails": [{"deny": True}]}, "input_guardrails[0]", ""),
        ({"input_guardrails": ["other"]}, "input_guardrails[0]", "pg-"),
        ({"input_guardrails": [{"deny": "yes", **NO_SECRET}]}, "input_guardrails[0].deny", ""),
        ({"guardrails": {"mine": NO_SECRET}}, "guardrails.mine", "Must begin with pg-"),
        (
            {"guardrails": {"pg-mine": {"checks": [{"id": "default.nothing"}]}}},
            "guardrails.pg-mine",
            "There is no check 'default.nothing'",
        ),
        (
            {"output_guardrails": [{"default.regexMatch": {"rule": "(a)\\1"}}]},
            "output_guardrails[0].default.regexMatch.rule",
            "",
        ),
    ],
)
def test_a_gateway_does_not_start_with_faulty_guardrails(
    settings: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(SettingsFault) as raised:
        Gateway({"access": "open", **settings})
    (line,) = str(raised.value).splitlines()

    assert line.startswith(path)
    assert words in line


def test_the_guardrails_of_the_default_config_are_looked_at_too() -> None:
    config = {"provider": "openai", "input_guardrails": [{"default.x": {}}]}
    with pytest.raises(SettingsFault, match="config.input_guardrails.0. *.*default.x"):
        Gateway({"access": "open", "config": config})


@pytest.mark.parametrize("kind", ["server", "config"])
def test_the_command_check_tells_them(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    if kind == "server":
        text = 'access = "open"\n[[input_guardrails]]\n"default.contians" = { words = ["a"] }\n'
    else:
        text = '{"provider": "openai", "input_guardrails": [{"default.contians": {}}]}'
    file.write_text(text)
    with pytest.raises(FileFaults) as raised:
        list(check(file, {}, builtin()))
    (line,) = raised.value.lines()

    assert "did you mean 'default.contains'?" in line
    assert kind == "config" or "file:3" in line.partition("input_guardrails")[0]


def test_all_faults_are_told_at_once() -> None:
    settings = {
        "access": "open",
        "default_provider": "opanai",
        "input_guardrails": [{"default.x": {}}, {"default.y": {}}],
        "guardrails": {"pg-a": {"default.z": {}}, "pg-b": NO_SECRET},
    }
    with pytest.raises(SettingsFault) as raised:
        Gateway(settings)
    told = str(raised.value)

    for path in ("default_provider", "input_guardrails[0]", "input_guardrails[1]", "guardrails."):
        assert path in told
    assert "pg-b" not in told


def test_what_a_host_reads_tells_them_with_the_keys_of_its_file() -> None:
    data = {"input_guardrails": [{"default.x": {}}], "guardrails": {"pg-a": {"default.z": {}}}}
    faults = read_settings(data, {}, builtin()).faults

    assert [("input_guardrails", 0), ("guardrails", "pg-a")] == [path[:2] for path, _ in faults]


def test_a_guardrail_for_one_stage_may_be_saved() -> None:
    """`jwt` is for requests only, `jsonSchema` for answers."""
    saved = {
        "pg-in": {"default.modelWhitelist": {"models": ["m"]}},
        "pg-out": {"default.notNull": {}},
    }
    Gateway({"access": "open", "guardrails": saved})


def test_settings_may_name_what_is_in_a_store() -> None:
    Gateway({"access": "open", "input_guardrails": ["pg-shared", "pg-shared@2"]})
