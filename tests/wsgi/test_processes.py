"""Servers as processes: what their clients, their signals and their workers' ends leave behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.wsgi.processes import Process, Provider, provider, serve, soon, vanish

LIVE = 64
ROUNDS = 7
STOPPED = 8
MIB = 2**20

servers = pytest.mark.parametrize("kind", ["gthread", "gevent", "waitress"])


@pytest.fixture
def upstream() -> Iterator[int]:
    """A provider's port."""
    with provider() as port:
        yield port


def is_back(process: Process, files: int, threads: int) -> bool:
    """Tell whether no more is held than before."""
    now = process.held()
    return now[0] <= files and now[1] <= threads


@servers
def test_clients_that_vanish_leave_nothing_behind(kind: str, tmp_path: Path, upstream: int) -> None:
    """More than once, since pools make threads when none is idle, up to their bounds.

    The loop's own has six at most, so there is a round that adds none; what leaks adds to each.
    """
    with serve(kind, tmp_path, upstream) as process:
        left = 0

        def leave() -> None:
            nonlocal left
            left += LIVE
            for connection in process.live(LIVE):
                vanish(connection)
            assert soon(lambda: not Provider.open)
            assert soon(lambda: left == Counter(process.statuses())[499]), process.statuses()

        leave()
        for _ in range(ROUNDS):
            files, threads = process.held()
            leave()
            if soon(partial(is_back, process, files, threads)):
                break
        else:
            raise AssertionError((files, threads, process.held()))
        assert process.whole().endswith(b"}")


@servers
def test_readers_that_stop_hold_their_providers_back(
    kind: str, tmp_path: Path, upstream: int
) -> None:
    with serve(kind, tmp_path, upstream) as process:
        before = process.rss()
        readers = process.live(STOPPED, "flood")
        still: list[int] = []

        def stands_still() -> bool:
            still.append(sum(each.sent for each in Provider.open))
            return len(still) > 25 and still[-1] == still[-25]

        assert soon(stands_still)
        assert max(each.sent for each in Provider.open) < 24 * MIB
        assert process.rss() - before < 64 * MIB
        assert process.whole().endswith(b"}")
        for reader in readers:
            vanish(reader)
        assert soon(lambda: not Provider.open)
        assert soon(lambda: STOPPED == Counter(process.statuses())[499])


@servers
def test_a_sigterm_ends_streams_in_time_and_loses_no_record(
    kind: str, tmp_path: Path, upstream: int
) -> None:
    with serve(kind, tmp_path, upstream) as process:
        asked = len(process.statuses())
        readers = process.live(LIVE)

        assert 0 == process.terminate(), process.log.read_text()
        assert soon(lambda: not Provider.open)
        assert LIVE == Counter(process.statuses())[499], process.log.read_text()
        assert len(process.statuses()) >= asked + LIVE
        for reader in readers:
            reader.close()


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_a_worker_forked_from_one_in_use_has_a_loop_of_its_own(
    kind: str, tmp_path: Path, upstream: int
) -> None:
    with serve(kind, tmp_path, upstream, "--preload", TEST_USE_FIRST="1") as process:
        for _ in range(20):
            assert process.whole().endswith(b"}")
        assert soon(lambda: 21 <= len(process.statuses()))


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_workers_that_are_replaced_lose_no_record(kind: str, tmp_path: Path, upstream: int) -> None:
    with serve(kind, tmp_path, upstream, "--max-requests", "10") as process:
        first = process.workers()
        answered = 1
        for _ in range(30):
            try:
                answered += process.whole().endswith(b"}")
            except OSError:
                pass  # it went to a worker that was about to end
        assert soon(lambda: process.workers() != first)
        assert answered > 20
        assert 0 == process.terminate()
        assert answered <= len(process.statuses())
