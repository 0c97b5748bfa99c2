"""The keys of the suite, and who has seen them."""

from __future__ import annotations

from tests.http.conftest import CLIENT_KEY, STORED_KEY
from tests.http.upstreams import FakeUpstream

PLAIN_KEY = "another-client-key-without-our-prefix"
OWN_KEY = "sk-the-callers-own"
CANARIES = (CLIENT_KEY, PLAIN_KEY, STORED_KEY)


def leaked(upstream: FakeUpstream, *allowed: str) -> set[str]:
    """Return which secrets any provider has seen, besides those allowed."""
    seen = b"".join(
        b"".join(value for _, value in received.headers) + received.body + received.query.encode()
        for received in upstream.fake.requests
    )
    seen += b"".join(peer.request for raw in upstream.raws for peer in raw.peers)
    return {key for key in CANARIES if key.encode() in seen} - set(allowed)


def authorization(upstream: FakeUpstream) -> str | None:
    """Return what the provider was sent to prove who asks."""
    (received,) = upstream.fake.requests
    return received.headers.get("authorization")
