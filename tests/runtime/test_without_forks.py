"""Systems that do not fork: nothing is registered there, and all works."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import os
del os.fork, os.register_at_fork

import llmgateway_flask, llmgateway_wsgi
from llmgateway import Gateway
from llmgateway.runtime import background_loop
from llmgateway.types.http import Headers, HTTPRequest

request = HTTPRequest("GET", "/healthz", "", Headers(), b"")
print(background_loop().handle(Gateway({}), request).status)
"""


def test_a_system_without_forks_is_served() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False, timeout=60
    )

    assert ("200\n", 0) == (run.stdout, run.returncode), run.stderr
