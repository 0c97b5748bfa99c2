"""Apps with a gateway whose provider answers from a script."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from llmgateway.runtime import BackgroundLoop
from llmgateway.stores import MemoryRecords
from llmgateway_flask import LLMGateway
from tests.scripted import ScriptedTransport
from tests.shared_fixtures import loop, records, transport

__all__ = ["loop", "records", "transport"]

KEY = "lgw_key-of-a-client-of-this-app"
SETTINGS = {
    "client_keys": {"me": KEY},
    "default_provider": "openai",
    "providers": {"openai": {"api_key": "sk-of-the-operator"}},
}
CHAT = "/llm/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
BEARER = {"authorization": f"Bearer {KEY}"}


def make_app(settings: dict[str, Any] | None = None, **config: Any) -> Flask:
    """Return an app with settings, not yet with a gateway."""
    app = Flask("shop")
    app.config.update(LLMGATEWAY=SETTINGS if settings is None else settings, **config)
    return app


@pytest.fixture
def parts(
    loop: BackgroundLoop, transport: ScriptedTransport, records: MemoryRecords
) -> dict[str, Any]:
    """What the extensions of a test are made with."""
    return {"runtime": loop, "transport": lambda: transport, "records": records}


@pytest.fixture
def llm(parts: dict[str, Any]) -> LLMGateway:
    """The extension, without an app."""
    return LLMGateway(**parts)


@pytest.fixture
def app(llm: LLMGateway) -> Flask:
    """An app with the gateway at /llm."""
    app = make_app()
    llm.init_app(app)
    return app
