"""Values planted wherever a request has room for words are in no sink, and back in the answer.

What is masked in the request goes to nobody but the caller: no provider, no webhook that stands
after the mask, no record, no log. Out of scope: base64, and what the caller's own answer holds.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.guardrails import Subject, Verdict
from llmgateway.guardrails import registry as checks
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.pii import Vault, find
from llmgateway.providers import registry as providers
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.upstream import UpstreamRequest
from tests.engine.guarded import CHAT, Answered, ask
from tests.guardrails.pii.parrots import (
    NATIVE,
    TRANSLATED,
    Way,
    asked,
    got,
    got_streamed,
    parrot,
    path_of,
)
from tests.guardrails.pii.planted import Prompt, prompt
from tests.scripted import Scripted

PII = {"default.pii": {"redact": True, "reversible": True}}
PROMPTS = 200
ENTRY_POINTS = cache(entry_points)
OTHERS = (
    Way("completions", "openai", "completions"),
    Way("embeddings", "openai", "embeddings"),
)


@pytest.fixture(autouse=True)
def _installed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what is installed once: there are as many gateways as requests."""
    for registry in (providers, checks):
        monkeypatch.setattr(registry, "entry_points", ENTRY_POINTS)


def leaked(it: Prompt, **sinks: Any) -> list[tuple[str, str]]:
    """Return which value is in which sink."""
    texts = {name: sink if isinstance(sink, str) else str(sink) for name, sink in sinks.items()}
    return [(name, form) for form in it.forms for name, text in texts.items() if form in text]


def sinks_of(answer: Answered) -> dict[str, Any]:
    """Return all that went out of the gateway but to the caller."""
    requests = answer.transport.requests
    return {
        "bodies": [body.decode() for body in answer.transport.bodies],
        "urls": [request.url for request in requests],
        "heads": [request.headers for request in requests],
        "varying": [request.varying for request in requests],
        "record": json.dumps(asdict(answer.record), ensure_ascii=False, default=str),
        "escaped record": json.dumps(asdict(answer.record), default=str),
        "words": repr(asdict(answer.record)),
    }


async def send(
    it: Prompt, way: Way, *, is_stream: bool, by: str = "settings", logs: bool = True, **more: Any
) -> Answered:
    """Send a prompt through a door, to a provider that repeats it."""
    hooks = more.pop("hooks", [PII])
    stated = {"input_guardrails": hooks, **more.pop("guardrails", {})}
    settings: dict[str, Any] = {"log_bodies": logs, "limits": more.pop("limits", {})}
    config: dict[str, Any] = {"provider": way.provider}
    (settings if by == "settings" else config).update(stated)
    steps = more.pop("steps", [parrot(way.parrot, it.number, is_stream)])
    path = path_of(way.door, is_stream)
    if way.door == "gemini" and is_stream:
        more["query"] = "alt=sse"
    return await ask(
        config,
        *steps,
        body=asked(way.door, it, is_stream),
        path=path,
        settings=settings,
        x_portkey_metadata=json.dumps({"_user": it.note, "note": it.values[0]}),
        **more,
    )


@pytest.mark.parametrize("logs", [True, False], ids=["bodies logged", "not logged"])
@pytest.mark.parametrize("by", ["settings", "caller"])
@pytest.mark.parametrize("most", [40, pytest.param(PROMPTS, marks=pytest.mark.matrix)])
async def test_no_sink_has_a_value_and_the_caller_gets_them_back(
    most: int,
    by: str,
    logs: bool,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    first = 2 * (by == "caller") + logs
    for number in range(first, most, 4):
        it = prompt(number)
        ways = TRANSLATED if number // 4 % 2 else NATIVE
        more = [
            Way("completions", "openai", "completions"),
            Way("embeddings", "openai", "embeddings"),
        ]
        for way in (*ways, *more):
            for is_stream in (False, True):
                if is_stream and way.door == "embeddings":
                    continue
                answer = await send(it, way, is_stream=is_stream, by=by, logs=logs)
                where = f"{number} {way} {is_stream}"
                assert 200 == answer.status, (where, answer.raw)
                assert [] == leaked(it, **sinks_of(answer)), where
                if way.door != "embeddings":
                    assert_restored(it, way, answer, is_stream, where)
        assert [] == leaked(it, log=caplog.text, out="".join(capfd.readouterr()))


def answered(way: Way, answer: Answered, is_stream: bool) -> tuple[str, Any]:
    """Return what an answer says, and the arguments of its call."""
    if is_stream:
        return got_streamed(way.door, answer.events)
    return got(way.door, answer.body)


def assert_restored(it: Prompt, way: Way, answer: Answered, is_stream: bool, where: str) -> None:
    text, arguments = answered(way, answer, is_stream)
    assert it.said == text, where
    if way.door != "completions":
        assert json.loads(it.arguments) == arguments, where


# ---- masked for good, denied, failed


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", NATIVE + TRANSLATED, ids=str)
async def test_masked_for_good(way: Way, is_stream: bool) -> None:
    hooks = [{"default.pii": {"redact": True, "reversible": False}}]
    for number in range(900, 903):
        it = prompt(number)
        answer = await send(it, way, is_stream=is_stream, hooks=hooks)

        assert 200 == answer.status
        assert [] == leaked(it, **sinks_of(answer), answer=answer.raw.decode())
        said, arguments = answered(way, answer, is_stream)
        assert b"[EMAIL_ADDRESS]" in answer.transport.bodies[0]
        assert "[" in said and "[CREDIT_CARD]" == arguments["card"]
        assert True is arguments["[EMAIL_ADDRESS]"]


@pytest.mark.parametrize("by", ["settings", "caller"])
async def test_errors_that_quote_the_request(
    by: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for number in range(PROMPTS, PROMPTS + 40):
        it, way = prompt(number), (NATIVE + TRANSLATED)[number % 9]
        is_stream = number % 2 == 0
        answer = await send(it, way, is_stream=is_stream, by=by, steps=[refuse])

        assert 422 == answer.status
        assert b"[" in answer.raw
        assert [] == leaked(it, **sinks_of(answer), answer=answer.raw.decode())
        assert [] == leaked(it, log=caplog.text, out="".join(capfd.readouterr()))


def refuse(request: UpstreamRequest) -> Scripted:
    """Answer with an error that quotes all that was sent."""
    assert isinstance(request.body, bytes)
    told = request.body.decode()
    error = {"message": told, "type": told[:60], "code": told[-60:], "param": told}
    return Scripted(422, [orjson.dumps({"error": error})])


@pytest.mark.parametrize("raw", [b'{"messages": "MAIL"', b'{"model": 3, "messages": "MAIL"}'])
async def test_requests_that_are_refused_before_any_guardrail(raw: bytes) -> None:
    it = prompt(1005)
    body = raw.replace(b"MAIL", it.values[0].encode())
    fields = {
        "content_type": "application/json",
        "authorization": "Bearer sk-own",
        "x_portkey_provider": "no such provider",
        "x_portkey_metadata": json.dumps({"_user": it.note}),
    }
    records = MemoryRecords()
    settings = {"access": "open", "log_bodies": True, "input_guardrails": [PII]}
    gateway = Gateway(settings, records=records)
    answer = await gateway.handle(HTTPRequest("POST", CHAT, "", Headers.of(**fields), body))
    await gateway.aclose()
    (record,) = records.all()

    assert 400 <= answer.status < 500
    assert record.request_body or record.error == "invalid_json"
    assert [] == leaked(it, record=asdict(record))


async def test_a_text_check_before_the_mask_tells_the_caller_and_no_record() -> None:
    it = prompt(1000)
    words = {"default.contains": {"words": [it.values[0]], "operator": "none"}}
    for deny in (False, True):
        hooks = [{**words, "scope": "all", "deny": deny}, PII]
        answer = await send(it, NATIVE[0], is_stream=False, hooks=hooks)

        assert (446 if deny else 246) == answer.status
        assert it.values[0] in json.dumps(answer.body["hook_results"])
        assert [] == leaked(it, **sinks_of(answer))


async def test_names_ids_and_paths_are_kept_out_of_records_too() -> None:
    it = prompt(1001)
    mail = "someone@example.org"
    it.values.append(mail)
    answer = await send(it, NATIVE[0], is_stream=False, x_portkey_trace_id=f"415-555-2671:{mail}")

    assert [] == leaked(it, **{k: v for k, v in sinks_of(answer).items() if "rec" in k})
    assert answer.record.trace_id.startswith("415-555-2671:[")


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
async def test_a_check_that_raises_words_of_the_prompt(
    is_stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    it = prompt(1002)
    hooks = [{"tests.quoting": {}}, PII]
    outputs: dict[str, Any] = {"output_guardrails": [{"tests.quoting": {}}]}
    for guardrails in (dict[str, Any](), outputs):
        answer = await send(it, NATIVE[0], is_stream=is_stream, hooks=hooks, guardrails=guardrails)

        assert 246 == answer.status or is_stream
        assert "The check tests.quoting raised" in caplog.text
        assert [] == leaked(it, **sinks_of(answer), log=caplog.text)


@check("tests.quoting", scope="all", window_limit=8)
def quoting(subject: Subject) -> Verdict:
    """Raise what it was given."""
    raise ValueError(f"cannot read {subject.text}")


# ---- webhooks


@pytest.mark.parametrize("is_beside", [False, True], ids=["in line", "beside"])
@pytest.mark.parametrize("which", ["default.webhook", "default.log"])
async def test_webhooks_after_the_mask_are_told_no_value(which: str, is_beside: bool) -> None:
    url = {"default.webhook": "webhookURL", "default.log": "logURL"}[which]
    hook = {which: {url: "https://hooks.example.com/x"}, "async": is_beside}
    it = prompt(1003)

    def answer_all(request: UpstreamRequest) -> Scripted:
        if request.url.startswith("https://hooks."):
            return Scripted(chunks=[b'{"verdict": true}'])
        return parrot("chat", it.number, False)(request)

    answer = await send(
        it,
        NATIVE[0],
        is_stream=False,
        hooks=[PII, hook],
        guardrails={"output_guardrails": [hook]},
        steps=[answer_all] * 3,
    )

    assert 200 == answer.status
    assert 3 == len(answer.transport.bodies)
    assert [] == leaked(it, **sinks_of(answer))
    told = [b for b in answer.transport.bodies if b"requestType" in b]
    assert 2 == len(told) and all(b"EMAIL_ADDRESS_" in body for body in told)
    assert_restored(it, NATIVE[0], answer, False, "")


# ---- what the model says by itself


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", NATIVE + TRANSLATED, ids=str)
async def test_what_a_model_says_is_masked_and_what_the_caller_said_comes_back(
    way: Way, is_stream: bool
) -> None:
    """The answer's checks see it as the model wrote it; the caller's values come back after."""
    it, own = prompt(1004), "model-own@example.net"

    def answer_more(request: UpstreamRequest) -> Scripted:
        assert isinstance(request.body, bytes)
        more = request.body.replace(b"HERE", own.encode())
        return parrot(way.parrot, it.number, is_stream)(replace(request, body=more))

    it.last = it.last.replace("\n", "\nand HERE, ")
    answer = await send(
        it,
        way,
        is_stream=is_stream,
        guardrails={"output_guardrails": [PII]},
        steps=[answer_more],
    )
    text, arguments = answered(way, answer, is_stream)

    assert own.encode() not in answer.raw
    assert it.said.replace("HERE", "[EMAIL_ADDRESS]") == text
    assert json.loads(it.arguments) == arguments
    assert [] == leaked(it, **sinks_of(answer))


# ---- what only the check could know


@pytest.mark.parametrize("reversible", [True, False])
async def test_records_are_without_what_the_checks_own_parameters_found(reversible: bool) -> None:
    stated = {"redact": True, "reversible": reversible, "regions": ["DE"]}
    it = prompt(1006)
    it.last = "Call 030 901820, my SSN: 219099999"
    it.note = '030 901820 or 219099999 or "219099999"'
    it.values += ["030 901820", "219099999"]
    answer = await send(it, NATIVE[0], is_stream=False, hooks=[{"default.pii": stated}])
    record = answer.record

    assert [] == leaked(it, metadata=record.metadata, request=record.request_body)
    assert [] == leaked(it, answer=record.response_body)


async def test_records_are_masked_as_the_checks_are_stated_whatever_their_scope() -> None:
    it, stated = prompt(1009), {"redact": True, "regions": ["DE"]}
    it.note = "030 901821"
    hooks = [{"default.pii": stated, "scope": "last"}]
    record = (await send(it, NATIVE[0], is_stream=False, hooks=hooks)).record

    assert it.note not in str(record.metadata) + str(record.request_body)


async def test_a_cut_of_a_logged_body_leaves_no_half_of_a_value() -> None:
    it = prompt(1008)
    it.last = f"{'word ' * 200} {it.last}"
    mail = next(value for value in it.values if "@" in value)
    it.user = f"from {mail}"
    whole = (await send(it, NATIVE[0], is_stream=False)).transport.bodies[0]
    for bound in range(200, len(whole), 97):
        answer = await send(it, NATIVE[0], is_stream=False, limits={"max_logged_body_bytes": bound})
        assert answer.record.request_body
        assert mail.partition(".")[0] not in answer.record.request_body


def test_no_repr_has_a_value() -> None:
    it = prompt(1007)
    subject = Subject("input", (it.last,), metadata={"note": it.note})
    vault = Vault()
    shown = [subject, vault, find(it.last), Verdict(True, texts=(it.last,))]
    vault.mask(it.last)

    assert [] == leaked(it, shown=repr(shown))
