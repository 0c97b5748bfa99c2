"""What a store of keys is asked for: nothing that cannot be there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmgateway.engine.authorize import Authorizer, Credentials
from llmgateway.engine.client_keys import new_client_key
from llmgateway.errors import InvalidAPIKey
from llmgateway.settings import Settings, client_key_digest
from llmgateway.stores import StoredKey
from llmgateway.types.http import Headers, HTTPRequest

MADE = new_client_key(lambda length: bytes(range(length)))
MISTYPED = MADE[:-1] + ("x" if MADE[-1] != "x" else "y")
NAMED = "lgw_a-key-that-the-settings-name"


class WatchedKeys:
    """Has every key, and notes what it is asked for; implements `KeyStore`."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Find all of them."""
        self.asked += digests
        return [StoredKey("key:1", digest) for digest in digests]


async def asked_for(*fields: tuple[bytes, str]) -> tuple[list[str], bool]:
    """Return what the store was asked for, and whether the caller became known."""
    keys = WatchedKeys()
    headers = Headers([(name, value.encode()) for name, value in fields])
    authorizer = Authorizer(Settings.model_validate({"client_keys": {"me": NAMED}}), keys)
    try:
        await authorizer.identify(
            HTTPRequest("GET", "/v1/models", "", headers, b""), Credentials.read(headers)
        )
    except InvalidAPIKey:
        return keys.asked, False
    return keys.asked, True


@pytest.mark.parametrize("token", [MADE, NAMED, "a-key-of-another-form"])
async def test_a_key_that_may_be_there_is_asked_for(token: str) -> None:
    assert ([client_key_digest(token)], True) == await asked_for((b"x-api-key", token))


@pytest.mark.parametrize("token", [MISTYPED, MADE[:-1], MADE + "0", "lgw_", "lgw_" + "0" * 49])
async def test_a_mistyped_key_is_asked_for_nowhere(token: str) -> None:
    assert ([], False) == await asked_for((b"x-api-key", token))


async def test_a_mistyped_key_keeps_no_other_from_being_found() -> None:
    fields = ((b"x-api-key", MISTYPED), (b"x-llmgateway-api-key", MADE))

    assert ([client_key_digest(MADE)], True) == await asked_for(*fields)
