"""A project in processes of its own: `python -m tests.django.processes DATABASE WHAT ...`.

`make` sets the database up and prints a key; `revoke ID` revokes one; `serve SETTING` prints its
port and then does what each line says: `revoke ID`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OFTEN_S = 0.1
"""In place of the seconds for which keys are remembered, and between two looks at them."""


def start(database: Path, *what: str) -> subprocess.Popen[str]:
    """Start a process."""
    command = [sys.executable, "-m", __name__, str(database), *what]
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations")])
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def say(process: subprocess.Popen[str], line: str) -> None:
    """Have a process do something."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> Any:
    """Return the next that a process says."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def _tell(what: Any) -> None:
    print(json.dumps(what), flush=True)


def main(database: str, what: str, *more: str) -> None:
    """Do what is asked. Imports wait for the settings, so they stand in the functions."""
    from tests.django.project import settings

    settings.DATABASES["default"]["NAME"] = database
    os.environ["DJANGO_SETTINGS_MODULE"] = settings.__name__
    if what == "serve":
        setting = {**json.loads(more[0]), "KEY_CACHE_S": OFTEN_S}
        settings.LLMGATEWAY = setting  # type: ignore[attr-defined]  # as a project has it
    import django

    django.setup()
    tasks: dict[str, Callable[..., None]] = {"make": _make, "revoke": _revoke, "serve": _serve}
    tasks[what](*more)


def _make() -> None:
    from django.core.management import call_command

    from llmgateway_django.keys import create_key
    from llmgateway_django.models import Workspace

    call_command("migrate", verbosity=0)
    made = create_key(Workspace.objects.create(name="Shop", slug="shop"), "site")
    _tell([str(made.api_key.pk), made.secret])


def _revoke(key: str) -> None:
    from llmgateway_django.keys import revoke_key
    from llmgateway_django.models import APIKey

    revoke_key(APIKey.objects.get(pk=key))
    _tell("revoked")


def _serve(setting: str) -> None:
    from django.core.asgi import get_asgi_application

    from llmgateway.engine import live
    from tests.http.loops import LoopThread
    from tests.http.servers import AppServer

    live.CHECK_EVERY_S = OFTEN_S
    thread = LoopThread("server")
    server = AppServer(get_asgi_application(), thread)
    _tell(server.port)
    for line in sys.stdin:
        what, key = line.split()
        assert what == "revoke"
        _revoke(key)
    server.stop()
    thread.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
