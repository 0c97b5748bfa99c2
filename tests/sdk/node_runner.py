"""Runs the npm SDKs; without Node or its packages their tests are skipped, but not in CI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.stage import CLIENT_KEY

HERE = Path(__file__).parent / "node"
WITHIN_S = 60


def run_node(script: str, url: str, *packages: str) -> dict[str, Any]:
    """Return what a script in `node/` prints, with the gateway at `url`."""
    node = shutil.which("node")
    absent = [name for name in packages if not (HERE / "node_modules" / name).is_dir()]
    if node is None or absent:
        names = f"the npm package {absent[0]} (npm install --prefix tests/sdk/node)" if node else ""
        missing = names or "node"
        if os.environ.get("CI"):
            pytest.fail(f"the npm SDKs must be tested in CI, and {missing} is absent")
        pytest.skip(f"{missing} is absent")
    run = subprocess.run(
        [node, script],
        cwd=HERE,
        env={**os.environ, "LLMGATEWAY_URL": url, "LLMGATEWAY_KEY": CLIENT_KEY},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    if run.returncode or run.stderr:
        pytest.fail(f"{script} ended with {run.returncode}:\n{run.stderr}")
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen
