"""A stream ends soon after its caller's key is revoked, on every host (R21)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmgateway.engine import live
from llmgateway.settings import client_key_digest
from llmgateway.stores import StoredKey
from tests.http.conftest import CLIENT_KEY, Serve
from tests.http.loops import SOON_S
from tests.http.upstreams import CONTENT, ROLE, STAY_OPEN, STREAM_HEAD, RawUpstream, Step, chunk


class OneKey:
    """Has the suite's key until a test revokes it; implements `KeyStore`."""

    def __init__(self) -> None:
        self.in_force = True

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the key, if it is asked for."""
        digest = client_key_digest(CLIENT_KEY)
        return [StoredKey("key:one", digest)] if self.in_force and digest in digests else []


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY_S", 0.05)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param([STAY_OPEN], id="silent"),
        pytest.param([*[chunk(CONTENT * 500)] * 1000, STAY_OPEN], id="never-read-to-its-end"),
    ],
)
def test_a_live_stream_of_a_revoked_key_ends(
    serve: Serve, raw: RawUpstream, rest: Sequence[Step]
) -> None:
    keys = OneKey()
    client = serve(keys=keys)
    raw.answers([STREAM_HEAD, chunk(ROLE + CONTENT), *rest])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) as stream:
        assert ROLE == next(stream.events())
        keys.in_force = False

        assert raw.peer().gone.wait(SOON_S)
        found = stream.rest()

    assert not found.whole
    assert found.body.endswith(b"\n\n")
    *_, last = found.body.strip().rsplit(b"\n\n", 1)
    assert b"The API key was revoked." in last
    assert b"[DONE]" not in found.body
    assert "invalid_api_key" == client.new_record().error
    assert 401 == client.chat().status
