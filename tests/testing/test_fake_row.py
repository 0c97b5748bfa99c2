"""The fake provider's row serves what the gateway has a route for."""

from __future__ import annotations

from llmgateway.http.routes import ROUTES, Access
from llmgateway.providers import builtin
from llmgateway.testing.fake_row import FAKE


def test_the_row_has_every_endpoint() -> None:
    of_others = {"messages", "count_tokens"}  # reached through chat, like Gemini's
    wanted = {route.endpoint for route in ROUTES if route.access is not Access.ANYONE} - of_others

    assert wanted == FAKE.endpoints.keys()


def test_the_row_takes_no_ones_name() -> None:
    assert FAKE.name not in builtin()
    assert FAKE.name in builtin().with_rows([FAKE])
