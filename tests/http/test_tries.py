"""Failed tries are bounded for each address, and those who are known notice nothing (S16)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from llmgateway import Gateway, Settings
from llmgateway.errors import TooManyFailedTries
from llmgateway.http import tries
from llmgateway.http.tries import FailedTries
from llmgateway.types.http import Headers, HTTPRequest
from tests.http.client import Client
from tests.http.conftest import CLIENT_KEY, Serve
from tests.scripted import Clock

LIMIT = 3


def asked(client: str | None = "203.0.113.9", **fields: str) -> HTTPRequest:
    """Return a request that has come from somewhere."""
    return HTTPRequest("GET", "/v1/models", "", Headers.of(**fields), b"", client)


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock()


@pytest.fixture
def failed(clock: Clock) -> Callable[..., int]:
    """Count a failed try; returns how long to wait, and 0 for not at all."""
    here = {"limits": {"failed_auth_per_minute": LIMIT}, "trusted_proxies": ["10.0.0.0/8"]}
    kept = FailedTries(Settings.model_validate(here), clock.read)

    def failed(client: str | None = "203.0.113.9", **fields: str) -> int:
        try:
            kept.add(asked(client, **fields))
        except TooManyFailedTries as error:
            return error.retry_after_s or -1
        return 0

    return failed


def test_so_many_fail_within_a_minute_and_no_more(failed: Callable[..., int], clock: Clock) -> None:
    found = []
    for second in range(0, 130, 10):
        clock.now = 1000.0 + second
        found.append(failed())

    assert [0, 0, 0, 30, 20, 10, 0, 0, 0, 30, 20, 10, 0] == found


def test_parts_of_a_second_are_waited_for(failed: Callable[..., int], clock: Clock) -> None:
    for _ in range(LIMIT):
        failed()
    clock.now += 59.5

    assert 1 == failed()


@pytest.mark.parametrize(
    ("first", "second", "is_the_same"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "::ffff:203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::cb00:7109", "203.0.113.9", False),
        (None, None, True),
        ("testclient", "testclient", True),
        (None, "203.0.113.9", False),
    ],
)
def test_each_has_a_count_of_its_own(
    failed: Callable[..., int], first: str | None, second: str | None, is_the_same: bool
) -> None:
    for _ in range(LIMIT):
        failed(first)

    assert is_the_same is (failed(second) > 0)


def test_clients_behind_a_proxy_are_told_apart(failed: Callable[..., int]) -> None:
    for n in range(LIMIT):
        failed("10.0.0.1", x_forwarded_for=f"198.51.100.{n}, 203.0.113.9")

    assert 0 < failed("10.0.0.1", x_forwarded_for="203.0.113.9")
    assert 0 == failed("10.0.0.1", x_forwarded_for="203.0.113.10")


def test_nobody_gets_more_tries_by_being_hard_to_tell(failed: Callable[..., int]) -> None:
    for n in range(LIMIT):
        failed("10.0.0.1", x_forwarded_for="203.0.113.9", forwarded=f"for=198.51.100.{n}")

    assert 0 < failed("10.0.0.1", x_forwarded_for="203.0.113.9", forwarded="for=198.51.100.77")


def test_the_addresses_that_failed_longest_ago_are_forgotten(
    failed: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MAX_ADDRESSES", 2)
    for client in ("192.0.2.1", "192.0.2.2"):
        for _ in range(LIMIT):
            failed(client)
    assert 0 < failed("192.0.2.1")
    failed("192.0.2.3")

    assert 0 < failed("192.0.2.1")
    assert 0 == failed("192.0.2.2")


def test_threads_get_no_more_tries_than_one(failed: Callable[..., int]) -> None:
    got: list[int] = []
    barrier = threading.Barrier(8)

    def many() -> None:
        barrier.wait()
        got.extend(failed() for _ in range(100))

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert LIMIT == got.count(0)


JUNK: list[dict[str, str | None]] = [
    {"authorization": "Bearer wrong-key"},
    {"authorization": "Bearer lgw_misspelt"},
    {"authorization": None},
    {"authorization": None, "x-api-key": "' OR 1=1 --"},
]


def test_a_good_key_works_where_others_have_failed(serve: Serve) -> None:
    client = serve(limits={"failed_auth_per_minute": len(JUNK)})
    failing = [client.chat(headers=headers) for headers in JUNK]
    refused = client.chat(headers=JUNK[0])

    assert [401] * len(JUNK) == [answer.status for answer in failing]
    assert (429, "too_many_failed_tries") == (refused.status, refused.error["code"])
    assert 0 < int(refused.header("retry-after") or 0) <= 60
    assert "false" == refused.header("x-should-retry")
    assert 200 == client.chat().status


def test_a_key_stated_twice_counts(serve: Serve) -> None:
    client = serve(limits={"failed_auth_per_minute": 1, "connect_s": 4.0})
    twice = [("authorization", f"Bearer {CLIENT_KEY}"), ("authorization", f"Bearer {CLIENT_KEY}")]

    assert [401, 429] == [_status(client, twice) for _ in range(2)]


def _status(client: Client, headers: list[tuple[str, str]]) -> int:
    return client.request("GET", "/v1/models", headers).status


def test_the_bound_is_of_some_use() -> None:
    with pytest.raises(ValueError, match="failed_auth_per_minute"):
        Gateway({"limits": {"failed_auth_per_minute": 0}})
