"""What guardrails add to a call: `python -m benchmarks.guardrails` prints it as JSON.

Each case has a gateway of its own, all of them in one process, called without sockets and in turn.
CPU time is that of the process, so what checks do in threads counts.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module, util
from typing import Any

from benchmarks.guardrails_cases import CASES, EVENTS, KEY, NONE, Case, Provider
from benchmarks.processes import Cores, on_core
from benchmarks.results import GuardCost
from llmgateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest, HTTPResponse

__all__ = ["ROUNDS", "guard_costs"]

ROUNDS, FEW_ROUNDS = 21, 3
_SAMPLE_S = 0.03
"""How long one sample takes, about; at least one call."""
_NEEDS = ("re2", "phonenumbers")


def guard_costs(cores: Cores, rounds: int) -> Sequence[GuardCost]:
    """Measure in a process of its own, so that nothing else is in it; empty: extras are absent."""
    if any(util.find_spec(name) is None for name in _NEEDS):
        return ()
    words = [sys.executable, "-m", "benchmarks.guardrails", str(rounds)]
    with on_core(cores.stack):
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    return [GuardCost.from_json(cost) for cost in json.loads(done.stdout)]


def main(rounds: int) -> None:
    """Print the costs as JSON."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        print(json.dumps([asdict(cost) for cost in runner.run(measured(CASES, rounds))]))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the loop of `llmgateway serve`, where it is installed."""
    if util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


async def measured(cases: Sequence[Case], rounds: int) -> list[GuardCost]:
    """Measure all cases in turn, again and again."""
    runs = [Run(case) for case in cases]
    for run in runs:
        await run.prepare()
    # As `llmgateway serve` does.
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, *before[1:])
    try:
        for _ in range(rounds):
            for run in runs:
                await run.sample()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    for run in runs:
        await run.gateway.aclose()
    return [run.cost() for run in runs]


class Run:
    """One case, and what its calls have taken so far."""

    def __init__(self, case: Case) -> None:
        self.case = case
        provider = Provider(case)
        self.gateway = Gateway(case.settings, transport=lambda: provider)
        head = Headers.of(content_type="application/json", authorization=f"Bearer {KEY}")
        self._request = HTTPRequest("POST", "/v1/chat/completions", "", head, case.body)
        self._calls = 1
        self._cpu_us: list[float] = []

    async def prepare(self) -> None:
        """Find out whether it does what it should, and how many calls make a sample."""
        response = await self.gateway.handle(self._request)
        _judge(self.case, response, await _read(response))
        await self._call(3)
        began = time.process_time()
        await self._call(1)
        self._calls = max(1, round(_SAMPLE_S / max(time.process_time() - began, 1e-5)))

    async def sample(self) -> None:
        """Take the time of some calls, with their records."""
        began = time.process_time()
        await self._call(self._calls)
        self._cpu_us.append((time.process_time() - began) * 1e6 / self._calls)

    async def _call(self, times: int) -> None:
        for _ in range(times):
            response = await self.gateway.handle(self._request)
            if not isinstance(response.body, bytes):
                async for _piece in response.body:
                    pass
        await self.gateway.recorder.flush()

    def cost(self) -> GuardCost:
        """Return what was measured."""
        case = self.case
        units = EVENTS if case.is_stream else 1
        per_unit = tuple([one / units for one in self._cpu_us])
        return GuardCost(case.title, case.kib, case.is_stream, case.title == NONE, per_unit)


async def _read(response: HTTPResponse) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


def _judge(case: Case, response: HTTPResponse, answer: bytes) -> None:
    """Raise `SystemExit` unless all checks have run and passed, in the mode that is measured."""
    head = dict(response.headers)
    mode = head.get(b"x-llmgateway-guardrail-stream-mode", b"").decode() or None
    checks = len(case.inputs) + len(case.outputs)
    told = answer.count(b'"fail_on_error"')
    faults: dict[str, tuple[Any, Any]] = {
        "status": (response.status, 200),
        "mode": (mode, case.mode),
        "checks": (told, checks),
        "errors": (answer.count(b'"error"'), 0),
    }
    for name, (found, wanted) in faults.items():
        if found != wanted:
            raise SystemExit(f"{case.title}: {name} {found}, not {wanted}: {answer[:500]!r}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
