"""Measure how long `import llmgateway` takes in a fresh interpreter, and what using it adds.

    .venv/bin/python benchmarks/import_time.py [--runs 21] [--module llmgateway …] [--limit-ms 150]

The package loads its engine at the first use of `Gateway`, so that is timed as well, as
`llmgateway.gateway`. Prints the median over the runs, with the fastest and the slowest, and the
modules that cost most.
Only the import is timed, inside the new interpreter, so its start is not counted. A first run
that is not counted writes the byte code. Aim: below 150 ms for the package. With `--limit-ms`, a
median of the first module above the limit is exit status 1.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys

_TIMED = """
import sys, time
start = time.perf_counter()
__import__(sys.argv[1])
print((time.perf_counter() - start) * 1000)
"""


def import_ms(module: str) -> float:
    """Return how many milliseconds one fresh interpreter takes to import `module`."""
    return float(_python("-c", _TIMED, module).stdout)


def costliest(module: str, count: int = 8) -> list[tuple[float, str]]:
    """Return the modules whose own code took longest in one import: milliseconds, name."""
    at_start = _own_us("pass")
    own_us = _own_us(f"import {module}")
    rows = [(us / 1000, name) for name, us in own_us.items() if name not in at_start]
    return sorted(rows, reverse=True)[:count]


def _own_us(statement: str) -> dict[str, int]:
    trace = _python("-X", "importtime", "-c", statement).stderr
    rows = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", trace)
    return {name: int(own) for own, name in rows}


def _python(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True)


def main() -> int:
    """Measure, print the figures, and say whether the limit was kept."""
    parser = argparse.ArgumentParser(description="Time an import in fresh interpreters.")
    parser.add_argument("--module", nargs="+", default=["llmgateway", "llmgateway.gateway"])
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--limit-ms", type=float, default=None)
    args = parser.parse_args()

    medians = [measure(module, args.runs) for module in args.module]
    return int(args.limit_ms is not None and medians[0] > args.limit_ms)


def measure(module: str, runs: int) -> float:
    """Time a module's import, print the figures, and return the median in milliseconds."""
    import_ms(module)
    times = [import_ms(module) for _ in range(runs)]
    median = statistics.median(times)
    print(
        f"import {module}: median {median:.1f} ms over {runs} runs"
        f" (fastest {min(times):.1f}, slowest {max(times):.1f})"
    )
    for own_ms, name in costliest(module):
        print(f"  {own_ms:7.1f} ms  {name}")
    return median


if __name__ == "__main__":
    sys.exit(main())
