"""Guardrails over bodies of other kinds: vectors, images, transcripts, proxies, stored answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine import guard_checks
from tests.engine.guard_doors import response
from tests.engine.guarded import ASKED, ask
from tests.scripted import Scripted, ScriptedTransport, chat, world

MASK = {"default.regexReplace": {"rule": "/bad/g", "redactText": "***"}}
__all__ = ["guard_checks"]


def json(body: object, status: int = 200) -> Scripted:
    return Scripted(status, [orjson.dumps(body)])


def no(word: str, **more: Any) -> dict[str, Any]:
    return {"default.contains": {"words": [word], "operator": "none"}, **more}


VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "model": "m",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


@pytest.mark.parametrize("given", ["so bad", ["so bad"], ["fine", "so bad", "well"]])
async def test_embeddings_inputs(given: Any) -> None:
    body = {"model": "m", "input": given}
    denied_ = await ask(
        {"input_guardrails": [no("bad", deny=True)]}, body=body, path="/v1/embeddings"
    )
    masked = await ask(
        {"input_guardrails": [MASK]}, json(VECTORS), body=body, path="/v1/embeddings"
    )

    assert 446 == denied_.status
    assert b"bad" not in masked.transport.bodies[0]
    assert 200 == masked.status
    assert VECTORS["data"] == masked.body["data"]
    assert masked.body["hook_results"]["before_request_hooks"][0]["transformed"]


async def test_embeddings_of_tokens_have_no_text() -> None:
    body = {"model": "m", "input": [[1, 2], [3]]}
    got = await ask(
        {"input_guardrails": [no("bad", deny=True)]},
        json(VECTORS),
        body=body,
        path="/v1/embeddings",
    )

    assert 200 == got.status
    assert [[1, 2], [3]] == got.sent["input"]


async def test_embeddings_have_no_output_guardrails() -> None:
    got = await ask(
        {"output_guardrails": [no("bad", deny=True)]},
        json(VECTORS),
        body={"model": "m", "input": "a"},
        path="/v1/embeddings",
    )

    assert 200 == got.status
    assert "hook_results" not in got.body


async def test_image_prompts() -> None:
    body = {"model": "m", "prompt": "so bad"}
    config = {"input_guardrails": [no("bad", deny=True)]}
    got = await ask(config, body=body, path="/v1/images/generations")
    image = {"created": 1, "data": [{"b64_json": "bad0"}]}
    masked = await ask(
        {"input_guardrails": [MASK], "output_guardrails": [no("bad", deny=True)]},
        json(image),
        body=body,
        path="/v1/images/generations",
    )

    assert 446 == got.status
    assert "so ***" == masked.sent["prompt"]
    assert (200, image["data"]) == (masked.status, masked.body["data"])


class Form:
    """An upload of audio."""

    raw = (
        b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nbad\r\n--b--'
    )


async def transcribe(config: dict[str, Any], answer: Scripted) -> tuple[int, bytes, Any]:
    transport, records = ScriptedTransport(answer), MemoryRecords()
    gateway = Gateway(
        {"access": "open"}, records=records, transport=lambda: transport, world=world(transport)
    )
    headers = Headers.of(
        content_type="multipart/form-data; boundary=b",
        authorization="Bearer sk-own",
        x_portkey_config=orjson.dumps({"provider": "openai", **config}).decode(),
    )
    request = HTTPRequest("POST", "/v1/audio/transcriptions", "", headers, Form.raw)
    got = await gateway.handle(request)
    body = got.body
    if not isinstance(body, bytes):
        body = b"".join([piece async for piece in body])
    await gateway.aclose()
    return got.status, body, dict(got.headers)


LONG = "so bad " * 20_000


@pytest.mark.parametrize("said", ["so bad", LONG], ids=["short", "long"])
@pytest.mark.parametrize("kind", ["json", "text"])
async def test_transcripts_are_answers(said: str, kind: str) -> None:
    def answer() -> Scripted:
        raw = orjson.dumps({"text": said}) if kind == "json" else said.encode()
        type_ = "application/json" if kind == "json" else "text/plain; charset=utf-8"
        head = {"content-type": type_, "content-length": str(len(raw))}
        return Scripted(200, [raw[:9], raw[9:]], head)

    status, body, _ = await transcribe({"output_guardrails": [no("bad", deny=True)]}, answer())
    masked, masked_body, head = await transcribe({"output_guardrails": [MASK]}, answer())
    plain, plain_body, _ = await transcribe({}, answer())

    assert 446 == status
    assert "hooks_failed" == orjson.loads(body)["error"]["type"]
    assert 200 == masked
    assert b"so bad" not in masked_body
    text = orjson.loads(masked_body)["text"] if kind == "json" else masked_body.decode()
    assert said.replace("bad", "***") == text
    assert head.get(b"content-length") in (None, str(len(masked_body)).encode())
    assert (200, said.encode() in plain_body) == (plain, True)


async def test_a_transcript_in_no_unicode_goes_as_it_came_where_nothing_changes() -> None:
    raw = b"caf\xe9"
    answer = Scripted(200, [raw], {"content-type": "text/plain; charset=latin-1"})

    assert (200, raw) == (await transcribe({"output_guardrails": [MASK]}, answer))[:2]


# ---- proxies


@pytest.mark.parametrize(
    ("hook", "is_demanded", "status"),
    [
        (no("bad", deny=True), False, 200),
        (no("bad", deny=True, scope="all"), False, 446),
        (no("bad", deny=True), True, 446),
        ({"trial.about": {"allowed": ["chat"]}, "deny": True}, False, 446),
    ],
)
async def test_a_proxied_body_is_looked_at_by_choice(
    hook: Any, is_demanded: bool, status: int
) -> None:
    config = {} if is_demanded else {"input_guardrails": [hook]}
    got = await ask(
        config,
        json({"ok": 1}),
        body={"prompt": "so bad"},
        path="/v1/other/thing",
        settings={"input_guardrails": [hook]} if is_demanded else {},
    )

    assert status == got.status


async def test_a_proxied_answer_that_is_demanded_to_pass() -> None:
    settings = {"output_guardrails": [no("bad", deny=True)]}
    body, path = {"prompt": "fine"}, "/v1/other/thing"
    got = await ask({}, json({"text": "so bad"}), body=body, path=path, settings=settings)
    listed = await ask({}, json(["so bad"]), body=body, path=path, settings=settings)
    image = Scripted(200, [b"\x89bad"], {"content-type": "image/png"})
    binary = await ask({}, image, body=body, path=path, settings=settings)

    assert (446, 446) == (got.status, listed.status)
    assert (200, b"\x89bad") == (binary.status, binary.raw)


async def test_what_is_demanded_of_a_proxied_body_is_not_got_round_by_its_type() -> None:
    settings = {"input_guardrails": [no("bad", deny=True)]}
    got = await ask(
        {},
        json({"ok": 1}),
        body={"prompt": "so bad"},
        path="/v1/other/thing",
        settings=settings,
        content_type="text/plain",
    )

    assert 446 == got.status
    assert [] == got.transport.requests


# ---- what is fetched again


async def fetch(
    method: str, path: str, config: dict[str, Any], answer: Scripted, raw: bytes = b""
) -> tuple[int, Any, ScriptedTransport]:
    transport = ScriptedTransport(answer)
    gateway = Gateway({"access": "open"}, transport=lambda: transport, world=world(transport))
    headers = Headers.of(
        authorization="Bearer sk-own",
        x_portkey_config=orjson.dumps({"provider": "openai", **config}).decode(),
        **({"content_type": "application/json"} if raw else {}),
    )
    got = await gateway.handle(HTTPRequest(method, path, "", headers, raw))
    body = got.body
    if not isinstance(body, bytes):
        body = b"".join([piece async for piece in body])
    await gateway.aclose()
    return got.status, orjson.loads(body), transport


async def test_a_stored_response_is_guarded_when_it_is_fetched() -> None:
    config = {"output_guardrails": [no("Apple", deny=True)], "input_guardrails": [no("x")]}
    status, body, _ = await fetch("GET", "/v1/responses/resp_1", config, response("Apple"))
    passed, _, _ = await fetch("GET", "/v1/responses/resp_1", config, response("Bat"))
    masked, masked_body, _ = await fetch(
        "GET", "/v1/responses/resp_1", {"output_guardrails": [MASK]}, response("so bad")
    )

    assert (446, 200, 200) == (status, passed, masked)
    assert "hooks_failed" == body["error"]["type"]
    assert "so ***" == masked_body["output"][0]["content"][0]["text"]


async def test_what_is_posted_below_responses_is_guarded_too() -> None:
    raw = orjson.dumps({"model": "m", "input": "so bad"})
    path = "/v1/responses/input_tokens"
    config = {"input_guardrails": [no("bad", deny=True)]}
    status, _, _ = await fetch("POST", path, config, json({"input_tokens": 3}), raw)
    masked, _, transport = await fetch(
        "POST", path, {"input_guardrails": [MASK]}, json({"input_tokens": 3}), raw
    )

    assert (446, 200) == (status, masked)
    assert "so ***" == orjson.loads(transport.bodies[0])["input"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files/f/content", "/v1/batches/b"])
async def test_what_is_no_answer_is_left_alone(path: str) -> None:
    config = {"output_guardrails": [no("Apple", deny=True)]}
    status, body, _ = await fetch("GET", path, config, json({"data": "Apple"}))

    assert (200, {"data": "Apple"}) == (status, body)


# ---- a call without guardrails


async def test_a_call_without_guardrails_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def costs(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("nobody asked for a guardrail")

    for place in (
        "llmgateway.codecs.openai.OpenAIFormat.slots",
        "llmgateway.engine.guard.Matter.of",
        "llmgateway.engine.guard.Runner.run",
        "llmgateway.engine.guard.Vault",
        "llmgateway.engine.guard._copied",
        "llmgateway.engine.pool.Pool.run",
        "llmgateway.engine.guarding.Guarding.__init__",
        "llmgateway.engine.demands.Binder.bind",
    ):
        monkeypatch.setattr(place, costs)
    answer = chat("Hi")
    got = await ask({}, answer)

    assert 200 == got.status
    assert orjson.dumps(ASKED) == got.transport.bodies[0]
    assert answer.chunks[0] == got.raw


async def test_guardrails_that_change_nothing_forward_the_same_values() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "é \u2028 1"}], "seed": 2**63}
    got = await ask({"input_guardrails": [no("bad")]}, chat(), body=body)

    assert body == got.sent


# ---- Gemini's embeddings, and counts of tokens

_CONTENT = {"parts": [{"text": "so bad"}]}


@pytest.mark.parametrize("provider", ["google", "openai"])
@pytest.mark.parametrize("operation", ["embedContent", "batchEmbedContents"])
async def test_geminis_embeddings(provider: str, operation: str) -> None:
    one = {"model": "models/m", "content": _CONTENT}
    body = {"requests": [one]} if operation.startswith("batch") else one
    path = f"/v1beta/models/m:{operation}"
    vector = {"embeddings": [{"values": [0.5]}], "embedding": {"values": [0.5]}}
    hook = no("bad", deny=True)
    got = await ask({"provider": provider, "input_guardrails": [hook]}, body=body, path=path)
    masked = await ask(
        {"provider": provider, "input_guardrails": [MASK]},
        json(vector if provider == "google" else VECTORS),
        body=body,
        path=path,
    )

    assert 446 == got.status
    assert 200 == masked.status
    assert b"so ***" in masked.transport.bodies[0]


@pytest.mark.parametrize(
    ("provider", "path", "body"),
    [
        (
            "anthropic",
            "/v1/messages/count_tokens",
            {"model": "m", "messages": [{"role": "user", "content": "so bad"}]},
        ),
        ("google", "/v1beta/models/m:countTokens", {"contents": [{"role": "user", **_CONTENT}]}),
    ],
)
async def test_what_is_sent_to_be_counted_is_guarded(provider: str, path: str, body: Any) -> None:
    config = {"provider": provider, "input_guardrails": [MASK]}
    count = {"input_tokens": 3, "totalTokens": 3}
    got = await ask(config, json(count), body=body, path=path)
    denied_ = await ask(
        {"provider": provider, "input_guardrails": [no("bad", deny=True)]}, body=body, path=path
    )

    assert (200, 446) == (got.status, denied_.status)
    assert b"so ***" in got.transport.bodies[0]


@pytest.mark.parametrize("path", ["/v1/moderations", "/v1/audio/speech"])
async def test_other_texts_that_are_sent(path: str) -> None:
    body = {"model": "m", "input": "so bad", "voice": "v"}
    got = await ask({"input_guardrails": [no("bad", deny=True)]}, body=body, path=path)
    masked = await ask({"input_guardrails": [MASK]}, json({"results": []}), body=body, path=path)

    assert 446 == got.status
    assert "so ***" == masked.sent["input"]


async def test_where_no_text_can_be_read_the_other_checks_of_a_hook_still_run() -> None:
    both = {**no("bad"), "trial.about": {"allowed": ["chat"]}, "deny": True}
    status, body, _ = await transcribe({"input_guardrails": [both]}, json({"text": "fine"}))
    (hook,) = orjson.loads(body)["hook_results"]["before_request_hooks"]

    assert 446 == status
    assert ["trial.about"] == [check["id"] for check in hook["checks"]]


async def test_what_is_demanded_looks_at_proxied_bodies_also_where_it_fails_open() -> None:
    settings = {"input_guardrails": [no("bad", deny=True, fail_on_error=False)]}
    got = await ask({}, body={"prompt": "so bad"}, path="/v1/other/thing", settings=settings)

    assert 446 == got.status
