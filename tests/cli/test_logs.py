"""What the server's own log lines may say."""

from __future__ import annotations

import io
import logging

import pytest

from llmgateway.cli import server
from llmgateway.cli.server import without_query


def test_an_access_line_has_no_query() -> None:
    line = logging.LogRecord(
        "uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d',
        ("127.0.0.1:1", "POST", "/v1beta/models/m:generateContent?key=AIzaSECRET", "1.1", 200),
        None,
    )  # fmt: skip

    assert without_query(line)
    assert "SECRET" not in line.getMessage()
    assert "/v1beta/models/m:generateContent " in line.getMessage()


def test_no_line_of_any_library_has_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(server, "expect_cuts", lambda: None)
    for name in (*server._TALKATIVE, "uvicorn.error", "uvicorn.access"):
        # `_log_at` changes them for good; here they are the test's own.
        monkeypatch.setitem(logging.Logger.manager.loggerDict, name, logging.Logger(name))

    server._log_at("debug")
    logging.getLogger("a.library").warning("Authorization: Bearer %s", "sk-" + "a1b2" * 6)

    assert "Authorization: Bearer [redacted:openai-key]\n" == stream.getvalue()
