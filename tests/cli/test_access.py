"""Who is let in, by where the server listens and what its file says."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.cli.access import RefusedToStart, admit, is_loopback
from llmgateway.settings import Settings

KEYS = {"client_keys": {"me": "a-key-that-is-long-enough"}}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("myhost.localhost", False),
        ("::ffff:127.0.0.1", False),
        ("127.1", False),
        ("2130706433", False),
        ("0", False),
    ],
)
def test_which_hosts_are_this_machine_only(host: str, expected: bool) -> None:
    assert expected == is_loopback(host)


@pytest.mark.parametrize(
    ("host", "settings", "expected"),
    [
        ("127.0.0.1", {}, "local"),
        ("localhost", {}, "local"),
        ("::1", {"access": "local"}, "local"),
        ("127.0.0.1", KEYS, "keys"),
        ("0.0.0.0", KEYS, "keys"),
        ("0.0.0.0", {**KEYS, "access": "keys"}, "keys"),
        ("127.0.0.1", {"access": "open"}, "open"),
        ("0.0.0.0", {"access": "open"}, "open"),
        ("0.0.0.0", {**KEYS, "access": "open"}, "open"),
    ],
)
def test_who_is_let_in(host: str, settings: dict[str, Any], expected: str) -> None:
    assert expected == admit(Settings.model_validate(settings), host).access


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("0.0.0.0", {}),
        ("::", {}),
        ("", {}),
        ("10.0.0.1", {}),
        ("example.com", {}),
        ("0.0.0.0", {"access": "local"}),
        ("0.0.0.0", {"access": "keys"}),
        ("127.0.0.1", {"access": "keys"}),
        ("127.0.0.2", {}),
    ],
)
def test_who_would_be_let_in_by_mistake_keeps_the_server_from_starting(
    host: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(RefusedToStart, match="llmgateway key"):
        admit(Settings.model_validate(settings), host)


@pytest.mark.parametrize(
    ("host", "settings", "expected"),
    [
        ("127.0.0.1", {}, True),
        ("127.0.0.1", KEYS, True),
        ("127.0.0.1", {"allow_loopback_upstreams": False}, False),
        ("0.0.0.0", KEYS, False),
        ("0.0.0.0", {**KEYS, "allow_loopback_upstreams": True}, True),
    ],
)
def test_when_providers_on_this_machine_may_be_called(
    host: str, settings: dict[str, Any], expected: bool
) -> None:
    assert expected == admit(Settings.model_validate(settings), host).allow_loopback_upstreams
