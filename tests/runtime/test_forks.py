"""Processes that fork while the loop runs: both have a loop, and neither has the other's."""

from __future__ import annotations

import pytest

from tests.runtime.scripts import run

pytestmark = pytest.mark.parametrize("kind", ["uvloop", "asyncio"])

AFTER_USE = """
ask(), ask(stream=True)
for _ in range(5):
    child = os.fork()
    if child == 0:
        ask(), ask(stream=True)
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    ask(), ask(stream=True)  # on connections that the child has had as well
loop.run(gateway.recorder.flush())
print(len(gateway.records.all()))
"""


def test_a_fork_after_the_first_use(kind: str) -> None:
    assert "12\n" == run(AFTER_USE, kind)


UNDER_LOAD = """
over = threading.Event()
def load():
    while not over.is_set():
        ask()
callers = [threading.Thread(target=load) for _ in range(4)]
for caller in callers:
    caller.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        ask()
        loop.close()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
over.set()
for caller in callers:
    caller.join()
loop.close()
print("done")
"""


def test_forks_in_the_midst_of_requests(kind: str) -> None:
    """No lock of the loop's is held in the child, whatever it was about to do."""
    assert "done\n" == run(UNDER_LOAD, kind)


UNHOOKED = """
ask()
from llmgateway.runtime import background
background._after_fork_in_child = None
loop._lane.pid -= 1  # as if another process had started it, and no hook had been run
ask()
print(len(background._parents))
"""


def test_a_fork_that_runs_no_hooks_is_seen_by_the_process_id(kind: str) -> None:
    assert "1\n" == run(UNHOOKED, kind)


LOOKED_UP = """
import socket
asked = []
def watched(*args, real=socket.getaddrinfo, **more):
    asked.append(args[0])
    return real(*args, **more)
socket.getaddrinfo = watched
ask()
print(asked)
loop.close()
"""


def test_names_are_looked_up_by_threads_that_a_child_does_not_count(kind: str) -> None:
    """libuv's would be taken for busy for ever, if it is forked in the midst of two look-ups."""
    assert "['localhost']\n" == run(LOOKED_UP, kind)
