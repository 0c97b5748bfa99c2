"""What hooks of the app and callables of its own must not cost."""

from __future__ import annotations

import gc
import io
import warnings
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.test import create_environ, run_wsgi_app

from llmgateway import Principal
from llmgateway.types.http import HTTPRequest
from llmgateway_flask import LLMGateway
from tests.flask.conftest import BEARER, BODY, CHAT, make_app
from tests.scripted import ScriptedTransport, chat


class _Endless(io.RawIOBase):
    """As much as is asked for, and how much that was."""

    taken = 0

    def readable(self) -> bool:
        """Say so."""
        return True

    def readinto(self, into: Any) -> int:
        """Fill what is given."""
        into[:] = b" " * len(into)
        self.taken += len(into)
        return len(into)


def test_a_hook_that_looks_for_a_form_has_no_body_read_of_a_caller_who_is_not_known(
    app: Flask,
) -> None:
    def look() -> None:
        assert not request.form

    app.before_request(look)
    environ = create_environ(CHAT, method="POST", content_type="application/json")
    environ["CONTENT_LENGTH"] = "300000000"
    environ["wsgi.input"] = body = _Endless()

    _, status, _ = run_wsgi_app(app, environ)

    assert "401 Unauthorized" == status
    assert 0 == body.taken


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_hook_that_looks_for_a_form_leaves_json_alone(
    app: Flask, transport: ScriptedTransport, size: int
) -> None:
    def look() -> None:
        assert not request.form

    app.before_request(look)
    transport.steps.append(chat("Good day"))
    body = {**BODY, "user": "x" * size}

    assert 200 == app.test_client().post(CHAT, json=body, headers=BEARER).status_code


def test_an_answer_that_is_not_asked_for_is_not_left_hanging(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    """A client key counts first, so nobody awaits what an async `authenticate` has begun."""

    async def alice(request: HTTPRequest) -> Principal:
        return Principal("user:alice")

    app = make_app()
    LLMGateway(app, authenticate=alice, **parts)
    transport.steps.append(chat("Good day"))

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert 200 == app.test_client().post(CHAT, json=BODY, headers=BEARER).status_code
        assert 200 == app.test_client().get("/llm/healthz").status_code
        gc.collect()
    assert [] == [str(each.message) for each in told]
