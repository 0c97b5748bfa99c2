"""Retries, waits, time limits and provider errors, over HTTP."""

from __future__ import annotations

import email.utils
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from tests.http.client import Client, encode
from tests.http.conftest import NOW, Serve
from tests.http.upstreams import COMPLETION, RESET, RawUpstream, answer

PAST_BUDGET = email.utils.formatdate(NOW + 61, usegmt=True)
IN_TEN = email.utils.formatdate(NOW + 10, usegmt=True)


def retrying(attempts: int, **more: Any) -> dict[str, Any]:
    """Return a config that retries the fake provider."""
    return {"provider": "fake", "retry": {"attempts": attempts, **more}}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_these_statuses_are_retried_by_default(client: Client, status: int) -> None:
    found = client.chat(f"fake-{status}-once", config=retrying(1))

    assert (200, "1") == (found.status, found.field("retry-attempt-count"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 501])
def test_other_statuses_are_not(client: Client, status: int) -> None:
    found = client.chat(f"fake-{status}-once", config=retrying(3))

    assert (status, "0") == (found.status, found.field("retry-attempt-count"))


@pytest.mark.parametrize("model", ["fake-html", "fake-bad-json", "fake-empty", "fake-cut"])
def test_broken_answers_are_retried(client: Client, model: str) -> None:
    found = client.chat(f"{model}-twice", config=retrying(3))

    assert (200, "2") == (found.status, found.field("retry-attempt-count"))


@pytest.mark.parametrize(
    ("header", "config", "tries"),
    [
        pytest.param("2", None, 3, id="header"),
        pytest.param("0", None, 1, id="zero"),
        pytest.param("2", {"provider": "fake", "retry": {"attempts": 1}}, 2, id="config-first"),
        pytest.param("2", {"provider": "fake"}, 3, id="config-without-retry"),
    ],
)
def test_the_header_counts_where_no_config_does(
    client: Client, header: str, config: Any, tries: int
) -> None:
    client.chat("fake-503", config=config, headers={"x-portkey-retry-count": header})

    assert tries == len(client.new_record().attempts)


def test_each_target_retries_for_itself(client: Client) -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [retrying(2), {**retrying(1), "override_params": {"model": "fake-500-once"}}],
    }
    found = client.chat("fake-503", config=config)

    assert (200, "1") == (found.status, found.field("retry-attempt-count"))
    assert [503, 503, 503, 500, 200] == [a.status for a in client.new_record().attempts]
    assert [1.0, 2.0, 1.0] == client.naps.seconds


def test_a_call_without_retry_is_tried_once(client: Client) -> None:
    found = client.chat("fake-503")

    assert (503, "0") == (found.status, found.field("retry-attempt-count"))
    assert [] == client.naps.seconds


def failure(status: int = 429, /, **fields: str) -> list[bytes]:
    """Return a script that fails with these fields."""
    return [answer({"error": {"message": "no"}}, status, **fields)]


@pytest.mark.parametrize(
    ("fields", "waits", "status"),
    [
        pytest.param({"retry-after": "7"}, [7.0], 200, id="seconds"),
        pytest.param({"retry-after-ms": "1500"}, [1.5], 200, id="ms"),
        pytest.param({"x-ms-retry-after-ms": "250", "retry-after": "9"}, [0.25], 200, id="azure"),
        pytest.param({"retry-after": IN_TEN}, [10.0], 200, id="date"),
        pytest.param({"retry-after": "0"}, [0.0], 200, id="zero"),
        pytest.param({"retry-after": "soon"}, [1.0], 200, id="unreadable-backs-off"),
        pytest.param({}, [1.0], 200, id="absent-backs-off"),
        pytest.param({"retry-after": "60"}, [], 429, id="too-long"),
        pytest.param({"retry-after": PAST_BUDGET}, [], 429, id="date-too-far"),
    ],
)
@pytest.mark.parametrize("spelling", ["use_retry_after_header", "use_retry_after_headers"])
def test_a_providers_wait_is_heeded(
    client: Client, raw: RawUpstream, spelling: str, fields: dict[str, str],
    waits: list[float], status: int,
) -> None:  # fmt: skip
    raw.answers(failure(**fields), [answer(COMPLETION)])
    config = {**retrying(3, **{spelling: True}), "custom_host": raw.base}
    found = client.chat(config=config)

    assert (status, waits) == (found.status, client.naps.seconds)
    assert ("1" if status == 200 else "-1") == found.field("retry-attempt-count")


def test_waits_add_up_to_a_minute_at_most(client: Client, raw: RawUpstream) -> None:
    raw.answers(*[failure(retry_after="25")] * 4)
    config = {**retrying(9, use_retry_after_header=True), "custom_host": raw.base}
    found = client.chat(config=config)

    assert [25.0, 25.0] == client.naps.seconds
    assert (429, "-1", "25") == (
        found.status,
        found.field("retry-attempt-count"),
        found.header("retry-after"),
    )


def test_after_a_providers_wait_the_back_off_is_nothing(client: Client, raw: RawUpstream) -> None:
    raw.answers(failure(retry_after="2"), failure(503), failure(503), [answer(COMPLETION)])
    config = {**retrying(5, use_retry_after_header=True), "custom_host": raw.base}

    assert 200 == client.chat(config=config).status
    assert [2.0, 0.0, 0.0] == client.naps.seconds


def test_a_wait_is_not_heeded_unless_asked_for(client: Client, raw: RawUpstream) -> None:
    raw.answers(failure(retry_after="50"), [answer(COMPLETION)])
    client.chat(config={**retrying(1), "custom_host": raw.base})

    assert [1.0] == client.naps.seconds


# ---- x-should-retry


@pytest.mark.parametrize(
    ("model", "config", "expected"),
    [
        pytest.param("fake-503", {"provider": "fake"}, None, id="nothing-tried"),
        pytest.param("fake-503", retrying(1), "false", id="retried"),
        pytest.param("fake-401", retrying(3), None, id="not-retriable"),
        pytest.param("fake-503-once", retrying(1), None, id="good-in-the-end"),
        pytest.param(
            "fake-503",
            {"strategy": {"mode": "fallback"}, "targets": [{"provider": "fake"}] * 2},
            "false",
            id="fell-back",
        ),
        pytest.param(
            "fake-503",
            {"strategy": {"mode": "fallback"}, "targets": [{"provider": "fake"}]},
            None,
            id="one-target",
        ),
    ],
)
def test_an_sdk_is_told_not_to_multiply_our_tries(
    client: Client, model: str, config: Any, expected: str | None
) -> None:
    assert expected == client.chat(model, config=config).header("x-should-retry")


# ---- request_timeout


@pytest.mark.parametrize(
    ("config", "headers"),
    [
        pytest.param({"provider": "fake", "request_timeout": 50}, {}, id="config"),
        pytest.param({"provider": "fake"}, {"x-portkey-request-timeout": "50"}, id="header"),
        pytest.param(
            {"provider": "fake", "request_timeout": 60_000},
            {"x-portkey-request-timeout": "50"},
            id="header-first",
        ),
        pytest.param(
            {
                "request_timeout": 50,
                "strategy": {"mode": "single"},
                "targets": [{"provider": "fake"}],
            },
            {},
            id="inherited",
        ),
    ],
)
def test_a_request_timeout_is_408(client: Client, config: Any, headers: dict[str, str]) -> None:
    found = client.chat("fake-hang", config=config, headers=headers)

    assert (408, "timeout_error", None) == (
        found.status,
        found.error["type"],
        found.error["code"],
    )
    assert "Request exceeded the timeout sent in the request: 50ms" == found.error["message"]


@pytest.mark.parametrize(("codes", "tries"), [(None, 1), ([408], 3)], ids=["unlisted", "listed"])
def test_a_timed_out_try_is_repeated_only_if_listed(
    client: Client, codes: list[int] | None, tries: int
) -> None:
    config = retrying(2, **({} if codes is None else {"on_status_codes": codes}))
    found = client.chat("fake-hang", config={**config, "request_timeout": 30})

    assert 408 == found.status
    assert [408] * tries == [attempt.status for attempt in client.new_record().attempts]


def test_a_timed_out_try_falls_back(client: Client) -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "fake", "request_timeout": 50, "override_params": {"model": "fake-hang"}},
            {"provider": "fake"},
        ],
    }
    found = client.chat(config=config)

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))


def test_a_timeout_ends_with_the_head_of_the_answer(client: Client) -> None:
    config = {"provider": "fake", "request_timeout": 500}
    found = client.chat("fake-tokens-3-pace-150ms", config=config, stream=True)

    assert found.whole


# ---- our own limits


def test_a_provider_that_never_answers_is_504(serve: Serve) -> None:
    found = serve(limits={"first_byte_s": 0.05}).chat("fake-hang")

    assert (504, "upstream_timeout") == (found.status, found.error["code"])


def test_a_provider_that_takes_no_connection_is_504(serve: Serve) -> None:
    """A full backlog is a connection that is never made."""
    client = serve(limits={"connect_s": 0.1})
    with socket.socket() as deaf, ExitStack() as waiting:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        host = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        found = client.chat(headers={"x-portkey-custom-host": host})

    assert (504, "upstream_timeout") == (found.status, found.error["code"])


def test_an_answer_that_stalls_is_504(serve: Serve) -> None:
    found = serve(limits={"idle_s": 0.05}).chat("fake-stall")

    assert (504, "upstream_timeout") == (found.status, found.error["code"])


def test_a_call_that_takes_too_long_is_504(serve: Serve) -> None:
    found = serve(limits={"total_s": 0.2}).chat("fake-hang")

    assert (504, "upstream_timeout") == (found.status, found.error["code"])


def test_a_wait_beyond_the_calls_time_is_not_begun(serve: Serve) -> None:
    client = serve(limits={"total_s": 3.0})
    found = client.chat("fake-503", config=retrying(5))

    assert (503, "-1") == (found.status, found.field("retry-attempt-count"))
    assert [1.0, 2.0] == client.naps.seconds


# ---- provider errors


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 500, 503, 529])
def test_a_providers_error_keeps_its_meaning(client: Client, raw: RawUpstream, status: int) -> None:
    words = {"message": "Their words.", "type": "their_type", "code": "their_code", "param": "p"}
    raw.answers([answer({"error": {**words, "more": [1]}}, status, retry_after="9")])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert status == found.status
    assert {**words, "more": [1], "message": "fake error: Their words."} == {
        key: value for key, value in found.error.items() if key != "request_id"
    }
    assert "fake" == found.json()["provider"]
    assert "9" == found.header("retry-after")


@pytest.mark.parametrize(
    "body",
    [b"", b"plain words", b"<html>x</html>", b"{", b"[]", b"null", b'{"a":1}', b"\xff\x00"],
)
def test_an_unreadable_error_still_has_the_shape(
    client: Client, raw: RawUpstream, body: bytes
) -> None:
    raw.answers([answer(body, 503)])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert 503 == found.status
    assert found.error["message"].startswith(
        ("fake error: ", "Invalid response received from fake: ")
    )


def test_an_error_body_without_end_is_no_answer(client: Client, raw: RawUpstream) -> None:
    raw.answers([answer(b"x" * 3_000_000, 503)])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert (502, "upstream_too_large") == (found.status, found.error["code"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_never_followed(client: Client, raw: RawUpstream, status: int) -> None:
    raw.answers([answer(b"", status, location=raw.base + "/elsewhere")])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert (502, "upstream_protocol_error") == (found.status, found.error["code"])
    assert 1 == len(raw.peers)


def test_a_reset_before_any_answer_is_502_and_retried(client: Client, raw: RawUpstream) -> None:
    raw.answers([RESET], [answer(COMPLETION)])
    found = client.chat(config={**retrying(1), "custom_host": raw.base})

    assert (200, "1") == (found.status, found.field("retry-attempt-count"))
    assert ["connection_lost", None] == [a.error for a in client.new_record().attempts]


def test_a_network_failure_is_retried_whatever_the_list(client: Client, raw: RawUpstream) -> None:
    raw.answers([RESET], [answer(COMPLETION)])
    config = {**retrying(1, on_status_codes=[429]), "custom_host": raw.base}

    assert 200 == client.chat(config=config).status


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions", "/v1/responses"])
def test_other_endpoints_retry_too(client: Client, path: str) -> None:
    body = {"model": "fake-503-once", "input": "x", "prompt": "x"}
    found = client.post(path, body, x_portkey_config=encode(retrying(1)).decode())

    assert (200, "1") == (found.status, found.field("retry-attempt-count"))
