"""`async: true`: beside the call, told to the record only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest, HTTPResponse
from llmgateway.types.record import Record
from tests.engine import guard_checks
from tests.engine.guarded import ask
from tests.scripted import Scripted, ScriptedTransport, chat, failure, world


@pytest.fixture(autouse=True)
def release() -> Iterator[None]:
    """Let go of what blocks."""
    with guard_checks.released():
        yield


def beside(name: str, **more: Any) -> dict[str, Any]:
    return {f"trial.{name}": {}, "deny": True, "async": True, "id": name, **more}


def told(record: Record) -> list[tuple[str, bool]]:
    assert record.hook_results is not None
    return [(hook["id"], hook["verdict"]) for hook in record.hook_results["beside"]]


@pytest.mark.parametrize("stage", ["input", "output"])
async def test_what_runs_beside_reports_to_the_record_only(stage: str) -> None:
    config = {f"{stage}_guardrails": [beside("notes"), beside("never")]}
    answer = chat("Bat")
    got = await ask(config, answer)

    assert 200 == got.status == got.record.status
    assert answer.chunks[0] == got.raw
    assert [("notes", True), ("never", False)] == told(got.record)
    assert got.record.hook_results is not None
    assert got.record.hook_results["beside"][0]["async"]
    assert ["Apple or Bat?" if stage == "input" else "Bat"] == guard_checks.RAN


async def test_it_changes_nothing() -> None:
    hook = beside("masks_beside")
    config = {"input_guardrails": [hook], "output_guardrails": [hook]}
    answer = chat("Bat")
    got = await ask(config, answer)

    assert answer.chunks[0] == got.raw
    assert "Apple or Bat?" == got.sent["messages"][0]["content"]
    assert [("masks_beside", False)] * 2 == told(got.record)


async def test_it_sees_what_the_hooks_before_it_have_made_of_the_request() -> None:
    mask = {"default.regexReplace": {"rule": "/Bat/g", "redactText": "***"}}
    got = await ask({"input_guardrails": [beside("notes"), mask, beside("notes")]}, chat())

    assert "Apple or ***?" == got.sent["messages"][0]["content"]
    assert ["Apple or ***?", "Apple or Bat?"] == sorted(guard_checks.RAN)
    assert got.record.hook_results is not None
    assert not any(hook["deny"] for hook in got.record.hook_results["beside"])


class Gate:
    """A gateway whose request is asked by hand."""

    def __init__(self, *steps: Scripted, **limits: Any) -> None:
        self.transport, self.records = ScriptedTransport(*steps), MemoryRecords()
        self.gateway = Gateway(
            {"access": "open", "limits": limits},
            records=self.records,
            transport=lambda: self.transport,
            world=world(self.transport),
        )

    async def ask(self, config: dict[str, Any]) -> HTTPResponse:
        headers = Headers.of(
            content_type="application/json",
            authorization="Bearer sk-own",
            x_portkey_config=orjson.dumps({"provider": "openai", **config}).decode(),
        )
        body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
        return await self.gateway.handle(
            HTTPRequest("POST", "/v1/chat/completions", "", headers, body)
        )


@pytest.mark.parametrize("name", ["hangs", "blocks"])
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_no_answer_waits_for_it_and_its_time_bounds_it(name: str, stage: str) -> None:
    gate = Gate(chat(), guard_check_s=0.05)
    answer = await asyncio.wait_for(gate.ask({f"{stage}_guardrails": [beside(name)]}), 5)

    assert 200 == answer.status
    assert [] == gate.records.all()
    await asyncio.wait_for(gate.gateway.aclose(), 5)
    (record,) = gate.records.all()
    assert record.hook_results is not None
    assert "CheckFailed" == record.hook_results["beside"][0]["checks"][0]["error"]
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_nothing_survives_the_closing() -> None:
    gate = Gate(*[chat() for _ in range(5)], guard_check_s=0.02)
    for _ in range(5):
        await gate.ask({"input_guardrails": [beside("hangs"), beside("notes")]})
    await gate.gateway.aclose()

    assert 5 == len(gate.records.all())
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_a_record_does_not_wait_where_too_many_do() -> None:
    gate = Gate(*[chat() for _ in range(3)], guard_check_s=0.02, max_queued_records=2)
    for _ in range(3):
        await gate.ask({"input_guardrails": [beside("hangs")]})
    await gate.gateway.aclose()

    assert [True, True, False] == sorted(
        (record.hook_results is not None for record in gate.records.all()), reverse=True
    )


async def test_each_targets_report_to_the_one_record() -> None:
    target = {"provider": "openai", "input_guardrails": [beside("notes")]}
    config = {"strategy": {"mode": "fallback"}, "targets": [target, {"provider": "openai"}]}
    gate = Gate(failure(500), chat())
    headers = Headers.of(
        content_type="application/json",
        authorization="Bearer sk-own",
        x_portkey_config=orjson.dumps(config).decode(),
    )
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    answer = await gate.gateway.handle(
        HTTPRequest("POST", "/v1/chat/completions", "", headers, body)
    )
    await gate.gateway.aclose()
    (record,) = gate.records.all()

    assert 200 == answer.status
    assert [("notes", True)] == told(record)
    assert isinstance(answer.body, bytes)
    assert b"hook_results" not in answer.body


async def test_a_call_that_is_denied_still_reports() -> None:
    got = await ask({"input_guardrails": [beside("notes"), {"trial.never": {}, "deny": True}]})

    assert 446 == got.status
    assert [("notes", True)] == told(got.record)


async def test_a_call_whose_client_leaves_still_reports() -> None:
    waits = asyncio.Event()
    answer = Scripted(200, [waits])
    gate = Gate(chat(), answer)
    await gate.ask({"input_guardrails": [beside("notes")]})  # the first one waits for a thread
    task = asyncio.create_task(gate.ask({"input_guardrails": [beside("notes")]}))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await gate.gateway.aclose()
    (record,) = [record for record in gate.records.all() if record.status != 200]

    assert 499 == record.status
    assert [("notes", True)] == told(record)


async def test_a_mutator_is_never_beside() -> None:
    mask = {"default.regexReplace": {"rule": "Bat"}, "async": True}
    got = await ask({"input_mutators": [mask]})

    assert 400 == got.status
    assert "A mutator is never async" in got.body["error"]["message"]
