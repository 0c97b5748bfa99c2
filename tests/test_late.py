"""Late imports: whole for everybody, one thread at a time, whatever gevent makes of locks."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmgateway.late import import_late

CROWD = """
from gevent import monkey
monkey.patch_all()
import sys
from _queue import SimpleQueue
from llmgateway.late import import_late
start, done = monkey.get_original("_thread", "start_new_thread"), SimpleQueue()

def load():
    done.put(import_late("llmgateway.engine.asking").GuardRoom.__name__)

for _ in range(16):
    start(load, ())
print({done.get(timeout=20) for _ in range(16)})
"""


def test_threads_below_gevent_never_wait_for_one_another_for_ever() -> None:
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-c", CROWD], capture_output=True, text=True, timeout=60, check=False
        )

        assert ("{'GuardRoom'}\n", "") == (run.stdout, run.stderr)


def test_nobody_sees_half_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_load.py").write_text(
        "import threading\nentered.set()\nleave.wait(10)\nWHOLE = True\n".replace(
            "entered", "threading.late_test_entered"
        ).replace("leave", "threading.late_test_leave")
    )
    monkeypatch.syspath_prepend(tmp_path)
    entered, leave, seen = threading.Event(), threading.Event(), []
    monkeypatch.setattr(threading, "late_test_entered", entered, raising=False)
    monkeypatch.setattr(threading, "late_test_leave", leave, raising=False)
    threads = [
        threading.Thread(target=lambda: seen.append(import_late("slow_to_load").WHOLE))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    leave.set()
    for thread in threads:
        thread.join(10)

    assert [True] * 4 == seen


def test_a_module_that_loads_others_late_takes_its_own_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer_of_two.py").write_text(
        "from llmgateway.late import import_late\nINNER = import_late('inner_of_two').NAME\n"
    )
    (tmp_path / "inner_of_two.py").write_text("NAME = __name__\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert "inner_of_two" == import_late("outer_of_two").INNER


def test_what_is_absent_may_be_there_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError):
        import_late("comes_later")
    (tmp_path / "comes_later.py").touch()

    assert "comes_later" == import_late("comes_later").__name__
