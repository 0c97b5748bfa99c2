"""Runs scripts in processes of their own, against a fake provider that has a name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread

ROOT = Path(__file__).parents[2]

COMMON = """
import asyncio, json, os, sys, threading
from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop
from llmgateway.runtime import threads
from llmgateway.testing.fake_row import FAKE
from llmgateway.types.http import Headers, HTTPRequest

url, kind = sys.argv[1:3]
provider = {"base_url": url.replace("127.0.0.1", "localhost") + "/v1"}
gateway = Gateway(
    {"access": "local", "allow_loopback_upstreams": True, "providers": {"fake": provider}},
    providers=[FAKE],
)
if kind == "asyncio":
    threads._HAS_UVLOOP = False
loop = BackgroundLoop()

def ask(stream=False):
    headers = Headers.of(
        host="localhost", content_type="application/json", x_llmgateway_provider="fake"
    )
    body = {"model": "fake", "stream": stream, "messages": [{"role": "user", "content": "one two"}]}
    response = loop.handle(gateway, HTTPRequest(
        "POST", "/v1/chat/completions", "", headers, json.dumps(body).encode()
    ))
    whole = b"".join(response.body) if stream else response.body
    assert response.status == 200, response
    assert (b"[DONE]" in whole) is stream
"""


def run(script: str, kind: str, before: str = "") -> str:
    """Run a script and return what it prints; it must print no warning and end well."""
    with serve_in_thread(FakeProvider()) as server:
        done = subprocess.run(
            # From Python 3.12 on, each fork of a process with threads is warned of.
            [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c"]
            + [before + COMMON + script, server.url, kind],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd=ROOT,
        )
    # That a step of a task was slow is told of the machine, not of the code.
    told = [line for line in done.stderr.splitlines() if not _SLOW.fullmatch(line)]
    assert ([], 0) == (told, done.returncode), (done.returncode, done.stderr)
    return done.stdout


_SLOW = re.compile(r"Executing <.*> took [0-9.]+ seconds")
