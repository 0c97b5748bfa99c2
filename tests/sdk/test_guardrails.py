"""Guardrails through unmodified SDKs, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from portkey_ai import Portkey
from portkey_ai._vendor import openai as vendored

from tests.sdk.stage import CLIENT_KEY, Stage


@pytest.fixture(autouse=True)
def no_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's own environment holds must not count."""
    for name in ("PORTKEY_API_KEY", "PORTKEY_BASE_URL", "PORTKEY_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def portkey(stage: Stage) -> Iterator[Any]:
    """The SDK as the README makes it; only its base URL is ours."""
    client = Portkey(provider="openai", base_url=stage.url, api_key=CLIENT_KEY)
    yield client
    client.close()
    client.openai_client.close()


@pytest.fixture
def script(stage: Stage) -> Iterator[dict[str, str]]:
    """What the model `gpt-4o-mini` says."""
    yield stage.fake.aliases
    stage.fake.aliases.clear()


def readme(client: Any) -> Any:
    """Do as step 3 of Portkey's README does, word for word."""
    config = {
        "retry": {"attempts": 5},
        "output_guardrails": [
            {"default.contains": {"operator": "none", "words": ["Apple"]}, "deny": True}
        ],
    }
    client = client.with_options(config=config)
    return client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "Reply randomly with Apple or Bat"}],
    )


def test_step_3_of_portkeys_readme_answers_with_bat(
    portkey: Any, stage: Stage, script: dict[str, str]
) -> None:
    script["gpt-4o-mini"] = "fake-says-Apple-x5-then-Bat"
    answer = readme(portkey)

    assert "Bat" == answer.choices[0].message.content
    assert 6 == len(stage.fake.requests)
    assert "5" == answer.get_headers()["retry-attempt-count"]
    assert [] == stage.waits


def test_what_is_always_denied_is_a_446_after_six_calls(
    portkey: Any, stage: Stage, script: dict[str, str]
) -> None:
    script["gpt-4o-mini"] = "fake-says-Apple"
    with pytest.raises(vendored.APIStatusError) as raised:
        readme(portkey)

    assert 446 == raised.value.status_code
    assert 6 == len(stage.fake.requests)
    assert [] == stage.waits
    body: Any = raised.value.response.json()
    (hook,) = body["hook_results"]["after_request_hooks"]
    assert ("hooks_failed", True) == (body["error"]["type"], hook["deny"])


def test_the_openai_sdk_reads_results_and_denials(
    client: openai.OpenAI, stage: Stage, script: dict[str, str]
) -> None:
    script["gpt-4o-mini"] = "fake-says-Apple"
    hook = '[{"contains": {"operator": "none", "words": ["Apple"]}, "deny": %s}]'
    ask: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it"}]}
    told = client.chat.completions.with_raw_response.create(
        **ask, extra_headers={"x-portkey-default-output-guardrails": hook % "false"}
    )
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(
            **ask, extra_headers={"x-portkey-default-output-guardrails": hook % "true"}
        )

    assert 246 == told.status_code
    assert "Apple" == told.parse().choices[0].message.content
    assert 446 == raised.value.status_code
