"""gunicorn's settings: bounds as wide as the gateway's own, which answers in words of its own."""

from __future__ import annotations

from tests.http.unnamed import name_no_server

threads = 80
keepalive = 1
graceful_timeout = 1
limit_request_field_size = 100_000
limit_request_fields = 1000

name_no_server()
