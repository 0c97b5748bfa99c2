"""Demo mode: the fake provider in the same process, and commands that show what a gateway does.

Whoever changes a command runs `tests/cli/test_demo.py`, which types each of them.
"""

from __future__ import annotations

import json
import shlex
from contextlib import AbstractAsyncContextManager

from llmgateway.cli.welcome import Example
from llmgateway.gateway import Gateway
from llmgateway.settings import ProviderSettings, Settings
from llmgateway.testing import FakeProvider
from llmgateway.testing.fake_row import FAKE
from llmgateway.testing.server import EmbeddedServer, serve_in_loop

__all__ = ["demo_gateway", "examples", "with_fake_provider"]


def demo_gateway(settings: Settings) -> tuple[Gateway, AbstractAsyncContextManager[None]]:
    """Return a gateway in front of the fake provider, and what runs that one beside it."""
    upstream = EmbeddedServer(FakeProvider())
    settings = with_fake_provider(settings, upstream.bind().url)
    return Gateway(settings, providers=(FAKE,)), serve_in_loop(upstream)


def with_fake_provider(settings: Settings, origin: str) -> Settings:
    """Return the settings with the fake provider at `origin` as what answers by default."""
    fake = ProviderSettings(base_url=f"{origin}/v1")
    return settings.model_copy(
        update={
            "providers": {**settings.providers, FAKE.name: fake},
            "default_provider": FAKE.name,
            "config": None,
            "allowed_upstreams": (*settings.allowed_upstreams, origin),
        }
    )


def examples(base_url: str, *, with_key: bool = False) -> tuple[Example, ...]:
    """Return what to try against a gateway in demo mode.

    `with_key`: it asks for a client key, which the commands take from $LLMGATEWAY_KEY.
    """
    url = f"{base_url}/v1/chat/completions"
    key = ['-H "authorization: Bearer $LLMGATEWAY_KEY"'] if with_key else []

    def curl(flags: str, headers: dict[str, str], **body: object) -> str:
        fields = {"content-type": "application/json", **headers}
        lines = [
            f"curl {flags} {url}",
            *key,
            *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in fields.items()),
            f"-d {shlex.quote(_json(body))}",
        ]
        return " \\\n  ".join(lines)

    hello = [{"role": "user", "content": "Hello"}]
    return (
        Example("an answer", curl("-s", {}, model="fake", messages=hello)),
        Example("a stream", curl("-sN", {}, model="fake", messages=hello, stream=True)),
        Example(
            "a retry: the provider fails twice, see x-llmgateway-retry-attempt-count (takes 3 s)",
            curl("-si", {"x-llmgateway-retry-count": "2"}, model="fake-503-twice", messages=hello),
        ),
        Example(
            "a fallback: the first target always fails, see x-llmgateway-last-used-option-index",
            curl("-si", {"x-llmgateway-config": _json(_fallback())}, model="x", messages=hello),
        ),
        Example(
            "a condition: who pays gets the better model, see the model in the answer",
            curl(
                "-s",
                {
                    "x-llmgateway-config": _json(_conditional()),
                    "x-llmgateway-metadata": _json({"plan": "paid"}),
                },
                model="x",
                messages=hello,
            ),
        ),
        Example("the openai SDK (pip install openai)", _sdk(base_url, with_key), "python"),
    )


def _fallback() -> dict[str, object]:
    return {
        "strategy": {"mode": "fallback"},
        "targets": [_target("fake-503"), _target("fake")],
    }


def _conditional() -> dict[str, object]:
    return {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": {"metadata.plan": "paid"}, "then": "large"}],
            "default": "small",
        },
        "targets": [
            {"name": "small", **_target("fake")},
            {"name": "large", **_target("fake-tokens-20")},
        ],
    }


def _target(model: str) -> dict[str, object]:
    return {"provider": FAKE.name, "override_params": {"model": model}}


def _sdk(base_url: str, with_key: bool) -> str:
    key = 'os.environ["LLMGATEWAY_KEY"]' if with_key else '"any"'
    head = "import os\n\n" if with_key else ""
    return f"""\
{head}from openai import OpenAI

client = OpenAI(base_url="{base_url}/v1", api_key={key})
answer = client.chat.completions.create(
    model="fake", messages=[{{"role": "user", "content": "Hello"}}]
)
print(answer.choices[0].message.content)"""


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
