"""Checks that block, on every runtime: in real threads, also under gevent, and after a fork."""

from __future__ import annotations

import pytest

from tests.runtime.scripts import run
from tests.runtime.test_gevent import PATCHED

CHECKS = """
import logging, time
logging.getLogger("asyncio").setLevel(logging.ERROR)  # slow callbacks, on a busy machine
logging.getLogger("llmgateway.engine.pool").disabled = True  # it tells of what hangs
from llmgateway.guardrails import Subject, Verdict, check
from llmgateway.settings import Limits

@check("tests.sync")
def sync(subject: Subject, seconds: float = 0.0) -> Verdict:
    time.sleep(seconds)  # gevent's where it is patched, as a user's code has it
    return Verdict("one" in subject.text, {"thread": threading.current_thread().name})

@check("tests.hangs")
def hangs(subject: Subject) -> Verdict:
    threading.Event().wait(60)
    return Verdict(True)

def guarded(hook, stage="input"):
    headers = Headers.of(
        host="localhost", content_type="application/json",
        x_llmgateway_config=json.dumps({"provider": "fake", f"{stage}_guardrails": [hook]}),
    )
    body = {"model": "fake", "messages": [{"role": "user", "content": "one two"}]}
    response = loop.handle(gateway, HTTPRequest(
        "POST", "/v1/chat/completions", "", headers, json.dumps(body).encode()
    ))
    results = json.loads(response.body)["hook_results"]
    phase = "before_request_hooks" if stage == "input" else "after_request_hooks"
    return response.status, results[phase][0]["checks"][0]
"""
SYNC = '{"tests.sync": {"seconds": 0.01}, "deny": True, "fail_on_error": True}'
HANGS = '{"tests.hangs": {}, "deny": True, "fail_on_error": True, "timeout_ms": 50}'

both = pytest.mark.parametrize("kind", ["uvloop", "asyncio"])
patched = pytest.mark.parametrize("before", ["", PATCHED], ids=["threads", "gevent"])


@both
@patched
def test_a_check_that_blocks_runs_and_one_that_hangs_ends(kind: str, before: str) -> None:
    script = f"""
print([guarded({SYNC}, stage)[0] for stage in ("input", "output")])
print([(status, "longer" in check["error"]["message"])
       for status, check in [guarded({HANGS}) for _ in range(3)]])
print([guarded({SYNC})[0] for _ in range(20)] == [200] * 20)
loop.close()
"""
    assert "[200, 200]\n[(446, True), (446, True), (446, True)]\nTrue\n" == run(
        CHECKS + script, kind, before
    )


@both
def test_greenlets_run_on_while_checks_block(kind: str) -> None:
    script = f"""
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)
gevent.spawn(tick)
callers = [gevent.spawn(lambda: [guarded({SYNC})[0] for _ in range(5)]) for _ in range(20)]
gevent.joinall(callers, raise_error=True)
print(sum((caller.value for caller in callers), []) == [200] * 100, ticks > 5)
loop.close()
"""
    assert "True True\n" == run(CHECKS + script, kind, PATCHED)


@both
@patched
def test_a_forked_process_has_threads_of_its_own(kind: str, before: str) -> None:
    script = f"""
assert guarded({SYNC})[0] == 200
child = os.fork()
if child == 0:
    sys.exit(7 if guarded({SYNC})[0] == 200 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print(guarded({SYNC})[0])
loop.close()
"""
    assert "200\n" == run(CHECKS + script, kind, before)


def test_a_loop_for_each_request_runs_them_too() -> None:
    script = f"""
from llmgateway.runtime import InlineLoop
loop = InlineLoop()
print([guarded({SYNC})[0] for _ in range(3)], guarded({HANGS})[0])
beside = {{"tests.sync": {{}}, "async": True}}
headers = Headers.of(
    host="localhost", content_type="application/json",
    x_llmgateway_config=json.dumps({{"provider": "fake", "input_guardrails": [beside]}}),
)
body = {{"model": "fake", "messages": [{{"role": "user", "content": "one two"}}]}}
response = loop.handle(gateway, HTTPRequest(
    "POST", "/v1/chat/completions", "", headers, json.dumps(body).encode()
))
record = gateway.records.all()[-1]
print(response.status, record.hook_results["beside"][0]["verdict"])
"""
    assert "[200, 200, 200] 446\n200 True\n" == run(CHECKS + script, "asyncio")
