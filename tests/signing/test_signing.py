"""The forms in which a request proves itself to a provider."""

from __future__ import annotations

import pytest

from llmgateway.signing import Auth, Bearer, BearerOption, HeaderKey, NoAuth

AUTHORIZED = ((b"authorization", b"Bearer K"),)


@pytest.mark.parametrize(
    ("auth", "key", "options", "headers"),
    [
        (Bearer(), "K", {}, AUTHORIZED),
        (Bearer(), None, {}, ()),
        (Bearer("Key"), "K", {}, ((b"authorization", b"Key K"),)),
        (Bearer(header="x-token"), "K", {}, ((b"x-token", b"Bearer K"),)),
        (HeaderKey("api-key"), "K", {}, ((b"api-key", b"K"),)),
        (HeaderKey("api-key"), None, {}, ()),
        (NoAuth(), "K", {}, AUTHORIZED),
        (NoAuth(), None, {}, ()),
        (BearerOption("token", HeaderKey("api-key")), "K", {}, ((b"api-key", b"K"),)),
        (BearerOption("token", HeaderKey("api-key")), None, {}, ()),
        (BearerOption("token", Bearer()), "other", {"token": "K"}, AUTHORIZED),
        (BearerOption("token", Bearer()), None, {"token": "Bearer K"}, AUTHORIZED),
    ],
)
def test_headers(
    auth: Auth, key: str | None, options: dict[str, str], headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert headers == auth.headers(key, options)


@pytest.mark.parametrize(
    ("auth", "needs_key"),
    [
        (Bearer(), True),
        (Bearer(needs_key=False), False),
        (HeaderKey("api-key"), True),
        (NoAuth(), False),
        (BearerOption("token", Bearer()), True),
    ],
)
def test_who_needs_a_key(auth: Auth, needs_key: bool) -> None:
    assert needs_key == auth.needs_key


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        (Bearer(), "`authorization: Bearer KEY`"),
        (Bearer(needs_key=False), "`authorization: Bearer KEY`, if there is a key"),
        (HeaderKey("api-key"), "`api-key: KEY`"),
        (NoAuth(), "none; `authorization: Bearer KEY`, if there is a key"),
        (BearerOption("token", HeaderKey("api-key")), "`api-key: KEY`, or `token` as Bearer"),
    ],
)
def test_what_the_docs_say(auth: Auth, words: str) -> None:
    assert words == str(auth)


def test_a_key_that_no_header_can_hold_is_for_the_caller_to_map() -> None:
    with pytest.raises(UnicodeEncodeError):
        Bearer().headers("ключ", {})
