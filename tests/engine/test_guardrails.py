"""Guardrails over requests and whole answers: the contract's statuses and shapes at every door.

Sources: the Portkey guardrails page, sections 2 and 5; its config schema, section 8; its HTTP
contract, section 6.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.errors import UpstreamUnreachable
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine import guard_checks
from tests.engine.guard_doors import DOORS, Door
from tests.engine.guarded import ask
from tests.scripted import Clock, ScriptedTransport, chat, failure, world

NO_SECRET = {"default.contains": {"words": ["secret"], "operator": "none"}}
NO_APPLE = {"default.contains": {"words": ["Apple"], "operator": "none"}}
MASK = {"default.regexReplace": {"rule": r"\d+"}}


def asked(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def checks_of(body: Any, phase: str) -> list[tuple[str, bool]]:
    hooks = body["hook_results"][phase]
    return [(check["id"], check["verdict"]) for hook in hooks for check in hook["checks"]]


at_every_door = pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])


# ---- statuses at every door


@at_every_door
async def test_a_denied_request_is_a_446_in_the_doors_own_shape_and_costs_nothing(
    door: Door,
) -> None:
    config = {"provider": door.provider, "input_guardrails": [{**NO_SECRET, "deny": True}]}
    got = await ask(config, body=door.body("tell me the secret"), path=door.path)

    assert 446 == got.status
    assert door.error_type(got.body)
    assert [("default.contains", False)] == checks_of(got.body, "before_request_hooks")
    assert [] == got.body["hook_results"]["after_request_hooks"]
    assert [] == got.transport.requests
    assert (446, "hooks_failed") == (got.record.status, got.record.error)
    assert 0 == got.record.usage.output


@at_every_door
async def test_a_denied_answer_is_a_446_that_costs_what_it_cost(door: Door) -> None:
    config = {"provider": door.provider, "output_guardrails": [{**NO_APPLE, "deny": True}]}
    got = await ask(config, door.answer("Apple"), body=door.body("Say it"), path=door.path)

    assert 446 == got.status
    assert door.error_type(got.body)
    assert [("default.contains", False)] == checks_of(got.body, "after_request_hooks")
    assert b'"Apple' not in got.raw.replace(b'"textExcerpt":"Apple"', b"").replace(
        b'"foundWords":["Apple"]', b""
    )
    assert (446, 2) == (got.record.status, got.record.usage.output)
    assert "application/json" == got.headers["content-type"]


@at_every_door
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_what_fails_and_denies_nothing_is_a_246(door: Door, stage: str) -> None:
    config = {
        "provider": door.provider,
        f"{stage}_guardrails": [NO_SECRET],
    }
    got = await ask(config, door.answer("the secret"), body=door.body("the secret"), path=door.path)
    phase = "before_request_hooks" if stage == "input" else "after_request_hooks"

    assert 246 == got.status == got.record.status
    assert "the secret" == door.said(got.body)
    assert [("default.contains", False)] == checks_of(got.body, phase)
    assert False is got.body["hook_results"][phase][0]["deny"]


@at_every_door
async def test_what_passes_is_a_200_with_results(door: Door) -> None:
    config = {
        "provider": door.provider,
        "input_guardrails": [{**NO_SECRET, "deny": True}],
        "output_guardrails": [{**NO_SECRET, "deny": True}],
    }
    got = await ask(config, door.answer("Bat"), body=door.body("Hello"), path=door.path)

    assert (200, "Bat") == (got.status, door.said(got.body))
    for phase in ("before_request_hooks", "after_request_hooks"):
        assert [("default.contains", True)] == checks_of(got.body, phase)


@at_every_door
async def test_masks_work_both_ways_at_every_door(door: Door) -> None:
    config = {
        "provider": door.provider,
        "input_guardrails": [MASK],
        "output_guardrails": [MASK],
    }
    got = await ask(
        config, door.answer("pin 5678 ok"), body=door.body("my pin is 1234 ok"), path=door.path
    )

    assert b"1234" not in got.transport.bodies[0]
    assert b"my pin is [REDACTED] ok" in got.transport.bodies[0]
    assert (200, "pin [REDACTED] ok") == (got.status, door.said(got.body))
    assert got.body["hook_results"]["before_request_hooks"][0]["transformed"]
    assert got.body["hook_results"]["after_request_hooks"][0]["checks"][0]["transformed"]


@at_every_door
async def test_a_denied_answer_is_asked_for_again(door: Door) -> None:
    config = {
        "provider": door.provider,
        "retry": {"attempts": 2},
        "output_guardrails": [{**NO_APPLE, "deny": True}],
    }
    answers = [door.answer("Apple"), door.answer("Apple"), door.answer("Bat")]
    got = await ask(config, *answers, body=door.body("Say it"), path=door.path)

    assert (200, "Bat") == (got.status, door.said(got.body))
    assert [446, 446, 200] == [one.status for one in got.record.attempts]
    assert (9, 6) == (got.record.usage.input, got.record.usage.output)
    assert [] == got.clock.sleeps


# ---- the shapes of the contract


async def test_the_446_of_chat_has_the_contracts_shape() -> None:
    got = await ask({"input_guardrails": [{**NO_SECRET, "deny": True}]}, body=asked("a secret"))
    body = got.body

    assert {"error", "hook_results"} == body.keys()
    assert "hooks_failed" == body["error"]["type"]
    assert body["error"]["param"] is body["error"]["code"] is None
    assert body["error"]["message"].startswith(
        "The guardrail checks defined in the config failed. You can find more information in the "
        "`hook_results` object."
    )
    assert {"before_request_hooks", "after_request_hooks"} == body["hook_results"].keys()


async def test_a_hook_result_has_the_contracts_members() -> None:
    got = await ask({"input_guardrails": [{**NO_SECRET, "id": "mine"}]}, chat())
    (hook,) = got.body["hook_results"]["before_request_hooks"]
    (check,) = hook["checks"]

    assert {
        "verdict",
        "id",
        "transformed",
        "checks",
        "feedback",
        "execution_time",
        "async",
        "type",
        "created_at",
        "deny",
    } == hook.keys()
    assert {
        "id",
        "verdict",
        "data",
        "transformed",
        "execution_time",
        "created_at",
        "log",
        "fail_on_error",
    } == check.keys()
    assert ("mine", "guardrail", False, None) == (
        hook["id"],
        hook["type"],
        hook["async"],
        hook["feedback"],
    )
    assert "1970-01-01T00:16:40.000Z" == hook["created_at"] == check["created_at"]
    assert isinstance(check["execution_time"], int)


async def test_ids_that_no_config_states_are_generated() -> None:
    config = {"input_guardrails": [NO_SECRET], "output_guardrails": [NO_SECRET]}
    results = (await ask(config, chat())).body["hook_results"]

    assert results["before_request_hooks"][0]["id"].startswith("input_guardrail_")
    assert results["after_request_hooks"][0]["id"].startswith("output_guardrail_")


async def test_no_guardrail_no_results() -> None:
    answer = chat()
    got = await ask({}, answer)

    assert got.raw == b"".join(chunk for chunk in answer.chunks if isinstance(chunk, bytes))
    assert got.record.hook_results is None


async def test_a_request_and_an_answer_that_fail_are_both_told() -> None:
    config = {"input_guardrails": [NO_SECRET], "output_guardrails": [{**NO_APPLE, "deny": True}]}
    got = await ask(config, chat("Apple"), body=asked("the secret"))

    assert 446 == got.status
    assert [("default.contains", False)] == checks_of(got.body, "before_request_hooks")
    assert [("default.contains", False)] == checks_of(got.body, "after_request_hooks")
    assert not got.body["hook_results"]["before_request_hooks"][0]["deny"]
    assert got.body["hook_results"]["after_request_hooks"][0]["deny"]


async def test_the_results_are_in_the_record_without_the_prompts_words() -> None:
    got = await ask({"input_guardrails": [NO_SECRET]}, chat(), body=asked("the secret"))
    results = got.record.hook_results

    assert results is not None
    assert not results["before_request_hooks"][0]["verdict"]
    assert "the secret" not in str(results)


# ---- hooks and checks


async def test_a_hook_passes_when_all_of_its_checks_do() -> None:
    config = {"input_guardrails": [{**NO_SECRET, "wordCount": {"maxWords": 2}, "deny": True}]}
    passes = await ask(config, chat(), body=asked("two words"))
    denied = await ask(config, body=asked("these are four words"))

    assert 200 == passes.status
    assert 446 == denied.status
    expected = [("default.contains", True), ("default.wordCount", False)]
    assert expected == checks_of(denied.body, "before_request_hooks")


async def test_a_disabled_check_is_skipped_but_not_by_a_mutator() -> None:
    off = {"default.contains": {**NO_SECRET["default.contains"], "is_enabled": False}}
    got = await ask({"input_guardrails": [{**off, "deny": True}]}, chat(), body=asked("secret"))

    assert 200 == got.status
    assert [] == got.body["hook_results"]["before_request_hooks"][0]["checks"]

    mask = {"default.regexReplace": {"rule": r"\d+", "is_enabled": False}}
    got = await ask({"input_mutators": [mask]}, chat(), body=asked("pin 1234"))

    assert "pin [REDACTED]" == got.sent["messages"][0]["content"]
    assert "mutator" == got.body["hook_results"]["before_request_hooks"][0]["type"]


async def test_feedback_names_the_checks() -> None:
    feedback = {
        "on_success": {"feedback": {"value": 1, "weight": 0.5, "metadata": {"mine": "yes"}}},
        "on_fail": {"feedback": {"value": -1}},
    }
    both = {**NO_SECRET, "wordCount": {"maxWords": 2}, **feedback}
    well = (await ask({"input_guardrails": [both]}, chat(), body=asked("two words"))).body
    badly = (await ask({"input_guardrails": [both]}, chat(), body=asked("a b c"))).body

    assert {
        "value": 1,
        "weight": 0.5,
        "metadata": {
            "mine": "yes",
            "successfulChecks": "default.contains, default.wordCount",
            "failedChecks": "",
            "erroredChecks": "",
        },
    } == well["hook_results"]["before_request_hooks"][0]["feedback"]
    told = badly["hook_results"]["before_request_hooks"][0]["feedback"]
    assert (-1, "default.wordCount") == (told["value"], told["metadata"]["failedChecks"])


async def test_the_contracts_first_example() -> None:
    config = {
        "input_guardrails": [
            {"default.wordCount": {"maxWords": 3}, "deny": False},
            {"default.regexReplace": {"rule": r"\d+"}},
        ]
    }
    got = await ask(config, chat(), body=asked("my pin is 1234 ok"))

    assert 246 == got.status
    assert "my pin is [REDACTED] ok" == got.sent["messages"][0]["content"]
    expected = [("default.wordCount", False), ("default.regexReplace", True)]
    assert expected == checks_of(got.body, "before_request_hooks")


@pytest.mark.parametrize(("closed", "status"), [(None, 200), (False, 200), (True, 446)])
async def test_the_contracts_second_and_third_example(closed: bool | None, status: int) -> None:
    parameters: dict[str, Any] = {"webhookURL": "http://127.0.0.1:1/down"}
    if closed is not None:
        parameters["failOnError"] = closed
    config = {"input_guardrails": [{"default.webhook": parameters, "deny": True}]}

    gone = UpstreamUnreachable("nobody is there")
    got = await ask(config, *([gone, chat()] if status == 200 else [gone]))
    (hook,) = got.body["hook_results"]["before_request_hooks"]

    assert status == got.status
    assert (False, status == 200) == (hook["checks"][0]["verdict"], hook["verdict"])
    assert "CheckFailed" == hook["checks"][0]["error"]["name"]
    assert bool(closed) is hook["checks"][0]["fail_on_error"]


async def test_checks_in_sequence_see_what_the_ones_before_have_changed() -> None:
    config = {
        "input_guardrails": [
            {
                "default.regexReplace": {"rule": "cat", "redactText": "dog"},
                "default.contains": {"words": ["cat"], "operator": "none"},
                "sequential": True,
                "deny": True,
            }
        ]
    }
    got = await ask(config, chat(), body=asked("a cat"))

    assert 200 == got.status
    assert "a dog" == got.sent["messages"][0]["content"]


# ---- retry and fallback


@pytest.mark.parametrize(
    ("codes", "calls"), [(None, 3), ([446], 3), ([500], 1), ([], 1), ([500, 446], 3)]
)
async def test_which_retries_ask_again_for_a_denied_answer(
    codes: list[int] | None, calls: int
) -> None:
    retry: dict[str, Any] = {"attempts": 2}
    if codes is not None:
        retry["on_status_codes"] = codes
    config = {"retry": retry, "output_guardrails": [{**NO_APPLE, "deny": True}]}
    got = await ask(config, *[chat("Apple") for _ in range(calls)])

    assert (446, calls) == (got.status, len(got.transport.requests))
    assert [446] * calls == [one.status for one in got.record.attempts]
    assert 2 * calls == got.record.usage.output
    expected = "-1" if calls == 3 else "0"
    assert expected == got.headers["x-portkey-retry-attempt-count"]


async def test_the_retry_header_asks_again_for_a_denied_answer() -> None:
    config = {"output_guardrails": [{**NO_APPLE, "deny": True}]}
    got = await ask(config, chat("Apple"), chat("Bat"), x_portkey_retry_count="1")

    assert 200 == got.status


async def test_a_246_is_retried_where_it_is_named() -> None:
    config = {
        "retry": {"attempts": 1, "on_status_codes": [246]},
        "output_guardrails": [NO_APPLE],
    }
    got = await ask(config, chat("Apple"), chat("Bat"))
    unnamed = await ask({"retry": {"attempts": 1}, "output_guardrails": [NO_APPLE]}, chat("Apple"))

    assert (200, [246, 200]) == (got.status, [one.status for one in got.record.attempts])
    assert 4 == got.record.usage.output
    assert (246, 1) == (unnamed.status, len(unnamed.transport.requests))


async def test_a_denied_request_is_not_retried() -> None:
    config = {
        "retry": {"attempts": 3, "on_status_codes": [446]},
        "input_guardrails": [{**NO_SECRET, "deny": True}],
    }
    got = await ask(config, body=asked("secret"))

    assert (446, []) == (got.status, got.transport.requests)


def fallback(codes: list[int] | None, *targets: dict[str, Any]) -> dict[str, Any]:
    strategy: dict[str, Any] = {"mode": "fallback"}
    if codes is not None:
        strategy["on_status_codes"] = codes
    return {
        "strategy": strategy,
        "targets": [{"provider": "openai", **target} for target in targets],
    }


@pytest.mark.parametrize("codes", [None, [446]])
async def test_a_denied_request_falls_back_as_in_the_contracts_example_4(
    codes: list[int] | None,
) -> None:
    config = fallback(codes, {"input_guardrails": [{**NO_SECRET, "deny": True}]}, {})
    got = await ask_targets(config, chat("fine"), body=asked("tell me the secret"))

    assert 200 == got.status
    assert "config.targets[1]" == got.headers["x-portkey-last-used-option-index"]
    assert [446, 200] == [one.status for one in got.record.attempts]
    assert "hook_results" not in got.body


async def test_a_denied_answer_falls_back_and_is_paid_for() -> None:
    config = fallback(
        [446],
        {"output_guardrails": [{**NO_APPLE, "deny": True}]},
        {"output_guardrails": [{**NO_APPLE, "deny": True}]},
    )
    got = await ask_targets(config, chat("Apple"), chat("Bat"))

    assert 200 == got.status
    assert [446, 200] == [one.status for one in got.record.attempts]
    assert 4 == got.record.usage.output


async def test_a_246_is_a_success_for_a_fallback_unless_it_is_named() -> None:
    for codes, status in ((None, 246), ([246], 200)):
        config = fallback(codes, {"output_guardrails": [NO_APPLE]}, {})
        got = await ask_targets(config, chat("Apple"), chat("Bat"))

        assert status == got.status


async def test_one_targets_mask_never_reaches_another() -> None:
    config = fallback(None, {"input_guardrails": [MASK]}, {}, {"input_guardrails": [MASK]})
    got = await ask_targets(
        config, failure(500), failure(500), chat(), body=asked("my pin is 1234")
    )
    said = [orjson.loads(raw)["messages"][0]["content"] for raw in got.transport.bodies]

    assert ["my pin is [REDACTED]", "my pin is 1234", "my pin is [REDACTED]"] == said


async def test_a_failing_answer_of_the_provider_keeps_its_status_and_tells_the_results() -> None:
    config = {"input_guardrails": [NO_SECRET], "output_guardrails": [{**NO_APPLE, "deny": True}]}
    got = await ask(config, failure(500, "Apple"), body=asked("secret"))

    assert 500 == got.status
    assert [("default.contains", False)] == checks_of(got.body, "before_request_hooks")
    assert [] == got.body["hook_results"]["after_request_hooks"]


async def ask_targets(config: dict[str, Any], *script: Any, **more: Any) -> Any:
    """Ask with a config whose targets name the provider."""
    return await ask(
        None, *script, **more, x_portkey_config=orjson.dumps(config).decode(), x_portkey_provider=""
    )


# ---- times


async def test_times_are_the_worlds() -> None:
    transport, clock = ScriptedTransport(chat()), Clock()
    guard_checks.CLOCKS[:] = [clock]
    gateway = Gateway(
        {"access": "open"}, transport=lambda: transport, world=world(transport, clock)
    )
    hook = {"trial.takes": {"seconds": 0.25}, "trial.takes_too": {"seconds": 0.5}}
    headers = Headers.of(
        content_type="application/json",
        authorization="Bearer sk-own",
        x_portkey_config=orjson.dumps({"provider": "openai", "input_guardrails": [hook]}).decode(),
    )
    got = await gateway.handle(
        HTTPRequest("POST", "/v1/chat/completions", "", headers, orjson.dumps(asked("Hi")))
    )
    assert isinstance(got.body, bytes)
    (told,) = orjson.loads(got.body)["hook_results"]["before_request_hooks"]

    assert [250, 500] == [check["execution_time"] for check in told["checks"]]
    assert (750, "1970-01-01T00:16:40.750Z") == (told["execution_time"], told["created_at"])
