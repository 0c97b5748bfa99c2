"""Clients that read slowly or not at all (R7)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.http.clients import Bare, BareUvloop
from tests.http.conftest import Serve
from tests.http.loops import SOON_S
from tests.http.upstreams import (
    DONE,
    FINISH,
    LAST,
    STAY_OPEN,
    STREAM_HEAD,
    RawUpstream,
    chunk,
    delta,
    head,
)

pytestmark = pytest.mark.parametrize("host", [Bare, BareUvloop], indirect=True)

MIB = 2**20
EVENTS = [chunk(delta("x" * 16_000) * 4)] * 640
"""40 MiB of them."""


def rss() -> int:
    """Return the bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_reader_that_stops_holds_the_provider_back(serve: Serve, raw: RawUpstream) -> None:
    client = serve()
    raw.answers(*[[STREAM_HEAD, *EVENTS, chunk(FINISH + DONE), LAST]] * 8)
    before = rss()
    with ExitStack() as open_:
        headers = {"x-portkey-custom-host": raw.base}
        readers = [open_.enter_context(client.open_chat(headers=headers)) for _ in range(8)]
        assert all(raw.peer(number).held_up.wait(SOON_S) for number in range(8))
        sent = [peer.sent for peer in raw.peers]
        grown = rss() - before
        found = readers[0].rest()

    assert max(sent) < 24 * MIB
    assert grown < 64 * MIB
    assert found.whole
    assert len(found.body) == sum(len(delta("x" * 16_000) * 4) for _ in EVENTS) + len(FINISH + DONE)


@pytest.mark.parametrize("kind", ["events", "sound"])
def test_a_reader_that_stalls_is_cut(serve: Serve, raw: RawUpstream, kind: str) -> None:
    client = serve(limits={"stalled_reader_s": 0.2})
    sound = [head(content_type="audio/mpeg"), *[b"x" * 65_536] * 640]
    raw.answers([STREAM_HEAD, *EVENTS, STAY_OPEN] if kind == "events" else [*sound, STAY_OPEN])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) if kind == "events" else (
        client.open("POST", "/v1/audio/speech", {
            "x-portkey-provider": "fake", "x-portkey-custom-host": raw.base,
        }, b'{"model":"m","input":"x","voice":"v"}')
    ):  # fmt: skip
        assert raw.peer().gone.wait(SOON_S)
        assert 499 == client.new_record().status
