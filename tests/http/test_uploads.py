"""Uploads: streamed with bounded memory, and sent again only while they are held."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.client import Client, encode
from tests.http.clients import Bare
from tests.http.conftest import Serve
from tests.http.loops import SOON_S
from tests.http.upstreams import COMPLETION, FakeUpstream, RawUpstream, answer

START = (
    b'--edge\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
)
END = b"\r\n--edge--\r\n"
PIECE = os.urandom(2**16)
TO_FAKE = {"x-portkey-provider": "fake", "content-type": "multipart/form-data; boundary=edge"}
MIB = 2**20


def upload(pieces: int) -> Iterator[bytes]:
    """Yield a form with a file of so many pieces of 64 KiB."""
    yield START
    for _ in range(pieces):
        yield PIECE
    yield END


def size(pieces: int) -> int:
    """Return how long such a form is."""
    return len(START) + pieces * len(PIECE) + len(END)


@pytest.mark.parametrize("how", ["declared", "chunked"])
@pytest.mark.parametrize("pieces", [1, 100], ids=["held", "streamed"])
def test_an_upload_arrives_whole(
    client: Client, upstream: FakeUpstream, pieces: int, how: str
) -> None:
    headers = dict(TO_FAKE)
    if how == "declared":
        headers["content-length"] = str(size(pieces))
    found = client.request("POST", "/v1/files", headers, upload(pieces))
    (received,) = upstream.fake.requests

    assert (200, pieces * len(PIECE)) == (found.status, found.json()["bytes"])
    assert hashlib.sha256(b"".join(upload(pieces))).hexdigest() == received.body_sha256
    if how == "declared":
        assert str(size(pieces)) == received.headers.get("content-length")


@pytest.mark.parametrize("host", [Bare], indirect=True)
def test_a_large_upload_is_not_kept(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve()
    headers = {**TO_FAKE, "content-length": str(size(960))}
    client.request("POST", "/v1/files", TO_FAKE, upload(20))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        found = client.request("POST", "/v1/files", headers, upload(960))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (200, 60 * MIB) == (found.status, found.json()["bytes"])
    assert peak - before < 8 * MIB, "client, gateway and provider together"


FALL_BACK: dict[str, Any] = {"strategy": {"mode": "fallback"}}


def twice(raw: RawUpstream) -> dict[str, Any]:
    """Return a config with a retry and a fallback, all to `raw`."""
    target = {"provider": "fake", "custom_host": raw.base, "retry": {"attempts": 1}}
    return {**FALL_BACK, "targets": [target, target]}


def test_a_small_upload_is_tried_again(client: Client, raw: RawUpstream) -> None:
    failed = answer({"error": {"message": "no"}}, 503)
    raw.answers([failed], [failed], [failed], [answer({"id": "file-1"})])
    headers = {**TO_FAKE, "x-portkey-provider": "", "x-portkey-config": encode(twice(raw)).decode()}
    found = client.request("POST", "/v1/files", headers, upload(4))

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))
    assert [b"".join(upload(4))] * 4 == [peer.body for peer in raw.peers]


def test_a_spent_upload_is_neither_tried_again_nor_sent_elsewhere(
    client: Client, raw: RawUpstream
) -> None:
    raw.answers([answer({"error": {"message": "no"}}, 503)], [answer(COMPLETION)])
    headers = {**TO_FAKE, "x-portkey-provider": "", "x-portkey-config": encode(twice(raw)).decode()}
    found = client.request("POST", "/v1/files", headers, upload(40))

    assert (503, "0") == (found.status, found.field("retry-attempt-count"))
    assert 1 == len(raw.peers)
    assert found.header("x-should-retry") is None, "the client may well try again"


def test_an_upload_that_was_not_begun_goes_to_the_next_target(
    client: Client, upstream: FakeUpstream
) -> None:
    """A target that lacks the endpoint takes nothing of it."""
    lacking = {"provider": "perplexity-ai", "api_key": "k"}
    config = {**FALL_BACK, "targets": [lacking, {"provider": "fake"}]}
    headers = {**TO_FAKE, "x-portkey-provider": "", "x-portkey-config": encode(config).decode()}
    found = client.request("POST", "/v1/files", headers, upload(40))

    assert (200, "fake") == (found.status, found.field("provider"))


def test_an_upload_that_found_nobody_goes_to_the_next_target(client: Client) -> None:
    """Without a connection nothing of the body was read."""
    nobody = {"provider": "fake", "custom_host": "http://127.0.0.1:1/v1", "retry": {"attempts": 1}}
    config = {**FALL_BACK, "targets": [nobody, {"provider": "fake"}]}
    headers = {**TO_FAKE, "x-portkey-provider": "", "x-portkey-config": encode(config).decode()}
    found = client.request("POST", "/v1/files", headers, upload(40))

    assert (200, 40 * len(PIECE)) == (found.status, found.json()["bytes"])
    assert 3 == len(client.new_record().attempts)


def test_an_early_refusal_ends_an_upload(client: Client, raw: RawUpstream) -> None:
    """The provider answers before it has read all, and goes."""
    config = encode({"provider": "fake", "custom_host": raw.base}).decode()
    headers = {**TO_FAKE, "x-portkey-provider": "", "x-portkey-config": config}
    raw.answers_at_once(answer({"error": {"message": "too long"}}, 413))
    found = client.request("POST", "/v1/files", headers, upload(400))

    assert found.status in (413, 502)


@pytest.mark.parametrize("pieces", [1, 40], ids=["held", "streamed"])
def test_a_client_that_leaves_in_the_middle_is_499(
    client: Client, raw: RawUpstream, pieces: int
) -> None:
    headers = {**TO_FAKE, "x-portkey-custom-host": raw.base, "content-length": "99000000"}
    with client.begin("POST", "/v1/files", headers, upload(pieces)):
        peers = [raw.connected()] if pieces > 20 else []

    assert 499 == client.new_record().status
    assert all(peer.gone.wait(SOON_S) for peer in peers)


@pytest.mark.parametrize("host", [Bare], indirect=True)
def test_a_client_that_cannot_go_on_sending_is_gone(serve: Serve) -> None:
    """The suite's own, which must not leave its connection to a later test."""

    def broken() -> Iterator[bytes]:
        yield START
        raise OSError("no more of the file")

    client = serve()
    with pytest.raises(OSError, match="no more of the file"):
        client.request("POST", "/v1/files", TO_FAKE, broken())

    assert 499 == client.new_record().status


def test_a_form_of_a_wrong_length_is_not_relayed(client: Client, raw: RawUpstream) -> None:
    """The client says more than it sends and half-closes: no partial body arrives anywhere."""
    headers = {**TO_FAKE, "x-portkey-custom-host": raw.base, "content-length": "5000"}
    with client.begin("POST", "/v1/files", headers, iter([START])) as live:
        live.half_close()

    assert 499 == client.new_record().status
    assert [] == raw.peers
