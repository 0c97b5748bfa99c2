"""The world outside for checks: other models, and URLs through the guarded transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.engine.services import MAX_KEPT, Kept
from llmgateway.settings import client_key_digest
from llmgateway.stores import MemoryDocuments, MemoryKeyStore, MemoryRecords, StoredKey
from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread
from llmgateway.types.call import CallerPolicy
from llmgateway.types.documents import SavedGuardrail, VirtualKey
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine import guard_checks
from tests.scripted import Clock, Scripted, ScriptedTransport, chat, failure, world

CLIENT = "a-client-key-of-this-test"
__all__ = ["guard_checks"]


class Given:
    """A gateway with stored credentials and a client key."""

    def __init__(
        self,
        *steps: Any,
        policy: CallerPolicy | None = None,
        settings: dict[str, Any] | None = None,
        workspace: str | None = "1",
    ) -> None:
        self.transport, self.records = ScriptedTransport(*steps), MemoryRecords()
        self.documents = MemoryDocuments()
        self.documents.put("1", VirtualKey("team", "openai", "sk-of-the-team"))
        self.documents.put("2", VirtualKey("theirs", "openai", "sk-of-others"))
        stored = StoredKey(
            "key:1", client_key_digest(CLIENT), workspace, policy=policy or CallerPolicy()
        )
        self.clock = Clock()
        self.gateway = Gateway(
            {
                "default_provider": "openai",
                "providers": {
                    "openai": {"api_key": "sk-of-the-settings"},
                    "groq": {"api_key": "gsk-of-the-settings"},
                },
                **(settings or {}),
            },
            keys=MemoryKeyStore([stored]),
            documents=self.documents,
            records=self.records,
            transport=lambda: self.transport,
            world=world(self.transport, self.clock),
        )

    async def ask(self, config: Any = None, text: str = "Hello", **head: str) -> tuple[int, Any]:
        if config is not None:
            head["x_portkey_config"] = orjson.dumps(config).decode()
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        headers = Headers.of(
            authorization=f"Bearer {CLIENT}", content_type="application/json", **head
        )
        got = await self.gateway.handle(
            HTTPRequest("POST", "/v1/chat/completions", "", headers, orjson.dumps(body))
        )
        assert isinstance(got.body, bytes)
        return got.status, orjson.loads(got.body)

    def sent(self) -> list[tuple[str, str, str]]:
        """Return host, credential and model of each request."""
        return [
            (
                request.url.split("/")[2],
                dict(request.headers).get(b"authorization", b"").decode(),
                orjson.loads(body)["model"],
            )
            for request, body in zip(self.transport.requests, self.transport.bodies, strict=True)
        ]


def judged(model: str, name: str = "asks", **more: Any) -> dict[str, Any]:
    return {f"trial.{name}": {"model": model}, "deny": True, "fail_on_error": True, **more}


def error(body: Any) -> str:
    (check,) = body["hook_results"]["before_request_hooks"][0]["checks"]
    return str(check["error"]["message"])


OPENAI, GROQ = "api.openai.com", "api.groq.com"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("judge", (OPENAI, "Bearer sk-of-the-settings", "judge")),
        ("@groq/judge", (GROQ, "Bearer gsk-of-the-settings", "judge")),
        ("@team/judge", (OPENAI, "Bearer sk-of-the-team", "judge")),
    ],
)
@pytest.mark.parametrize("by", ["config", "settings"])
async def test_which_credential_a_judge_uses(
    model: str, expected: tuple[str, str, str], by: str
) -> None:
    hook = judged(model)
    settings = {"input_guardrails": [hook]} if by == "settings" else {}
    given = Given(chat("yes"), chat("Bat"), settings=settings)
    status, _ = await given.ask({"input_guardrails": [hook]} if by == "config" else None)

    assert 200 == status
    assert expected == given.sent()[0]
    assert (OPENAI, "Bearer sk-of-the-settings", "m") == given.sent()[1]


async def test_a_judge_that_says_no_denies() -> None:
    given = Given(chat("no"))

    assert 446 == (await given.ask({"input_guardrails": [judged("judge")]}))[0]


async def test_a_judge_has_no_guardrails_of_its_own() -> None:
    hook = judged("judge")
    given = Given(
        chat("yes"),
        chat("yes"),
        chat("Bat"),
        settings={"input_guardrails": [hook], "output_guardrails": [{"trial.notes": {}}]},
    )
    status, _ = await given.ask({"input_guardrails": [hook]})

    assert 200 == status
    assert 3 == len(given.transport.requests)


async def test_what_a_judge_costs_is_not_the_calls() -> None:
    given = Given(chat("yes"), chat("Bat"))
    await given.ask({"input_guardrails": [judged("judge")]})
    await given.gateway.aclose()
    (record,) = given.records.all()

    assert (3, 2) == (record.usage.input, record.usage.output)
    assert 1 == len(record.attempts)


async def test_anothers_virtual_key_is_not_there() -> None:
    given = Given()
    status, body = await given.ask({"input_guardrails": [judged("@theirs/judge")]})

    assert 446 == status
    assert "could not be asked" in error(body)
    assert [] == given.transport.requests


@pytest.mark.parametrize(
    ("policy", "model"),
    [
        (CallerPolicy(models=("m",)), "judge"),
        (CallerPolicy(models=("m",)), "@team/judge"),
        (CallerPolicy(providers=("openai",)), "@groq/judge"),
    ],
)
async def test_a_callers_own_judge_has_no_more_rights_than_the_caller(
    policy: CallerPolicy, model: str
) -> None:
    given = Given(policy=policy)
    status, body = await given.ask({"input_guardrails": [judged(model)]})

    assert 446 == status
    assert "may not use" in error(body)
    assert [] == given.transport.requests


@pytest.mark.parametrize("by", ["settings", "saved", "key"])
async def test_a_judge_that_is_demanded_is_not_bound_by_the_callers_rights(by: str) -> None:
    hook = judged("@groq/judge")
    raw = orjson.dumps([hook]).decode() if by == "key" else None
    policy = CallerPolicy(models=("m",), providers=("openai",), input_guardrails=raw)
    settings = {"input_guardrails": [hook]} if by == "settings" else {}
    given = Given(chat("yes"), chat("Bat"), policy=policy, settings=settings)
    given.documents.put("1", SavedGuardrail("pg-judge", orjson.dumps(hook).decode()))
    status, _ = await given.ask({"input_guardrails": ["pg-judge"]} if by == "saved" else None)

    assert 200 == status
    assert GROQ == given.sent()[0][0]


async def test_nobody_is_judged_for_a_target_that_the_caller_may_not_use() -> None:
    given = Given(
        policy=CallerPolicy(providers=("openai",)),
        settings={"input_guardrails": [judged("@openai/judge")]},
    )
    status, _ = await given.ask({"provider": "groq"})

    assert 403 == status
    assert [] == given.transport.requests


async def test_a_judge_without_a_provider_is_asked_at_the_target_itself() -> None:
    target = {
        "provider": "openai",
        "api_key": "sk-of-the-config",
        "override_params": {"model": "x"},
    }
    given = Given(chat("yes"), chat("Bat"))
    await given.ask({**target, "input_guardrails": [judged("judge")]})

    assert [
        (OPENAI, "Bearer sk-of-the-config", "judge"),
        (OPENAI, "Bearer sk-of-the-config", "x"),
    ] == given.sent()


async def test_but_one_that_is_demanded_never_at_a_host_that_the_caller_names() -> None:
    given = Given(
        chat("no"), settings={"custom_hosts": "known", "input_guardrails": [judged("judge")]}
    )
    config = {"provider": "openai", "custom_host": "https://evil.example.com/v1"}
    status, _ = await given.ask(config)

    assert 446 == status
    assert [OPENAI] == [host for host, _, _ in given.sent()]


async def test_moderation() -> None:
    flagged = Scripted(chunks=[orjson.dumps({"results": [{"flagged": True}]})])
    given = Given(flagged)
    status, _ = await given.ask({"input_guardrails": [judged("guard", "moderates")]})

    assert 446 == status
    assert given.transport.requests[0].url.endswith("/v1/moderations")
    assert {"input": "Hello", "model": "guard"} == orjson.loads(given.transport.bodies[0])


@pytest.mark.parametrize(
    "answer",
    [
        failure(500, "down"),
        Scripted(chunks=[b"no JSON"]),
        Scripted(chunks=[b"[]"]),
        Scripted(302, [b""], {"location": "http://elsewhere.example.com"}),
    ],
)
async def test_a_judge_that_is_away_is_an_error(answer: Scripted) -> None:
    given = Given(answer)
    status, body = await given.ask({"input_guardrails": [judged("judge")]})

    assert 446 == status
    assert "The model judge could not be asked" in error(body)


async def test_a_judge_ends_with_the_call() -> None:
    given = Given(chat("yes"), chat("Bat"))
    await given.ask({"input_guardrails": [judged("judge")]})

    assert given.transport.requests[0].deadline == given.transport.requests[1].deadline


# ---- URLs


async def test_what_is_fetched_ends_with_its_time_and_the_call() -> None:
    given = Given(Scripted(chunks=[b"{}"]), chat(), settings={"limits": {"total_s": 3.0}})
    hook = {"trial.fetches": {"url": "https://checks.example.com/a", "timeout_s": 60.0}}
    status, body = await given.ask({"input_guardrails": [hook]})
    sent = given.transport.requests[0]

    assert 200 == status
    assert ("GET", "https://checks.example.com/a") == (sent.method, sent.url)
    assert ((b"x-mine", b"1"),) == tuple(sent.headers)
    assert given.clock.now + 3.0 == sent.deadline


async def test_a_fetch_that_never_ends_is_an_error() -> None:
    given = Given(Scripted(chunks=[asyncio.Event()]))
    hook = {
        "trial.fetches": {"url": "https://checks.example.com/a?key=secret", "timeout_s": 0.02},
        "deny": True,
        "fail_on_error": True,
    }
    _, body = await given.ask({"input_guardrails": [hook]})

    assert "checks.example.com did not answer within 0.02 s." == error(body)


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    """The address of a server on this machine."""
    with serve_in_thread(FakeProvider()) as server:
        yield server.url


@pytest.mark.parametrize(("is_allowed", "status"), [(False, 446), (True, 200)])
async def test_private_addresses_are_refused_unless_they_are_allowed(
    fake: str, is_allowed: bool, status: int
) -> None:
    provider = {"base_url": f"{fake}/v1", "api_key": "sk-a"}
    gateway = Gateway(
        {
            "access": "open",
            "allow_loopback_upstreams": is_allowed,
            "providers": {"openai": provider},
            "default_provider": "openai",
        }
    )
    hook = {
        "trial.fetches": {"url": f"{fake}/v1/models"},
        "deny": True,
        "fail_on_error": True,
    }
    headers = Headers.of(
        authorization="Bearer sk-own",
        content_type="application/json",
        x_portkey_config=orjson.dumps({"input_guardrails": [hook]}).decode(),
        x_portkey_provider="openai",
    )
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    async with gateway:
        got = await gateway.handle(HTTPRequest("POST", "/v1/chat/completions", "", headers, body))
    assert isinstance(got.body, bytes)

    assert status == got.status, got.body
    if not is_allowed:
        assert b"not allowed" in got.body or b"address" in got.body


# ---- what is kept


def test_what_is_kept_is_bounded_and_grows_old() -> None:
    clock = Clock()
    kept = Kept(clock.read)
    for number in range(MAX_KEPT + 1):
        kept.put(str(number), number, 10.0)
    found = kept.get("0"), kept.get("1"), kept.get(str(MAX_KEPT))
    clock.now += 10

    assert (None, 1, MAX_KEPT) == found
    assert kept.get("1") is None
