"""Clients that leave (R6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.client import Client, Live, chat_request
from tests.http.clients import HOSTS, BareUvloop
from tests.http.loops import SOON_S
from tests.http.upstreams import (
    CONTENT,
    ROLE,
    STAY_OPEN,
    STREAM_HEAD,
    RawUpstream,
    Step,
    answer,
    chunk,
    head,
)

pytestmark = pytest.mark.parametrize("host", [*HOSTS, BareUvloop], indirect=True)


def begin(client: Client, raw: RawUpstream, **more: Any) -> Live:
    """Ask for a chat and wait for nothing."""
    headers = {"x-portkey-custom-host": raw.base}
    method, path, fields, body = chat_request("fake", None, headers, more)
    return client.begin(method, path, fields, body)


@pytest.mark.parametrize("how", ["reset", "goodbye"])
def test_a_client_that_leaves_a_stream_ends_it(client: Client, raw: RawUpstream, how: str) -> None:
    raw.answers([STREAM_HEAD, chunk(ROLE + CONTENT), STAY_OPEN])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) as live:
        assert ROLE == next(live.events())
        if how == "goodbye":
            live.half_close()
            assert raw.peer().gone.wait(SOON_S)

    assert raw.peer().gone.wait(SOON_S)
    assert 499 == client.new_record().status
    assert [200] == [attempt.status for attempt in client.new_record().attempts]
    assert client.new_record().first_byte_ms is not None


WAITING: list[Any] = [
    pytest.param([STAY_OPEN], True, id="stream-without-head"),
    pytest.param([STREAM_HEAD, STAY_OPEN], True, id="stream-without-event"),
    pytest.param([STREAM_HEAD, chunk(ROLE), STAY_OPEN], True, id="stream-without-content"),
    pytest.param([STAY_OPEN], False, id="json-without-head"),
    pytest.param([head(content_length="99", content_type="application/json"), STAY_OPEN], False,
                 id="json-without-body"),
    pytest.param([head(503, content_length="99"), STAY_OPEN], False, id="error-without-body"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "stream"), WAITING)
def test_a_client_that_leaves_before_the_answer_ends_the_call(
    client: Client, raw: RawUpstream, steps: list[Step], stream: bool
) -> None:
    raw.answers(steps)
    with begin(client, raw, stream=stream):
        raw.peer()

    assert raw.peer().gone.wait(SOON_S)
    record = client.new_record()
    assert (499, "client_closed", "config", "fake") == (
        record.status,
        record.error,
        record.target,
        record.provider,
    )
    assert [("config", 499)] == [(attempt.target, attempt.status) for attempt in record.attempts]


@pytest.mark.parametrize("body", [None, b"{}"], ids=["bodiless", "with-body"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/things"),
        ("GET", "/v1/files/f/content"),
        ("DELETE", "/v1/files/f"),
        ("DELETE", "/v1/things"),
        ("HEAD", "/v1/things"),
        ("PUT", "/v1/things"),
    ],
)
def test_a_client_that_leaves_any_other_request_ends_it(
    client: Client, raw: RawUpstream, method: str, path: str, body: bytes | None
) -> None:
    raw.answers([STAY_OPEN])
    headers = {"x-portkey-provider": "fake", "x-portkey-custom-host": raw.base}
    with client.begin(method, path, headers, body):
        raw.peer()

    assert raw.peer().gone.wait(SOON_S)
    assert 499 == client.new_record().status


def test_a_client_that_leaves_a_wait_between_tries_ends_it(client: Client) -> None:
    client.naps.for_ever = True
    config = {"provider": "fake", "retry": {"attempts": 3}}
    method, path, headers, body = chat_request("fake-503", config, {}, {})
    with client.begin(method, path, headers, body):
        assert client.naps.begun.wait(SOON_S)

    assert [503] == [attempt.status for attempt in client.new_record().attempts]
    assert 499 == client.new_record().status


def test_a_call_that_falls_back_is_given_up_whole(client: Client, raw: RawUpstream) -> None:
    raw.answers([answer({"error": {"message": "no"}}, 503)], [STAY_OPEN], [STAY_OPEN])
    target = {"provider": "fake", "custom_host": raw.base}
    config = {"strategy": {"mode": "fallback"}, "targets": [target] * 3}
    method, path, headers, body = chat_request("fake", config, {}, {})
    with client.begin(method, path, headers, body):
        raw.peer(1)

    assert [503, 499] == [attempt.status for attempt in client.new_record().attempts]
    assert "config.targets[1]" == client.new_record().target
    assert 2 == len(raw.peers)
