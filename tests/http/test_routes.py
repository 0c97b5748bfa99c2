"""Every route: what a provider is asked, and what comes back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.http.client import Client, chat_body, encode
from tests.http.conftest import Serve
from tests.http.upstreams import FakeUpstream, RawUpstream, head

JSON_BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": chat_body(),
    "/v1/completions": {"model": "fake", "prompt": "one"},
    "/v1/embeddings": {"model": "fake", "input": "one"},
    "/v1/moderations": {"input": "one"},
    "/v1/images/generations": {"prompt": "one"},
    "/v1/responses": {"model": "fake", "input": "one"},
    "/v1/audio/speech": {"model": "fake", "input": "one", "voice": "v"},
}
FORM_TYPE = "multipart/form-data; boundary=edge"


def form(**fields: str | bytes) -> bytes:
    """Return a form; bytes are files."""
    parts = []
    for name, value in fields.items():
        extra = '; filename="f.bin"' if isinstance(value, bytes) else ""
        raw = value if isinstance(value, bytes) else value.encode()
        head_ = f'--edge\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        parts.append(head_.encode() + raw + b"\r\n")
    return b"".join(parts) + b"--edge--\r\n"


FORMS: dict[str, bytes] = {
    "/v1/audio/transcriptions": form(model="fake", file=b"\x00sound"),
    "/v1/audio/translations": form(model="fake", file=b"\x00sound"),
    "/v1/images/edits": form(prompt="p", image=b"\x89PNG"),
    "/v1/images/variations": form(image=b"\x89PNG"),
    "/v1/files": form(purpose="batch", file=b"{}\n"),
}


@pytest.mark.parametrize("path", JSON_BODIES)
def test_a_json_body_passes_byte_for_byte_both_ways(
    client: Client, upstream: FakeUpstream, path: str
) -> None:
    body = b" " + orjson.dumps({**JSON_BODIES[path], "unknown_field": [1.50, None]}) + b"\n"
    found = client.post(path, body)
    direct = orjson.loads(found.body) if path != "/v1/audio/speech" else found.body
    (received,) = upstream.fake.requests

    assert (200, path) == (found.status, received.path)
    assert body == received.body
    assert direct


@pytest.mark.parametrize("path", FORMS)
def test_a_form_passes_byte_for_byte(client: Client, upstream: FakeUpstream, path: str) -> None:
    headers = {"x-portkey-provider": "fake", "content-type": FORM_TYPE}
    found = client.request("POST", path, headers, FORMS[path])
    (received,) = upstream.fake.requests

    assert (200, path) == (found.status, received.path)
    assert FORMS[path] == received.body
    assert FORM_TYPE == received.headers.get("content-type")
    assert str(len(FORMS[path])) == received.headers.get("content-length")


def test_a_file_lives_through_its_routes(client: Client) -> None:
    headers = {"x-portkey-provider": "fake", "content-type": FORM_TYPE}
    file = client.request("POST", "/v1/files", headers, FORMS["/v1/files"]).json()
    path = f"/v1/files/{file['id']}"

    assert file["id"] in [
        item["id"] for item in client.get("/v1/files?purpose=batch").json()["data"]
    ]
    assert file["id"] == client.get(path).json()["id"]
    assert b"{}\n" == client.get(f"{path}/content").body
    assert client.request("DELETE", path, {"x-portkey-provider": "fake"}).json()["deleted"]
    assert 404 == client.get(path).status


def test_a_batch_and_a_job_live_through_their_routes(client: Client) -> None:
    headers = {"x-portkey-provider": "fake", "content-type": FORM_TYPE}
    file = client.request("POST", "/v1/files", headers, FORMS["/v1/files"]).json()["id"]
    order = {"input_file_id": file, "endpoint": "/v1/x", "completion_window": "24h"}
    batch = client.post("/v1/batches", order).json()["id"]
    job = client.post("/v1/fine_tuning/jobs", {"model": "m", "training_file": file}).json()["id"]

    assert batch == client.get(f"/v1/batches/{batch}").json()["id"]
    assert client.get("/v1/batches").json()["data"]
    assert "cancelling" == client.post(f"/v1/batches/{batch}/cancel", b"").json()["status"]
    assert job == client.get(f"/v1/fine_tuning/jobs/{job}").json()["id"]
    assert client.get("/v1/fine_tuning/jobs").json()["data"]
    assert "cancelled" == client.post(f"/v1/fine_tuning/jobs/{job}/cancel", b"").json()["status"]


def test_a_stored_response_lives_through_its_routes(client: Client) -> None:
    made = client.post("/v1/responses", {"model": "fake", "input": "one"}).json()["id"]
    path = f"/v1/responses/{made}"

    assert made == client.get(path).json()["id"]
    assert client.request("DELETE", path, {"x-portkey-provider": "fake"}).json()["deleted"]
    assert 404 == client.get(path).status


def test_speech_comes_as_sound(client: Client) -> None:
    found = client.post("/v1/audio/speech", JSON_BODIES["/v1/audio/speech"])

    assert "audio/mpeg" == found.header("content-type")
    assert 512 == len(found.body)


@pytest.mark.parametrize("how", ["length", "chunked", "till-close"])
def test_a_binary_answer_of_any_length_passes(client: Client, raw: RawUpstream, how: str) -> None:
    sound = bytes(range(256)) * 8192
    fields = {"content_type": "audio/mpeg"}
    if how == "length":
        fields["content_length"] = str(len(sound))
    if how == "chunked":
        fields["transfer_encoding"] = "chunked"
        sound_on_the_wire = b"%x\r\n" % len(sound) + sound + b"\r\n0\r\n\r\n"
    else:
        sound_on_the_wire = sound
    raw.answers([head(**fields), sound_on_the_wire])
    found = client.post(
        "/v1/audio/speech", JSON_BODIES["/v1/audio/speech"],
        x_portkey_provider="fake", x_portkey_custom_host=raw.base,
    )  # fmt: skip

    assert sound == found.body
    assert "no" == found.header("x-accel-buffering")


# ---- models


def test_the_models_of_a_named_provider_are_proxied(client: Client, upstream: FakeUpstream) -> None:
    found = client.get("/v1/models")

    assert "fake" in [model["id"] for model in found.json()["data"]]
    assert ["/v1/models"] == [received.path for received in upstream.fake.requests]
    assert "fake" == client.get("/v1/models/fake").json()["id"]


def test_the_models_of_all_configured_providers_are_listed(client: Client) -> None:
    found = client.get("/v1/models", x_portkey_provider="")
    names = [model["id"] for model in found.json()["data"]]

    assert {"@fake/fake", "@openai/fake"} <= set(names)
    assert not any(name.startswith("@groq/") for name in names), "it has no key"
    assert "@fake/fake" == names[0]


def test_listed_models_need_not_be_asked_for(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve(providers={"groq": {"models": ["llama-3"]}, "fake": {"base_url": upstream.base}})
    names = [m["id"] for m in client.get("/v1/models", x_portkey_provider="").json()["data"]]

    assert "@groq/llama-3" == names[0]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"base_url": "http://127.0.0.1:1/v1", "api_key": "k"}, id="unreachable"),
        pytest.param({"api_key": "k"}, id="no-address"),
    ],
)
def test_a_provider_that_cannot_be_asked_is_left_out(
    serve: Serve, upstream: FakeUpstream, broken: dict[str, str]
) -> None:
    client = serve(providers={"fake": {"base_url": upstream.base}, "azure-openai": broken})
    found = client.get("/v1/models", x_portkey_provider="")

    assert 200 == found.status
    assert "@fake/fake" == found.json()["data"][0]["id"]


def test_an_anonymous_caller_does_not_see_what_is_configured(serve: Serve) -> None:
    client = serve(access="open")

    assert 400 == client.request("GET", "/v1/models", {"authorization": None}).status


# ---- the proxy


@pytest.mark.parametrize("prefix", ["/v1/", "/v1/proxy/"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_any_other_path_and_method_is_proxied(
    client: Client, upstream: FakeUpstream, method: str, prefix: str
) -> None:
    body = b'{"a": 1}' if method in ("POST", "PUT", "PATCH") else None
    headers = {"x-portkey-provider": "fake", "content-type": "application/json"}
    found = client.request(method, f"{prefix}assistants/a-1?order=asc&x=%20", headers, body)
    (received,) = upstream.fake.requests

    assert (200, method) == (found.status, received.method)
    assert ("/v1/assistants/a-1", "order=asc&x=%20") == (received.path, received.query)
    assert (body or b"") == received.body


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files/f", "/v1/things", "/v1/proxy/things"])
def test_head_asks_the_provider_and_has_no_body(
    client: Client, upstream: FakeUpstream, path: str
) -> None:
    found = client.request("HEAD", path, {"x-portkey-provider": "fake"})

    assert b"" == found.body
    assert "0" != found.header("content-length"), "which would say how long a GET's body is"
    assert ["HEAD"] == [received.method for received in upstream.fake.requests]


def test_a_204_has_neither_body_nor_length(client: Client, raw: RawUpstream) -> None:
    raw.answers([head(204)])
    headers = {"x-portkey-provider": "fake", "x-portkey-custom-host": raw.base}
    found = client.request("DELETE", "/v1/things/1", headers)

    assert (204, b"") == (found.status, found.body)
    assert found.header("content-length") is None
    assert found.header("transfer-encoding") is None


def test_override_params_reach_a_proxied_post_only(client: Client, upstream: FakeUpstream) -> None:
    config = encode({"provider": "fake", "override_params": {"b": 2}}).decode()
    headers = {"x-portkey-config": config, "content-type": "application/json"}
    client.request("POST", "/v1/things", headers, b'{"a":1}')
    client.request("PUT", "/v1/things", headers, b'{"a":1}')

    assert [b'{"a":1,"b":2}', b'{"a":1}'] == [received.body for received in upstream.fake.requests]


def test_a_proxied_json_that_is_no_object_passes(client: Client, upstream: FakeUpstream) -> None:
    client.post("/v1/things", b"[1, 2]", content_type="application/json")

    assert [b"[1, 2]"] == [received.body for received in upstream.fake.requests]


def test_a_retry_and_a_fallback_act_on_the_proxy(client: Client) -> None:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "fake", "custom_host": "http://127.0.0.1:1/v1", "retry": {"attempts": 1}},
            {"provider": "fake"},
        ],
    }
    found = client.get("/v1/things", x_portkey_config=encode(config).decode())

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))
    assert 3 == len(client.new_record().attempts)


# ---- methods and greetings


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/things", "/"])
def test_a_method_that_no_route_has_is_405(client: Client, method: str, path: str) -> None:
    found = client.request(method, path, {"x-portkey-provider": "fake"})

    assert (405, "method_not_allowed") == (found.status, found.error["code"])
    assert "GET, HEAD, POST, PUT, PATCH, DELETE" == found.header("allow")


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("DELETE", "/healthz")])
def test_a_method_that_a_route_lacks_is_405(client: Client, method: str, path: str) -> None:
    found = client.request(method, path)

    assert 405 == found.status
    assert "GET, HEAD" == found.header("allow")


@pytest.mark.parametrize(
    ("path", "body"), [("/", b"AI Gateway says hey!"), ("/healthz", b'{"status":"ok"}')]
)
def test_greetings(client: Client, path: str, body: bytes) -> None:
    assert body == client.request("GET", path).body
    found = client.request("HEAD", path)

    assert (200, b"", str(len(body))) == (found.status, found.body, found.header("content-length"))


def test_a_draining_gateway_refuses_and_says_when(serve: Serve) -> None:
    client = serve(limits={"max_queued_records": 1234})
    client.gateway.drain()
    try:
        found = client.chat()
    finally:
        client.gateway._app.draining = False

    assert (503, "draining", "1") == (
        found.status,
        found.error["code"],
        found.header("retry-after"),
    )


@pytest.mark.parametrize("prefix_only", [True, False])
def test_the_host_keeps_its_own_paths(client: Client, prefix_only: bool) -> None:
    if client.host.prefix:
        found = client.beside("/own" if prefix_only else "/llmx/v1/models")

        assert (200 if prefix_only else 404) == found.status
        assert set() == found.families
