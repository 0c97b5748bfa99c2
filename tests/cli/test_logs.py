"""What the server's own log lines may say."""

from __future__ import annotations

import logging

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
