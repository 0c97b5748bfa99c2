"""Settings as a mount hands them in: resolved, and held against the provider rows at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llmgateway import Gateway
from llmgateway.engine.check import SettingsFault
from llmgateway.settings import Settings
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record


def test_env_in_a_mapping_stands_for_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", "a-client-key-of-ours")

    gateway = Gateway({"client_keys": {"me": "env:OUR_KEY"}})

    wanted = Settings.model_validate({"client_keys": {"me": "a-client-key-of-ours"}})
    assert wanted.client_keys == gateway.settings.client_keys


def test_env_is_never_taken_for_a_key() -> None:
    with pytest.raises(ValueError, match="config files and mappings only"):
        Settings.model_validate({"client_keys": {"me": "env:OUR_CLIENT_KEY"}})


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(ValueError, match="OUR_MISSING_KEY is not set"):
        Gateway({"client_keys": {"me": "env:OUR_MISSING_KEY"}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(
            {"default_provider": "opanai"}, "default_provider: .*Did you mean openai", id="default"
        ),
        pytest.param({"providers": {"opanai": {}}}, "providers.opanai: ", id="provider"),
        pytest.param(
            {"providers": {"openai": {"api_kye": "k"}}},
            "providers.openai.api_kye: openai has no such option; did you mean api_key",
            id="option",
        ),
        pytest.param(
            {"config": {"strategy": {"mode": "single"}, "targets": [{"provider": "opanai"}]}},
            r"config.targets\[0\].provider: .*openai",
            id="config-provider",
        ),
        pytest.param(
            {"config": {"provider": "openai", "retry": {"attempts": "x"}}},
            "config.retry.attempts: ",
            id="config-shape",
        ),
    ],
)
def test_what_the_rows_refuse_is_told_at_the_start(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsFault, match=words):
        Gateway(settings)


async def test_a_store_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Silent:
        async def append(self, batch: Sequence[Record]) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("llmgateway.gateway.FLUSH_S", 0.05)
    gateway = Gateway({}, records=Silent())
    await gateway.handle(HTTPRequest("GET", "/v1/models", "", Headers(), b""))
    async with asyncio.timeout(10):
        await gateway.aclose()

    assert ["The log store did not take all records before the gateway was closed."] == [
        record.getMessage() for record in caplog.records
    ]
