"""Settings out of `app.config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from llmgateway.engine.check import SettingsFault
from llmgateway.providers import builtin
from llmgateway_flask import LLMGateway, current_gateway
from llmgateway_flask.config import read_config
from tests.flask.conftest import SETTINGS, make_app

SECRET = "sk-very-secret-value"
ENVIRONMENT = {"OPENAI_API_KEY": SECRET, "EMPTY": ""}


def read(**config: Any) -> dict[str, Any]:
    """Return the settings that were set, as plain values."""
    settings = read_config(config, ENVIRONMENT, builtin()).settings
    return settings.model_dump(exclude_unset=True)


def faults(**config: Any) -> list[str]:
    """Return the lines that tell of faults; no value is in them."""
    with pytest.raises(SettingsFault) as error:
        read(**config)
    text = str(error.value)
    assert SECRET not in text
    return text.splitlines()


def test_no_word_of_it_is_the_defaults() -> None:
    assert {} == read(SECRET_KEY="x", DEBUG=True)


def test_the_dict_the_flat_keys_and_both() -> None:
    expected = {"access": "open", "default_provider": "openai"}

    assert expected == read(LLMGATEWAY=expected)
    assert expected == read(LLMGATEWAY_ACCESS="open", LLMGATEWAY_DEFAULT_PROVIDER="openai")
    assert expected == read(LLMGATEWAY={"access": "open"}, LLMGATEWAY_DEFAULT_PROVIDER="openai")


def test_names_of_ours_stand_in_any_case() -> None:
    read_in = read_config(
        {
            "LLMGATEWAY": {
                "PROVIDERS": {
                    "OPENAI": {"API_KEY": "env:OPENAI_API_KEY", "OPENAI_PROJECT": "p"},
                    "AZURE_OPENAI": {"RESOURCE_NAME": "r"},
                },
                "LIMITS": {"TOTAL_S": 600},
                "UPSTREAM_TRANSPORTS": {"https://a.example": {"CLIENT": "h1"}},
            }
        },
        ENVIRONMENT,
        builtin(),
    ).settings

    assert ["openai", "azure-openai"] == list(read_in.providers)
    openai = read_in.providers["openai"]
    assert openai.api_key is not None and SECRET == openai.api_key.get_secret_value()
    assert {"openai_project": "p"} == openai.options
    assert 600 == read_in.limits.total_s
    assert "h1" == read_in.upstream_transports["https://a.example"].client


def test_names_of_others_stay_as_they_are() -> None:
    config = {"provider": "openai", "override_params": {"Model": "m"}}
    keys = {"Alice": "a-key-that-is-long-enough"}

    settings = read_config(
        {"LLMGATEWAY": {"client_keys": keys, "config": config}}, ENVIRONMENT, builtin()
    ).settings

    assert ["Alice"] == list(settings.client_keys)
    assert config == settings.config


def test_variables_of_the_environment_are_the_whole_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "LLMGATEWAY__PROVIDERS__OPENAI__API_KEY": SECRET,
        "LLMGATEWAY__CLIENT_KEYS__MY_APP": "a-key-that-is-long-enough",
        "LLMGATEWAY__DEFAULT_PROVIDER": "openai",
        "LLMGATEWAY_ALLOWED_HOSTS": '["shop.example"]',
        "LLMGATEWAY_LIMITS__TOTAL_S": "600",
    }.items():
        monkeypatch.setenv(f"FLASK_{name}", value)
    app = Flask(__name__)
    app.config.from_prefixed_env()
    LLMGateway(app)

    with app.app_context():
        settings = current_gateway.gateway.settings
    openai = settings.providers["openai"]
    assert openai.api_key is not None and SECRET == openai.api_key.get_secret_value()
    assert ["MY_APP"] == list(settings.client_keys)
    assert ("openai", 600) == (settings.default_provider, settings.limits.total_s)
    assert ("shop.example",) == settings.allowed_hosts


def test_variables_add_to_what_a_file_says_and_count_more(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app({"access": "keys", "limits": {"total_s": 600, "idle_s": 60}, "providers": {}})
    monkeypatch.setenv("FLASK_LLMGATEWAY__LIMITS__TOTAL_S", "30")
    monkeypatch.setenv("FLASK_LLMGATEWAY__PROVIDERS__GROQ__API_KEY", "gsk")
    monkeypatch.setenv("FLASK_LLMGATEWAY__ACCESS", "open")
    app.config.from_prefixed_env()

    settings = read_config(app.config, {}, builtin()).settings

    assert ("open", 30, 60) == (
        settings.access,
        settings.limits.total_s,
        settings.limits.idle_s,
    )
    assert ["groq"] == list(settings.providers)


def test_a_python_file_is_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    file.write_text("LLMGATEWAY = {'access': 'open'}\nLLMGATEWAY_RUNTIME = 'inline'\n")
    app = Flask(__name__)
    app.config.from_pyfile(str(file))

    said = read_config(app.config, {}, builtin())

    assert ("open", "inline") == (said.settings.access, said.runtime)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"LLMGATEWAY": []}, "LLMGATEWAY: must be a dict; see docs/flask.md"),
        (
            {"LLMGATEWAY": {"acces": "open"}},
            "LLMGATEWAY.acces: unknown key; did you mean access?",
        ),
        (
            {"LLMGATEWAY_ACCES": "open"},
            "LLMGATEWAY_ACCES: unknown key; did you mean LLMGATEWAY_ACCESS?",
        ),
        (
            {"LLMGATEWAY": {"LIMITS": {"TOTAL": 1}}},
            "LLMGATEWAY.limits.total: unknown key; did you mean total_s?",
        ),
        (
            {"LLMGATEWAY_LIMITS": {"total_s": SECRET}},
            "LLMGATEWAY_LIMITS.total_s: Input should be a valid number, unable to parse string "
            "as a number",
        ),
        (
            {"LLMGATEWAY_ACCESS": SECRET},
            "LLMGATEWAY_ACCESS: Input should be 'keys', 'open' or 'local'",
        ),
        (
            {"LLMGATEWAY": {"providers": {"OPNAI": {}}}},
            "LLMGATEWAY.providers.opnai: Invalid provider passed: 'opnai'. Did you mean openai?",
        ),
        (
            {"LLMGATEWAY": {"providers": {"openai": {"api_key": "env:NOT_THERE"}}}},
            "LLMGATEWAY.providers.openai.api_key: the environment variable NOT_THERE is not set",
        ),
        (
            {"LLMGATEWAY": {"providers": {"openai": {"api_key": "env:EMPTY"}}}},
            "LLMGATEWAY.providers.openai.api_key: the environment variable EMPTY is empty",
        ),
        (
            {"LLMGATEWAY": {"access": "open"}, "LLMGATEWAY_ACCESS": "keys"},
            "LLMGATEWAY_ACCESS: LLMGATEWAY.access says the same; keep one",
        ),
        (
            {"LLMGATEWAY": {"providers": {"openai": SECRET}}},
            "LLMGATEWAY.providers.openai: Input should be a valid dictionary or instance of "
            "ProviderSettings",
        ),
        ({"LLMGATEWAY_RUNTIME": "gevent"}, "LLMGATEWAY_RUNTIME: must be one of background, inline"),
        (
            {"LLMGATEWAY": {"config": {"provider": "opnai"}}},
            "LLMGATEWAY.config.provider: Invalid provider passed: 'opnai'. Did you mean openai?",
        ),
        (
            {"LLMGATEWAY": {"client_keys": {"me": "short"}}},
            "LLMGATEWAY.client_keys.me: a client key needs 16 characters or more; make one with "
            "`llmgateway key`",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(config: dict[str, Any], expected: str) -> None:
    assert [expected] == faults(**config)


def test_all_faults_are_told_at_once() -> None:
    told = faults(LLMGATEWAY={"acces": 1, "limits": {"total_s": -1}}, LLMGATEWAY_NONSENSE=1)

    assert ["LLMGATEWAY.acces", "LLMGATEWAY.limits.total_s", "LLMGATEWAY_NONSENSE"] == sorted(
        line.partition(":")[0] for line in told
    )


def test_an_app_with_wrong_settings_does_not_start() -> None:
    app = make_app({**SETTINGS, "default_provider": "opnai"})

    with pytest.raises(SettingsFault, match=r"LLMGATEWAY\.default_provider: .* mean openai"):
        LLMGateway().init_app(app)
    assert "llmgateway" not in app.extensions
