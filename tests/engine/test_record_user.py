"""The host's user in the record: of a key that is theirs, and of a caller that the host names."""

from __future__ import annotations

import pytest

from llmgateway import Gateway, Principal
from llmgateway.settings import client_key_digest
from llmgateway.stores import MemoryKeyStore, MemoryRecords, StoredKey
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record

KEY = "a-client-key-of-the-test"


async def record(principal: Principal | None, user_of_key: str | None = None) -> Record:
    """Return the record of a call."""
    records = MemoryRecords()
    key = StoredKey("key:ci", client_key_digest(KEY), "research", user_of_key)
    headers = Headers([(b"authorization", f"Bearer {KEY}".encode())])
    request = HTTPRequest("GET", "/v1/models", "", headers, b"")
    async with Gateway({}, keys=MemoryKeyStore([key]), records=records) as gateway:
        answer = await gateway.handle(request, principal)
    assert 200 == answer.status
    (found,) = records.all()
    return found


@pytest.mark.parametrize("user", ["17", None])
async def test_a_key_s_owner_is_recorded_beside_the_key(user: str | None) -> None:
    found = await record(None, user_of_key=user)

    assert ("key:ci", "research", user) == (found.principal, found.workspace, found.user)


async def test_the_user_of_a_caller_that_the_host_names_is_recorded() -> None:
    found = await record(Principal("token:5", user="17"), user_of_key="18")

    assert ("token:5", "17") == (found.principal, found.user)
