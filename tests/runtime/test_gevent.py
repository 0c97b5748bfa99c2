"""gevent's patches: a real thread for the loop, callers that wait as greenlets."""

from __future__ import annotations

import pytest

from tests.runtime.scripts import run

pytestmark = pytest.mark.parametrize("kind", ["uvloop", "asyncio"])

PATCHED = """
import gevent.monkey
gevent.monkey.patch_all()
import gevent
"""


def test_many_greenlets_reach_a_provider_by_name(kind: str) -> None:
    script = """
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)
gevent.spawn(tick)
ask()
callers = [gevent.spawn(lambda n=n: [ask(stream=n % 2 == 1) for _ in range(10)]) for n in range(30)]
gevent.joinall(callers, raise_error=True)
loop.run(gateway.recorder.flush())
print(len(gateway.records.all()), ticks > 5, type(loop._lane.loop).__module__)
loop.close()
"""
    assert "301 True llmgateway.runtime.threads\n" == run(script, kind, PATCHED)


def test_a_greenlet_that_is_given_up_cancels_its_work(kind: str) -> None:
    script = """
ended = []
async def forever():
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(1)
try:
    with gevent.Timeout(0.01):
        loop.run(forever())
except gevent.Timeout:
    pass
greenlet = gevent.spawn(loop.run, forever())
gevent.idle()
gevent.sleep(0.01)
greenlet.kill()
async def turn():
    await asyncio.sleep(0)
loop.run(turn())
print(len(ended))
"""
    assert "2\n" == run(script, kind, PATCHED)


def test_what_blocks_runs_in_real_threads(kind: str) -> None:
    script = """
import time
started = time.monotonic()
sleep = gevent.monkey.get_original("time", "sleep")
async def blocks():
    numbers = await asyncio.gather(*[
        asyncio.to_thread(lambda n=n: (sleep(0.001), n)[1]) for n in range(100)
    ])
    try:
        await asyncio.to_thread(lambda: 1 / 0)
    except ZeroDivisionError:
        return sum(numbers)
print(loop.run(blocks()))
"""
    assert "4950\n" == run(script, kind, PATCHED)


def test_a_fork_and_the_end_of_the_process(kind: str) -> None:
    script = """
ask()
child = os.fork()
if child == 0:
    ask(stream=True)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
ask()
class Told:
    async def append(self, batch):
        print(len(batch))
loop.run(gateway.recorder.flush())
gateway.recorder._records = Told()
ask()
"""
    assert "1\n" == run(script, kind, PATCHED)


def test_no_gevent_is_loaded_where_the_host_has_none(kind: str) -> None:
    assert "False\n" == run('ask(); print("gevent" in sys.modules)', kind)
