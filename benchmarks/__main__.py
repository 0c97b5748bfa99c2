"""The command line: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.build import build
from benchmarks.cells import cells
from benchmarks.document import write_page
from benchmarks.guardrails import FEW_ROUNDS, ROUNDS, guard_costs
from benchmarks.hosts import HOSTS
from benchmarks.log import page_times, row_costs
from benchmarks.processes import Cores
from benchmarks.results import Results, Sample, Start
from benchmarks.run import Bench, Length, median_foreign
from benchmarks.stacks import Direct, LiteLLM, Nginx, Portkey, Product, Stack
from benchmarks.table import guard_tables, log_tables, markdown

_OUT = Path("build/bench")
_START, _LOG, _GUARDRAILS = "start", "log", "guardrails"
_LOG_ROWS, _FEW_LOG_ROWS = 1_000_000, 20_000


def main() -> int:
    """Measure, or read what was measured; print the tables and save them."""
    options = _parser().parse_args()
    if options.render is not None:
        results = Results.from_json(json.loads(options.render.read_text(encoding="utf-8")))
    else:
        results = _measure(options)
    text = markdown(results, cells(options.seconds))
    log, guards = log_tables(results), guard_tables(results)
    print(text, log, guards, sep="\n")
    options.out.mkdir(parents=True, exist_ok=True)
    saved = json.dumps(results.to_json(), indent=1)
    (options.out / "results.json").write_text(saved, encoding="utf-8")
    (options.out / "results.md").write_text(f"{text}\n{log}\n{guards}", encoding="utf-8")
    if options.docs:
        write_page(results, text, log, guards)
    return int(any(s.errors or s.short or s.bad_auth for s in results.samples))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="The gateway beside nginx and its peers."
    )
    parser.add_argument("--quick", action="store_true", help="short cells, once: a smoke run")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a cell (default 2)")
    parser.add_argument("--repeats", type=int, default=3, help="of everything (default 3)")
    parser.add_argument(
        "--only",
        metavar="CELLS",
        help="by name, with commas; `start`, `log` and `guardrails` are some too",
    )
    parser.add_argument("--stacks", metavar="NAMES", help="by name, with commas (default: all)")
    parser.add_argument("--portkey", type=Path, metavar="DIR", help="where npm installed it")
    parser.add_argument("--litellm", type=Path, metavar="BIN", help="its command `litellm`")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"for the results ({_OUT})")
    parser.add_argument("--docs", action="store_true", help="write table and chart into docs/")
    parser.add_argument("--render", type=Path, metavar="JSON", help="saved results: measure none")
    return parser


def _measure(options: argparse.Namespace) -> Results:
    length = Length(options.seconds, options.repeats, warm_s=0.25, first_warm_s=1.0, begin_warm_s=4)
    if options.quick:
        length = Length(0.4, 1, warm_s=0.1, first_warm_s=0.1, begin_warm_s=1)
    wanted = cells(length.seconds)
    chosen = _chosen(options.only, [*(cell.name for cell in wanted), _START, _LOG, _GUARDRAILS])
    stacks = _stacks(options)
    cores = Cores.choose()
    began = time.monotonic()
    starts: list[Start] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        with Bench(build(Path(scratch)), cores, length, Path(scratch)) as bench:
            picked = [cell for cell in wanted if cell.name in chosen]
            samples = [_shown(sample) for sample in bench.cells(stacks, picked)] if picked else []
            if _START in chosen:
                starts = list(bench.starts(stacks, wanted[0], min(2.0, 2 * length.seconds)))
    rows = tuple(row_costs(cores)) if _LOG in chosen else ()
    pages = tuple(page_times(_FEW_LOG_ROWS if options.quick else _LOG_ROWS)) if rows else ()
    rounds = FEW_ROUNDS if options.quick else ROUNDS
    guards = tuple(guard_costs(cores, rounds)) if _GUARDRAILS in chosen else ()
    used = stacks if samples or starts else []
    about = _about(used, cores, length, samples, time.monotonic() - began)
    if guards:
        about["guardrails"] = f"{time.strftime('%d %b %Y')}, medians of {rounds} interleaved rounds"
    return Results(about, tuple(samples), tuple(starts), rows, pages, guards)


def _chosen(names: str | None, known: Sequence[str]) -> list[str]:
    chosen = list(known) if names is None else names.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return chosen


def _stacks(options: argparse.Namespace) -> list[Stack]:
    """Return what is to be measured: the peers only where the caller says where they are."""
    stacks: list[Stack] = [Direct(), Nginx(), Product()]
    stacks += [host for host in HOSTS if host.is_installed()]
    if options.portkey is not None:
        stacks.append(Portkey(options.portkey))
    if options.litellm is not None:
        stacks.append(LiteLLM(options.litellm))
    chosen = _chosen(options.stacks, [stack.name for stack in stacks])
    return [stack for stack in stacks if stack.name in chosen]


def _shown(sample: Sample) -> Sample:
    cpu = "" if sample.cpu_us is None else f"{sample.cpu_us:10,.1f} µs CPU"
    faults = sample.errors + sample.short + sample.bad_auth
    print(
        f"{sample.repeat + 1} {sample.cell:10} {sample.stack:12} {sample.per_s:9,.0f}/s {cpu}"
        + (f"  {faults} FAULTS: {sample.first_bad}" if faults else ""),
        file=sys.stderr,
    )
    return sample


def _about(
    stacks: Sequence[Stack],
    cores: Cores,
    length: Length,
    samples: Sequence[Sample],
    took_s: float,
) -> dict[str, str]:
    pinned = "stack on one core, upstream and load on another" if cores.pinned else "NOT PINNED"
    return {
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()}; {pinned}",
        "made": f"{time.strftime('%d %b %Y')}, {length.repeats} repeats of {length.seconds:g} s, "
        f"interleaved, {took_s / 60:.1f} minutes",
        "noise": f"others used {median_foreign(samples):.0%} of the stack's core (median)",
        "versions": "; ".join(filter(None, (stack.version() for stack in stacks))),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
