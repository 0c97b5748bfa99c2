"""Paths: what could mean another place to a provider is never passed on (S12)."""

from __future__ import annotations

import pytest

from tests.http.client import Client
from tests.http.upstreams import FakeUpstream

TRICKS = [
    "..", ".", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%2e", "..%2f", "..%2Fx", "%2f", "%2F..%2F",
    "%5c", "%5C..%5C", "..\\", "\\", "a\\b", "%00", "a%00", "%01", "%0a", "%0d%0aX:1", "%1f", "%7f",
    ";", "a;b", "..;", "a;/../b", "%", "%g1", "%2", "a%", "%c0%ae%c0%ae%2f",
    "//", "a//b", "%252e%252e/%2e%2e", "..;/admin", ".../..", "a/./b", "a/..", "x/%2e%2e/y",
]  # fmt: skip
PLACES = [
    "/v1/{}",
    "/v1/files/{}",
    "/v1/files/{}/content",
    "/v1/models/{}",
    "/v1/proxy/{}",
    "/v1/responses/{}",
    "/v1/batches/{}/cancel",
    "/v1/fine_tuning/jobs/{}",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_path_with_a_trick_is_not_found(
    client: Client, upstream: FakeUpstream, trick: str
) -> None:
    statuses = {place: client.get(place.format(trick)).status for place in PLACES}

    assert dict.fromkeys(PLACES, 404) == statuses
    assert [] == list(upstream.fake.requests)


@pytest.mark.parametrize(
    "path",
    [
        "/v1", "/v2/chat/completions", "/chat/completions", "/v1chat", "//v1/models", "/v1/",
        "/V1/chat/completions", "/admin", "/v1/../v1/models", "/.%2e/v1/models",
        "/v1/chat%2fcompletions", "/favicon.ico", "/v1/messages/batches", "/v1/realtime",
        "/v1/prompts/p/completions", "/v1/batches/b/output", "/v1beta/models",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_or_later_path_is_not_found(
    client: Client, upstream: FakeUpstream, method: str, path: str
) -> None:
    headers = {"x-portkey-provider": "fake", "content-type": "application/json"}
    found = client.request(method, path, headers, b"{}" if method == "POST" else None)

    assert (404, "not_found") == (found.status, found.error["code"])
    assert [] == list(upstream.fake.requests)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/file-abc_1.2~3",
        "/v1/models/ft:gpt-4o:org::id",
        "/v1/models/meta/llama-3",
        "/v1/models/a%20b",
        "/v1/models/%E2%82%AC",
        "/v1/files/..a",
        "/v1/files/a..b",
        "/v1/files/.hidden",
        "/v1/things/a@b:c,d=e+f!g$h&i'j(k)l*m",
        "/v1/vector_stores/vs_1/files/file_2",
        "/v1/things/%25%32%65",
    ],
)
def test_a_plain_path_arrives_as_it_was_written(
    client: Client, upstream: FakeUpstream, path: str
) -> None:
    client.get(path)

    assert [path] == [received.path for received in upstream.fake.requests]


@pytest.mark.parametrize(
    "query", ["", "?", "?a=1&b=%2e%2e/&a=2", "?limit=5&after=file-1", "?x=;y#"]
)
def test_a_query_arrives_as_it_was_written(
    client: Client, upstream: FakeUpstream, query: str
) -> None:
    client.get(f"/v1/files{query}")

    assert [query.removeprefix("?").partition("#")[0]] == [r.query for r in upstream.fake.requests]


def test_a_fragment_is_cut_off(client: Client, upstream: FakeUpstream) -> None:
    client.get("/v1/files/f#/../../admin")

    assert ["/v1/files/f"] == [received.path for received in upstream.fake.requests]


@pytest.mark.parametrize(
    "path", ["/v1/x%2f..%2f..%2fadmin", "/v1/proxy/..%2f..%2fadmin", "/v1/proxy//admin"]
)
def test_the_proxy_does_not_leave_the_base_url(
    client: Client, upstream: FakeUpstream, path: str
) -> None:
    found = client.request("PUT", path, {"x-portkey-provider": "fake"})

    assert 404 == found.status
    assert [] == list(upstream.fake.requests)
