"""The database of a Django project goes away under load: callers and the log outlast it (R12)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from tests.faults.database.cluster import Cluster, Hole, a_cluster
from tests.faults.database.project import Callers, Project, Told
from tests.http.upstreams import FakeUpstream
from tests.wsgi.processes import soon

LOG, SUMS = "llmgateway_requestlog", "llmgateway_usagerollup"
SHORT_S, LONG_S = 4.0, 30.0
RECOVERED_WITHIN_S = 60.0

Outage = Callable[[Cluster, Hole], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def stopped(cluster: Cluster, hole: Hole) -> Iterator[None]:
    """Refuse connections."""
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


@contextlib.contextmanager
def frozen(cluster: Cluster, hole: Hole) -> Iterator[None]:
    """Accept, and answer when it is over."""
    with cluster.frozen():
        yield


@contextlib.contextmanager
def silent(cluster: Cluster, hole: Hole) -> Iterator[None]:
    """Accept, and never answer."""
    with hole.opened():
        yield


@contextlib.contextmanager
def locked(cluster: Cluster, hole: Hole) -> Iterator[None]:
    """Let nobody at the log."""
    with cluster.connect() as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {LOG} IN ACCESS EXCLUSIVE MODE".encode())
        yield


KEYS_ARE_AWAY = (stopped, frozen, silent)
OUTAGES = [
    *(
        pytest.param(outage, "uvicorn", SHORT_S, id=f"{outage.__name__}-{SHORT_S:g}s")
        for outage in (*KEYS_ARE_AWAY, locked)
    ),
    *(
        pytest.param(outage, server, LONG_S, id=f"{outage.__name__}-30s-{server}")
        for outage in (*KEYS_ARE_AWAY, locked)
        for server in ("uvicorn", "gunicorn")
    ),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that tests may stop."""
    with a_cluster() as cluster:
        yield cluster


@pytest.fixture
def hole(cluster: Cluster) -> Iterator[Hole]:
    """What stands between the project and the cluster."""
    hole = Hole(cluster.port)
    yield hole
    hole.end()


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of keys, by what becomes of them."""

    known: str
    """Called with before the outage."""
    unused: str
    """Not before it."""
    revoked: str
    """And this is known."""
    deleted: str
    """Nobody has this one."""


@pytest.fixture(scope="module")
def keys(cluster: Cluster, fake_upstream: FakeUpstream) -> Keys:
    """Keys in the project's tables, which are made first."""
    project = Project(cluster.django(), fake_upstream.base)
    made = Keys(*project.prepared(*(each.name for each in fields(Keys))))
    cluster.rows("UPDATE llmgateway_apikey SET revoked_at = now() WHERE name = 'revoked'")
    cluster.rows(
        "DELETE FROM llmgateway_apikeysecret USING llmgateway_apikey AS key "
        "WHERE key.id = api_key_id AND key.name = 'deleted'"
    )
    return made


@pytest.mark.matrix
@pytest.mark.parametrize(("outage", "server", "lasts_s"), OUTAGES)
def test_an_outage_fails_no_known_caller_and_loses_no_row(
    cluster: Cluster,
    hole: Hole,
    keys: Keys,
    upstream: FakeUpstream,
    tmp_path: Path,
    outage: Outage,
    server: str,
    lasts_s: float,
) -> None:
    cluster.rows(f"TRUNCATE {LOG}, {SUMS}")
    project = Project(cluster.django(hole.port if outage is silent else None), upstream.base)
    with project.served(server, tmp_path / "log") as port:
        callers = Callers(port)
        assert callers.hears(keys.known, 200)
        assert callers.hears(keys.revoked, 401)
        with callers.steady(keys.known) as heard:
            assert soon(lambda: len(heard) > 20)
            with outage(cluster, hole):
                threading.Event().wait(lasts_s / 2)
                strangers = {callers.call(key) for key in (keys.unused, keys.deleted)}
                held = callers.call(keys.revoked)
                threading.Event().wait(lasts_s / 2)
            assert callers.hears(keys.unused, 200)
            after = len(heard)
            assert soon(lambda: len(heard) > after + 20)
        assert soon(lambda: len(callers.told) == count(cluster), RECOVERED_WITHIN_S)

    assert {Told(200)} == set(heard)
    assert len(heard) > 5 * lasts_s
    assert 401 == held.status
    nobody_can_tell = {Told(503, "5")}
    assert (nobody_can_tell if outage in KEYS_ARE_AWAY else {Told(200), Told(401)}) == strangers
    assert sorted(callers.told) == sorted(cluster.rows(f"SELECT trace_id FROM {LOG}"))
    assert_sums_are_the_rows(cluster)
    assert "records" not in (tmp_path / "log").read_text(), "some were dropped"


def count(cluster: Cluster) -> int:
    """Return how many rows there are."""
    (found,) = cluster.rows(f"SELECT count(*) FROM {LOG}")
    return int(found)


def assert_sums_are_the_rows(cluster: Cluster) -> None:
    """Compare what both say of each caller, model and hour."""
    place = "workspace, principal, model"
    of_rows = (
        f"SELECT date_trunc('hour', started_at), {place}, count(*), sum((error <> '')::int), "
        f"sum(input_tokens), sum(output_tokens) FROM {LOG} GROUP BY 1, {place} ORDER BY 1, {place}"
    )
    of_sums = (
        f"SELECT hour, {place}, requests, errors, input_tokens, output_tokens "
        f"FROM {SUMS} ORDER BY hour, {place}"
    )
    assert cluster.rows(of_rows) == cluster.rows(of_sums)
