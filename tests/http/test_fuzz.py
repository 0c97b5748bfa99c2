"""Bad bodies are the client's fault: seeded mutations, confused types and charset junk (S1).

In process, with a transport that answers at once: the more tries the better. `CI` asks for the
whole number that requirement S1 names.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.http.routes import ROUTES, Body
from llmgateway.stores import MemoryRecords
from llmgateway.testing.fake_row import FAKE
from llmgateway.types.http import Headers, HTTPRequest, HTTPResponse
from llmgateway.types.upstream import UpstreamRequest
from tests.scripted import Scripted, ScriptedTransport, delta, events, stream

TRIES = 10_000 if os.environ.get("CI") else 2_000
MIB = 2**20
POSTS = [route.path for route in ROUTES if "POST" in route.methods and route.body is Body.JSON]
PATHS = [*POSTS, "/v1/things", "/v1beta/models/m:generateContent"]
DOORS = ["/v1/chat/completions", "/v1/messages", "/v1/responses", PATHS[-1]]
CONFIGS: tuple[str, ...] = (
    "",
    '{"provider":"fake","override_params":{"user":"u"}}',
    '{"strategy":{"mode":"conditional","default":"t","conditions":'
    '[{"query":{"params.model":{"$in":["a"]}},"then":"t"}]},'
    '"targets":[{"name":"t","provider":"fake"}]}',
    '{"provider":"anthropic","api_key":"k"}',
    '{"provider":"google","api_key":"k"}',
)
CONFIG_NAMES = ("plain", "override", "condition", "messages", "gemini")

BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "h\u00ef \u20ac \U0001f600"}]},
        {"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "stream": False, "temperature": 0.5, "max_tokens": 12345678901, "stop": ["a", "\u0000"],
    "response_format": {"type": "json_object"}, "metadata": {"k": None}, "input": ["x", [1, 2]],
}  # fmt: skip
WHOLE = orjson.dumps(BODY)


WHOLES = {
    "generateContent": b'{"candidates":[{"content":{"parts":[]},"finishReason":"STOP"}]}',
    "countTokens": b'{"totalTokens":1}',
    "count_tokens": b'{"input_tokens":1}',
    "messages": b'{"type":"message","role":"assistant","content":[],"stop_reason":"end_turn"}',
    "completions": b'{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}',
}
STREAMS = {
    "completions": events(*(delta("x", "stop", n) for n in range(8))),
    "responses": events({"type": "response.output_text.delta", "delta": "x"},
                        {"type": "response.completed", "response": {}}),
    "messages": events(
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ),
    "streamGenerateContent": events(
        {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]},
        done=False,
    ),
}  # fmt: skip


class Relays(ScriptedTransport):
    """Takes any request, keeps its body and answers it well."""

    last: bytes | None = None

    async def send(self, request: UpstreamRequest) -> Any:
        self.steps = [_answer_to(request)]
        response = await super().send(request)
        self.requests.clear()
        (self.last,) = self.bodies
        self.bodies.clear()
        return response


def _answer_to(request: UpstreamRequest) -> Scripted:
    path = re.split("[/:]", request.url.partition("?")[0])[-1]
    assert isinstance(request.body, bytes)
    if "stream" in path or orjson.loads(request.body).get("stream") is True:
        return stream(*STREAMS.get(path, STREAMS["completions"]))
    return Scripted(chunks=[WHOLES.get(path, b'{"data":[],"output":[]}')])


class Bench:
    """One gateway and what it has been asked."""

    def __init__(self) -> None:
        self.transport = Relays()
        self.records = MemoryRecords(limit=100_000)
        self.gateway = Gateway(
            {"access": "local", "providers": {"fake": {"base_url": "http://127.0.0.1:9/v1"}}},
            providers=[FAKE],
            records=self.records,
            transport=lambda: self.transport,
        )
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0

    async def ask(self, path: str, body: bytes, config: str = "", **fields: str) -> HTTPResponse:
        """Post a body and judge the answer."""
        own = {"host": "localhost", "content_type": "application/json"}
        routing = {"x_portkey_config": config} if config else {"x_portkey_provider": "fake"}
        headers = Headers.of(**{**own, **routing, **fields})
        self.transport.last = None
        started = time.process_time()  # other load on the machine does not count
        response = await self.gateway.handle(HTTPRequest("POST", path, "", headers, body))
        self.slowest_s = max(self.slowest_s, time.process_time() - started)
        self.statuses[response.status] += 1
        assert response.status < 500, (path, body, config, response.body)
        assert not any(ord(" ") > byte for _, value in response.headers for byte in value)
        if not isinstance(response.body, bytes):
            async for _ in response.body:
                pass
        self.check_relayed()
        return response

    def check_relayed(self) -> None:
        """Assert that nothing which cannot be read has gone on."""
        if self.transport.last is not None:
            orjson.loads(self.transport.last)

    async def settle(self) -> None:
        """Assert that each request left one record."""
        await self.gateway.aclose()
        assert sum(self.statuses.values()) == len(self.records.all())


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield bodies that were damaged in up to four places."""
    draw = random.Random(seed)
    tokens = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e999", b"-", b"\x00",
              b"\xff", b"\xed\xa0\x80", b"\\ud800", b"NaN", b"9" * 400, b"\\u0000", b"[" * 70,
              b'"model":', b'"stream":true,', b'"a":1,' * 50]  # fmt: skip
    for _ in range(count):
        body = bytearray(WHOLE)
        for _ in range(draw.randint(1, 4)):
            at, length = draw.randrange(len(body) + 1), draw.randrange(12)
            piece = draw.choice(
                [b"", draw.choice(tokens), bytes(body[at : at + length]), draw.randbytes(length)]
            )
            body[at : at + draw.choice((0, length))] = piece
        yield bytes(body)


def test_no_mutation_of_a_body_is_an_error_of_ours() -> None:
    bench = Bench()
    draw = random.Random(1)

    async def run() -> None:
        await bench.ask(PATHS[0], WHOLE)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for body in mutations(20_261_124, TRIES):
            await bench.ask(draw.choice(PATHS), body, draw.choice(CONFIGS))
        await bench.gateway.recorder.flush()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 20 * MIB
        await bench.settle()

    asyncio.run(run())
    assert bench.slowest_s < 1.0
    assert {200, 400} == set(bench.statuses)
    assert min(bench.statuses.values()) > TRIES // 50, "the mutations are too tame, or too wild"


CONFUSED: list[Any] = [
    None, True, False, 0, -1, 10**18, 2**70, 1e308, -0.0, "", "x", "\x00", "x" * 20_000, [], {},
    [[]], [None], [{}], {"a": {}}, [1, "x", None], [["x"]], {"type": None}, [{"type": 5}],
]  # fmt: skip
FIELDS = [
    "model", "messages", "stream", "stream_options", "n", "tools", "tool_choice", "temperature",
    "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "user", "logit_bias",
    "logprobs", "top_logprobs", "response_format", "metadata", "input", "prompt", "functions",
    "modalities", "audio", "parallel_tool_calls", "reasoning_effort",
    "system", "thinking", "contents", "systemInstruction", "generationConfig", "instructions",
]  # fmt: skip


CROSSED = [
    *(pytest.param(c, DOORS[0], id=n) for c, n in zip(CONFIGS[:3], CONFIG_NAMES, strict=False)),
    *(pytest.param(c, door, id=f"{door.rpartition('/')[2]}-to-{n}")
      for c, n in zip(CONFIGS[3:], CONFIG_NAMES[3:], strict=True) for door in DOORS),
]  # fmt: skip


@pytest.mark.parametrize(("config", "path"), CROSSED)
def test_no_confusion_of_types_is_an_error_of_ours(config: str, path: str) -> None:
    bench = Bench()

    async def run() -> None:
        for name in FIELDS:
            for value in CONFUSED:
                text = "1" + "0" * 30 if value == 2**70 else orjson.dumps(value).decode()
                body = WHOLE[:-1] + f',"{name}":{text}}}'.encode()
                await bench.ask(path, body, config)
        await bench.settle()

    asyncio.run(run())
    assert {200, 400} >= set(bench.statuses)


@pytest.mark.parametrize("config", CONFIGS, ids=CONFIG_NAMES)
@pytest.mark.parametrize("member", ["role", "content", "tool_calls", "tool_call_id", "name"])
def test_no_confusion_within_messages_is_an_error_of_ours(member: str, config: str) -> None:
    bench = Bench()

    async def run() -> None:
        for value in CONFUSED:
            for role in ("system", "user", "assistant", "tool", "developer", "x"):
                message = {"role": role, "content": "x", member: 1 if value == 2**70 else value}
                await bench.ask(PATHS[0], orjson.dumps({**BODY, "messages": [message]}), config)
        await bench.settle()

    asyncio.run(run())
    assert {200, 400} >= set(bench.statuses)


@pytest.mark.parametrize("digits", [1, 19, 20, 5000])
def test_a_number_of_many_digits_in_a_schema_is_no_error_of_ours(digits: int) -> None:
    """Gemini's schemas write their numbers as texts."""
    bench = Bench()
    schema = {"type": "ARRAY", "minItems": "9" * digits, "items": {"type": "STRING"}}
    body = {
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
    }

    async def run() -> None:
        await bench.ask(DOORS[-1], orjson.dumps(body))
        await bench.settle()

    asyncio.run(run())
    assert {200, 400} >= set(bench.statuses)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "latin-1", "utf-7", "x", "", "\u00ff", '"'])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-32", "latin-1", "cp1252", "utf-7"])
def test_no_charset_is_an_error_of_ours(charset: str, coding: str) -> None:
    bench = Bench()

    async def run() -> None:
        text = '{"model":"m","messages":[{"role":"user","content":"h\u00efh"}]}'
        await bench.ask(
            PATHS[0], text.encode(coding), content_type=f"application/json; charset={charset}"
        )
        await bench.settle()

    asyncio.run(run())
    assert {200, 400} >= set(bench.statuses)


@pytest.mark.parametrize("name", ["config", "metadata", "provider", "forward-headers", "trace-id"])
def test_no_mutation_of_a_header_is_an_error_of_ours(name: str) -> None:
    bench = Bench()
    draw = random.Random(7)
    seeds = {"config": CONFIGS[2], "metadata": '{"a":{"b":[1]}}', "provider": "fake"}

    async def run() -> None:
        for _ in range(TRIES // 10):
            text = list(seeds.get(name, "x-one, x-two"))
            for _ in range(draw.randint(1, 3)):
                at = draw.randrange(len(text) + 1)
                text[at : at + draw.randrange(4)] = draw.choice(
                    ["", chr(draw.randrange(32, 256)), '"', "}", "[", "$regex", "9" * 30, "null"]
                )
            field = {f"x_portkey_{name.replace('-', '_')}": "".join(text)}
            await bench.ask(PATHS[0], WHOLE, **{"x_portkey_provider": "fake", **field})
        await bench.settle()

    asyncio.run(run())
    assert {200, 400} >= set(bench.statuses)


def test_hostile_depth_is_refused_at_once() -> None:
    bench = Bench()

    async def run() -> None:
        for body in (b"[" * 2 * MIB, b'{"a":' * 400_000, b'{"a":' + b"[" * MIB + b"]" * MIB + b"}"):
            await bench.ask(PATHS[0], body)
        await bench.settle()

    asyncio.run(run())
    assert {400} == set(bench.statuses)
    assert bench.slowest_s < 0.25, "50 ms, on a machine of one's own"
