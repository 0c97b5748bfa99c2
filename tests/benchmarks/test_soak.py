"""The soak: its arithmetic, what its load takes for right, and a moment of it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import pytest

from benchmarks.build import COMPILER
from benchmarks.mixed import KINDS, Kind, Load
from benchmarks.soak import Point, Soaked, slope_kb_per_min, soak

_BY_NAME = {kind.name: kind for kind in KINDS}
_JSON = "HTTP/1.1 {} X\r\ncontent-length: 2\r\n\r\n{{}}"
_STREAM = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def point(minute: float, rss_mb: float) -> Point:
    """Return a look at that minute."""
    return Point(60 * minute, rss_mb, fds=20, cpu_s=30 * minute, answers=round(1000 * minute))


def chunk(text: str) -> str:
    """Return a text as one chunk of a body."""
    return f"{len(text):x}\r\n{text}\r\n"


def test_the_slope_is_in_kilobytes_a_minute() -> None:
    assert 500 == pytest.approx(slope_kb_per_min([point(1, 50), point(2, 50.5), point(3, 51)]))
    assert 0 == pytest.approx(slope_kb_per_min([point(1, 50), point(2, 51), point(3, 50)]))


def test_the_report_looks_at_the_second_half_only() -> None:
    points = [point(0, 40), point(1, 60), point(2, 70), point(3, 70)]
    found = Soaked(1000.0, points, 12, 12, {"chat": 3000}, {"chat: status 500": 2}, 0)

    assert "slope over the second half: +0.0 KB/min (2 points, 70.0 to 70.0 MB)" in found.text()
    assert "3,000 answers, 0 skipped; 50% of a core" in found.text()
    assert "faults: 2\n  2 × chat: status 500" in found.text()


def test_the_shares_make_a_hundred() -> None:
    assert 100 == sum(kind.share for kind in KINDS)


async def judged(kind: Kind, answer: str) -> tuple[int, list[str]]:
    """Send one request to a server that answers so; returns right answers and faults."""
    load = Load(0, {kind.name: b"ask\n"}, rate_per_s=1, kinds=[kind])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer.encode())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        load.port = server.sockets[0].getsockname()[1]
        load.begin()
        await load.wait()
    return load.done[kind.name], list(load.faults)


@pytest.mark.parametrize(
    ("name", "answer", "fault"),
    [
        ("chat", _JSON.format(200), None),
        ("chat", _JSON.format(500), "chat: status 500"),
        ("unknown key", _JSON.format(401), None),
        ("unknown key", _JSON.format(429), None),
        ("unknown key", _JSON.format(200), "unknown key: status 200"),
        ("stream", _STREAM + chunk("data: [DONE]\n\n"), "stream: it broke off"),
        (
            "stream",
            _STREAM + chunk("data: [DONE]\n\n") + chunk(""),
            "stream: a short stream",
        ),
        ("stream", _STREAM + chunk("data: {}\n\n" * 100 + "data: [DONE]\n\n") + chunk(""), None),
        ("stream", _STREAM + chunk("data: {}\n\n" * 100) + chunk(""), "stream: a wrong end"),
        ("stream that is cut", _STREAM + chunk('data: {"error": {}}\n\n'), None),
        (
            "stream that is cut",
            _STREAM + chunk('data: {"error": {}}\n\n') + chunk(""),
            "stream that is cut: it did not break off",
        ),
        ("client that leaves", _STREAM + chunk("x" * 2000), None),
    ],
)
async def test_what_is_right_depends_on_the_kind(name: str, answer: str, fault: str | None) -> None:
    expected = (1, []) if fault is None else (0, [fault])

    assert expected == await judged(_BY_NAME[name], answer)


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")
@pytest.mark.skipif(COMPILER is None, reason="the benchmarks' programs need gcc")
def test_a_moment_of_it_finds_no_fault() -> None:
    # The same share for each, so that all kinds occur; those that wait for retries would last.
    kinds = [replace(kind, share=1) for kind in KINDS if kind.status != 503]

    found = soak(0.02, kinds)

    assert {} == found.faults  # what was skipped tells how busy the machine is
    assert {kind.name for kind in kinds} == set(found.done)
    assert len(found.points) >= 10
    assert min(p.rss_mb for p in found.points) > 10
    assert found.fds_after <= found.fds_before
