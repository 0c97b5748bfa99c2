"""Secrets planted wherever a request has room for words: no sink has one (S20)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from llmgateway.engine.pipeline import Engine
from llmgateway_django.models import RequestBody, RequestLog
from tests.django.conftest import BEARER, BODY, CHAT
from tests.http.upstreams import (
    COMPLETION,
    DONE,
    FINISH,
    LAST,
    STREAM_HEAD,
    FakeUpstream,
    RawUpstream,
    answer,
    chunk,
    delta,
)
from tests.secrets import IN_CONTEXT, TOKENS

pytestmark = pytest.mark.django_db

STORED = "the-operators-key-without-a-shape"


def canaries() -> Iterator[tuple[str, str]]:
    """Yield texts with a secret each, and the secret."""
    for tokens in TOKENS.values():
        yield from ((token, token) for token in tokens)
    for number, (name, around, secret) in enumerate(IN_CONTEXT):
        if name != "aws-secret-key":
            secret = f"Canary{number:02}Zk3vQ9xT7bLm2"
        yield around.format(secret), secret


CANARIES = list(canaries())


@pytest.fixture
def raw(upstream: FakeUpstream) -> Iterator[RawUpstream]:
    """A provider that repeats what it is told to."""
    raw = upstream.raw()
    yield raw
    raw.close()


@pytest.fixture
def project(
    settings: Any, llmgateway: dict[str, Any], raw: RawUpstream, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """A project that logs all it can: bodies, and each statement of the database."""
    providers = {"openai": {"BASE_URL": raw.base, "API_KEY": STORED}}
    settings.LLMGATEWAY = {**llmgateway, "LOG_BODIES": True, "PROVIDERS": providers}
    connection.force_debug_cursor = True
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "django"):
        yield
    connection.force_debug_cursor = False
    connection.queries_log.clear()


def ask(client: Client, text: str, *, stream: bool = False) -> bytes:
    """Send a text in every place that a request has for one; returns the answer."""
    body = {
        **BODY,
        "messages": [{"role": "user", "content": text}],
        "user": text,
        "tools": [{"type": "function", "function": {"name": "f", "description": text}}],
        "metadata": {"note": text, "more": json.dumps({"a": text})},
        "stream": stream,
    }
    line = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    headers = {
        **BEARER,
        "x-api-key": line,
        "x-note": line,
        "user-agent": line,
        "x-llmgateway-metadata": json.dumps({"_user": text, "deep": [{"note": text}]}),
    }
    query = f"?key={quote(text)}&note={quote(text)}"
    found = client.post(CHAT + query, body, "application/json", headers=headers)
    data: bytes = found.getvalue()
    return data


def told(text: str) -> dict[str, Any]:
    """Return a provider's error that repeats a text, and the key that it refuses."""
    message = f"Incorrect API key provided: {STORED} {text}"
    return {"error": {"message": message, "type": text[:60], "code": text[:60], "param": text}}


def completion(text: str) -> dict[str, Any]:
    """Return a provider's answer that repeats a text."""
    message = {"role": "assistant", "content": f"You said: {text}", "api_key": text}
    return {**COMPLETION, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def tables() -> str:
    """Return all that stands in the tables of the gateway and of the admin's log."""
    models = [*apps.get_app_config("llmgateway").get_models(), apps.get_model("admin", "LogEntry")]
    return "\n".join(str(row) for model in models for row in model.objects.values())


def test_there_are_fifty_of_all_kinds() -> None:
    assert 50 <= len(CANARIES)
    assert len(CANARIES) - 2 <= len({secret for _, secret in CANARIES})


@pytest.mark.usefixtures("project")
def test_no_secret_of_a_request_or_an_answer_is_in_any_sink(
    client: Client,
    raw: RawUpstream,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = []
    for text, _ in CANARIES:
        raw.answers([answer(told(text), 401)], [answer(told(text), 400)])
        raw.answers([answer(completion(text))])
        raw.answers([STREAM_HEAD, *map(chunk, (delta(text), FINISH, DONE)), LAST])
        answers += [ask(client, text) for _ in range(3)]
        answers.append(ask(client, text, stream=True))

    async def run(self: Engine, *args: Any) -> Any:
        raise RuntimeError(f"a bug that words {text}")

    monkeypatch.setattr(Engine, "run", run)
    for text, _ in CANARIES:
        answers.append(ask(client, text))

    assert 5 * len(CANARIES) == RequestLog.objects.count() == RequestBody.objects.count()
    sinks = {"log": caplog.text, "tables": tables(), "standard output": "".join(capfd.readouterr())}
    for place, sink in sinks.items():
        assert [] == [secret for _, secret in CANARIES if secret in sink], place
        assert STORED not in sink, place
    assert "a bug that words" in caplog.text
    assert "INSERT INTO" in caplog.text
    assert not any(STORED.encode() in found for found in answers)
    assert not any(b"a bug" in found for found in answers)
