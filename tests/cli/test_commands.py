"""The commands that end by themselves."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from llmgateway.cli import main
from llmgateway.cli.serve import MissingExtra, ServePlan
from llmgateway.cli.serve import run as run_plan
from llmgateway.cli.welcome import base_url, welcome
from llmgateway.providers import builtin
from llmgateway.settings import Settings, client_key_digest
from tests.cli.server_process import run

TREE = """\
{name} is a valid routing config.
config: fallback on 429, 500
├─ config.targets[0] "one": openai, key of the config, retry 3, no request timeout, overrides model
├─ config.targets[1]: loadbalance
│  ├─ config.targets[1].targets[0] (75 %): groq, key of the config, retry 3, timeout 500 ms
│  └─ config.targets[1].targets[1] (25 %): azure-openai, key of the caller, retry 1 on 503, \
no request timeout, NOT USED BY azure-openai: colour
├─ config.targets[2]: conditional
│  ├─ config.targets[2].targets[0] "a" (condition 1): openai, key of the caller, \
host https://llm.example.com:443, retry 3, no request timeout
│  └─ config.targets[2].targets[1] "b" (default): openai, key of the caller, retry 3, \
no request timeout
└─ config.targets[3]: single (the first target)
   └─ config.targets[3].targets[0]: openai, key of the caller, retry 3, no request timeout
"""

CONFIG = {
    "strategy": {"mode": "fallback", "on_status_codes": [500, 429]},
    "retry": {"attempts": 3},
    "targets": [
        {
            "name": "one",
            "provider": "openai",
            "api_key": "sk-secret",
            "override_params": {"model": "gpt-4o-mini"},
        },
        {
            "strategy": {"mode": "loadbalance"},
            "targets": [
                {"provider": "groq", "weight": 3, "api_key": "k", "request_timeout": 500},
                {
                    "provider": "azure-openai",
                    "resource_name": "r",
                    "deployment_id": "d",
                    "api_version": "2024-10-21",
                    "colour": "blue",
                    "retry": {"attempts": 1, "on_status_codes": [503]},
                },
            ],
        },
        {
            "strategy": {
                "mode": "conditional",
                "conditions": [{"query": {"metadata.plan": "paid"}, "then": "a"}],
                "default": "b",
            },
            "targets": [
                {
                    "name": "a",
                    "provider": "openai",
                    "custom_host": "https://llm.example.com/v1",
                },
                {"name": "b", "provider": "openai"},
            ],
        },
        {"strategy": {"mode": "single"}, "targets": [{"provider": "openai"}]},
    ],
}


def test_check_draws_the_tree_of_a_routing_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG), encoding="utf-8")

    assert 0 == main(["check", str(file)])
    assert TREE.format(name="config.json") == capsys.readouterr().out


def test_check_draws_what_a_server_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    file = tmp_path / "llm.toml"
    file.write_text(
        """
[providers.openai]
api_key = "env:OPENAI_API_KEY"
[providers.groq]
base_url = "http://10.0.0.5/v1"
[config]
strategy = { mode = "fallback" }
targets = [
  { provider = "openai" },
  { provider = "openai", custom_host = "https://llm.example.com" },
]
""",
        encoding="utf-8",
    )

    assert 0 == main(["check", str(file)])
    out = capsys.readouterr().out
    assert "sk-secret" not in out
    assert "access: local\n" in out
    assert "provider openai: key stored\n" in out
    assert "provider groq: no key stored, host http://10.0.0.5:80 (WARNING: http" in out
    assert "config.targets[0]: openai, key stored, no retry" in out
    assert "config.targets[1]: openai, key of the caller (the stored one goes to its own" in out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('default_provider = "openai"', "config: openai, key of the caller, no retry"),
        ('default_provider = "ollama"', "config: Provider ollama needs `custom_host`."),
        ("", "requests without a config name their provider themselves"),
        ('[server]\nhost = "0.0.0.0"', "access: `serve` would refuse to start. Without client"),
    ],
)
def test_check_says_where_requests_without_a_config_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    file = tmp_path / "llm.toml"
    file.write_text(text, encoding="utf-8")

    assert 0 == main(["check", str(file)])
    assert expected in capsys.readouterr().out


def test_check_takes_a_policy_without_a_provider(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"retry": {"attempts": 2}}', encoding="utf-8")

    assert 0 == main(["check", str(file)])
    assert "each request names its own provider" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("c.json", '{"a":\n x}', "c.json:2: not valid JSON: Expecting value\n"),
        ("c.json", '{"a":' + "[" * 100_000, "c.json: not valid JSON: nested too deep\n"),
        (
            "c.json",
            '{"provider": "opnai", "api_key": "sk-secret"}',
            "c.json: provider: Invalid provider passed: 'opnai'. Did you mean openai?\n",
        ),
        ("c.toml", "a =", "c.toml:1: not valid TOML: Invalid value\n"),
        ("c.toml", "[limits]\na = 1", "c.toml:2: limits.a: unknown key\n"),
    ],
)
def test_check_tells_faults(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    expected: str,
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")

    assert 1 == main(["check", str(file)])
    assert ("", expected) == capsys.readouterr()


def test_key_prints_a_key_and_the_line_that_knows_it(tmp_path: Path) -> None:
    made = run("key", "--name", "my app")
    key = next(line.strip() for line in made.stdout.splitlines() if "lgw_" in line)

    assert 0 == made.returncode
    assert f'"my app" = "{client_key_digest(key)}"' in made.stdout


def test_the_version_is_told() -> None:
    assert f"llmgateway {version('llmgateway')}\n" == run("--version").stdout


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["serve", "--port", "x"], ["serve", "--log-level", "trace"]]
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert 2 == end.value.code


def test_without_uvicorn_serve_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "llmgateway.cli.server", raising=False)
    monkeypatch.delitem(sys.modules, "llmgateway.testing.server", raising=False)

    with pytest.raises(MissingExtra, match=r"llmgateway\[standalone\]"):
        run_plan(ServePlan(Settings(), "127.0.0.1", 0, 30, demo=False, log_level="info"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("localhost", "http://localhost:1"),
        ("::1", "http://[::1]:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://127.0.0.1:1"),
    ],
)
def test_the_address_can_be_used_as_it_is_printed(host: str, expected: str) -> None:
    assert expected == base_url(host, 1)


@pytest.mark.parametrize(
    ("settings", "present", "absent"),
    [
        ({"access": "local"}, "x-llmgateway-provider: openai", "LLMGATEWAY_KEY"),
        ({"access": "local", "default_provider": "groq"}, "$PROVIDER_KEY", "x-llmgateway-provider"),
        (
            {
                "access": "local",
                "default_provider": "groq",
                "providers": {"groq": {"api_key": "sk-secret"}},
            },
            "stored provider keys: groq",
            "authorization",
        ),
        ({"access": "keys"}, "$LLMGATEWAY_KEY", "PROVIDER_KEY"),
        ({"access": "open"}, "OPEN: anybody may call", "LLMGATEWAY_KEY"),
    ],
)
def test_the_greeting_shows_how_to_call(
    settings: dict[str, object], present: str, absent: str
) -> None:
    text = "\n".join(welcome(Settings.model_validate(settings), builtin(), "127.0.0.1", 8787))

    assert present in text
    assert absent not in text
    assert "sk-secret" not in text
