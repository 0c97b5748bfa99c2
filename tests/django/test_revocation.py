"""A revoked key's open streams end, in the process that revokes it and in all others (R21)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmgateway.testing import FakeProvider
from tests.django.conftest import BODY, CHAT
from tests.django.processes import heard, say, start
from tests.http.loops import SOON_S
from tests.http.upstreams import CONTENT, ROLE, STAY_OPEN, STREAM_HEAD, FakeUpstream, chunk


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file that several processes open."""
    return tmp_path / "project.sqlite3"


@pytest.fixture
def key(database: Path) -> Sequence[str]:
    """The id and the secret of a key in it."""
    with start(database, "make") as process:
        made: Sequence[str] = heard(process)
    return made


@pytest.fixture
def upstream_of_test(upstream: FakeUpstream, fake: FakeProvider) -> Any:
    """A provider that says something and then nothing more."""
    raw = upstream.raw()
    return raw.answers([STREAM_HEAD, chunk(ROLE + CONTENT), STAY_OPEN])


@pytest.fixture
def server(database: Path, key: Sequence[str], upstream_of_test: Any) -> Iterator[Any]:
    """A server of the project, in a process."""
    setting = {
        "ALLOW_LOOPBACK_UPSTREAMS": True,
        "DEFAULT_PROVIDER": "openai",
        "PROVIDERS": {"openai": {"BASE_URL": upstream_of_test.base, "API_KEY": "sk-operator"}},
    }
    with start(database, "serve", json.dumps(setting)) as process:
        yield process
        process.communicate(timeout=SOON_S)
    assert 0 == process.returncode


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "in-another-process"])
def test_a_live_stream_of_a_revoked_key_ends(
    server: Any, database: Path, key: Sequence[str], upstream_of_test: Any, is_elsewhere: bool
) -> None:
    id_, secret = key
    connection = http.client.HTTPConnection("127.0.0.1", heard(server), timeout=SOON_S)
    head = {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    connection.request("POST", CHAT, orjson.dumps({**BODY, "stream": True}), head)
    answer = connection.getresponse()
    assert 200 == answer.status
    assert ROLE == answer.readline() + answer.readline()

    if is_elsewhere:
        with start(database, "revoke", id_) as process:
            assert "revoked" == heard(process)
    else:
        say(server, f"revoke {id_}")
        assert "revoked" == heard(server)

    assert upstream_of_test.peer().gone.wait(SOON_S)
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    assert b"The API key was revoked." in cut.value.partial
    assert b"[DONE]" not in cut.value.partial
    connection.close()
