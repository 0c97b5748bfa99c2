"""Webhooks, the log and URLs, against a table of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgateway.guardrails import CheckFailed, Fetched, ParameterFault, Subject
from llmgateway.guardrails.outside import urls_in
from tests.guardrails.stubs import StubServices, bound, run, subject

HOOK = "https://user:pass@hook.example/check?key=secret"


def answered(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Fetched:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fetched(status, headers or {}, raw)


def seen(stage: str = "input") -> Subject:
    return subject(
        "hello",
        stage=stage,
        request={"model": "m", "messages": [{"role": "user", "content": "hello"}]},
        answer={"choices": []} if stage == "output" else None,
        provider="someone",
        metadata={"user": "u1"},
        headers={"authorization": "Bearer sk-secret"},
        is_stream=True,
    )


@pytest.mark.parametrize("stage", ["input", "output"])
@pytest.mark.parametrize("verdict", [True, False])
async def test_webhook_decides(stage: str, verdict: bool) -> None:
    services = StubServices({HOOK: answered({"verdict": verdict, "data": {"why": "x"}})})
    one = bound("webhook", {"webhookURL": HOOK, "headers": '{"x-mine": "1"}', "timeout": 500})
    found = await run(one, seen(stage), services)
    assert found.passed is verdict
    assert found.data["responseData"] == {"why": "x"}
    assert found.data["webhookUrl"] == "https://hook.example/check"
    assert found.request is found.answer is None
    [(method, url, headers, body, timeout_s)] = services.asked
    assert (method, url, timeout_s) == ("POST", HOOK, 0.5)
    assert headers == {"content-type": "application/json", "x-mine": "1"}
    sent = json.loads(body)
    assert b"sk-secret" not in body
    assert sent["eventType"] == {"input": "beforeRequestHook", "output": "afterRequestHook"}[stage]
    assert sent["requestType"] == "chatComplete"
    assert sent["provider"] == "someone"
    assert sent["metadata"] == {"user": "u1"}
    assert sent["request"]["json"]["model"] == "m"
    assert sent["request"]["isStreamingRequest"] is True
    assert sent["request" if stage == "input" else "response"]["text"] == "hello"
    assert sent["response"]["statusCode"] == (None if stage == "input" else 200)


async def test_webhook_changes_the_body() -> None:
    changed = {"request": {"json": {"model": "n"}}, "response": {"json": {"choices": [1]}}}
    services = StubServices({HOOK: answered({"verdict": True, "transformedData": changed})})
    one = bound("webhook", {"webhookURL": HOOK})
    assert one.may_change
    found = await run(one, seen("input"), services)
    assert (found.request, found.answer) == ({"model": "n"}, None)
    found = await run(one, seen("output"), services)
    assert (found.request, found.answer) == (None, {"choices": [1]})


@pytest.mark.parametrize("changed", [[], "x", {"request": 1}, {"request": {"json": []}}, None])
async def test_webhook_changes_nothing_by_what_is_no_body(changed: Any) -> None:
    services = StubServices({HOOK: answered({"verdict": True, "transformedData": changed})})
    found = await run(bound("webhook", {"webhookURL": HOOK}), seen(), services)
    assert found.request is None


@pytest.mark.parametrize(
    "answer",
    [
        answered({"verdict": True}, 500),
        answered({"verdict": True}, 302),
        answered(b"<html>"),
        answered(b"\xff"),
        answered([True]),
        answered({}),
        answered({"verdict": "true"}),
        CheckFailed("The connection failed"),
    ],
)
async def test_a_webhook_that_cannot_say_is_an_error(answer: Fetched | Exception) -> None:
    one = bound("webhook", {"webhookURL": HOOK})
    with pytest.raises(CheckFailed):
        await run(one, seen(), StubServices({HOOK: answer}))


async def test_log() -> None:
    one = bound("log", {"logURL": HOOK, "headers": {"authorization": "x"}})
    assert not one.check.needs_text
    services = StubServices({HOOK: answered(b"", 204)})
    assert (await run(one, seen("output"), services)).passed
    assert json.loads(services.asked[0][3])["response"]["text"] == "hello"
    with pytest.raises(CheckFailed, match="500"):
        await run(one, seen(), StubServices({HOOK: answered(b"", 500)}))


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"webhookURL": "ftp://x.example"}, ("webhookURL",)),
        ({"webhookURL": "hook"}, ("webhookURL",)),
        ({"webhookURL": "http://[::1"}, ("webhookURL",)),
        ({"webhookURL": "https://x/" + "a" * 3000}, ("webhookURL",)),
        ({"webhookURL": HOOK, "headers": "{"}, ("headers",)),
        ({"webhookURL": HOOK, "headers": "[]"}, ("headers",)),
        ({"webhookURL": HOOK, "headers": {"a": "x\r\ny: z"}}, ("headers", "a")),
        ({"webhookURL": HOOK, "headers": {"a b": "x"}}, ("headers", "a b")),
        ({"webhookURL": HOOK, "headers": {"a": 1}}, ("headers", "a")),
        ({"webhookURL": HOOK, "timeout": 0}, ("timeout",)),
    ],
)
def test_faults_of_parameters(parameters: Any, path: tuple[str, ...]) -> None:
    with pytest.raises(ParameterFault) as found:
        bound("webhook", parameters)
    assert found.value.path == path or found.value.path[:1] == path[:1]


TEXT = "See https://good.example/a, <http://bad.example/b> and (https://good.example/a)."


async def test_urls() -> None:
    services = StubServices(
        {
            "https://good.example/a": answered(b"", 204),
            "http://bad.example/b": answered(b"", 404),
            "https://moved.example": answered(b"", 301, {"location": "/there"}),
            "https://moved.example/there": answered(b""),
            "https://loop.example": answered(b"", 302, {"location": "https://loop.example"}),
        }
    )
    one = bound("validUrls")
    found = await run(one, subject(TEXT), services)
    assert not found.passed
    assert found.data["validUrls"] == ["https://good.example/a"]
    assert found.data["invalidUrls"] == ["http://bad.example/b"]
    assert {(asked[0], asked[4]) for asked in services.asked} == {("HEAD", 3.0)}
    assert (await run(one, subject("https://good.example/a!"), services)).passed
    assert (await run(one, subject("https://moved.example"), services)).passed
    assert not (await run(one, subject("https://loop.example"), services)).passed
    assert not (await run(one, subject("https://away.example"), services)).passed
    assert not (await run(one, subject("no links"), services)).passed
    assert (await run(bound("validUrls", {"not": True}), subject("none"), services)).passed
    with pytest.raises(CheckFailed, match="no text"):
        await run(one, subject(), services)


async def test_urls_by_name_alone() -> None:
    services = StubServices(hosts={"good.example", "bad.example"})
    one = bound("validUrls", {"onlyDNS": True})
    assert (await run(one, subject(TEXT), services)).passed
    assert sorted(asked[1] for asked in services.asked) == ["bad.example", "good.example"]
    assert not (await run(one, subject("https://nowhere.example"), services)).passed
    assert not (await run(one, subject("https://[x"), services)).passed


async def test_many_urls_are_an_error_and_ask_nobody() -> None:
    services = StubServices()
    text = " ".join(f"https://a{number}.example" for number in range(30))
    with pytest.raises(CheckFailed, match="more than 20"):
        await run(bound("validUrls"), subject(text), services)
    assert services.asked == []


def test_where_urls_end() -> None:
    assert urls_in("HTTPS://A.example/x?y=1#z. http:/no httpx https://ü.example/ö\u00a0z") == [
        "HTTPS://A.example/x?y=1#z",
        "https://ü.example/ö",
    ]
    assert urls_in("[a](https://a.example/b)") == ["https://a.example/b"]
    assert len(urls_in("http://" + "x" * 2**20)) == 1
