"""All targets on all cores: `./p2slab test --fuzz MINUTES [TARGET ...]`.

Each target gets a process and its share of the time. Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.dataplane.native import build
from tests.fuzz.registry import MODULES, target
from tests.fuzz.worker import Current, Report, save

PATIENCE = 60.0
"""Seconds beyond its time after which a process hangs; a slow machine needs some to start."""
SANITIZED = (
    "-std=c11", "-O1", "-g", "-fPIC", "-shared",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip
SANITIZER = 99
"""Exit code of a process that the sanitizer has ended."""
ROW = "{:<24} {:>11} {:>9} {:>6} {:>8} {:>6}"


def sanitizer(directory: Path) -> dict[str, str]:
    """Variables under which a Python process runs native.c under the sanitizers; RuntimeError."""
    asked = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    return {
        "P2SLAB_FUZZED_LIBRARY": str(build(directory, SANITIZED)),
        "LD_PRELOAD": asked.stdout.strip(),
        "ASAN_OPTIONS": f"detect_leaks=0:exitcode={SANITIZER}",
        "PYTHONMALLOC": "malloc",
    }


def run(names: list[str], minutes: float, seed: int) -> int:
    """Fuzz these; how many faults were found."""
    begun = time.monotonic()
    cores = len(os.sched_getaffinity(0))
    left = len(names)

    def one(name: str) -> Report:
        nonlocal left
        now = time.monotonic()
        at_once = min(cores, left)
        share = max(0.0, begun + 60 * minutes - now) * at_once / left
        left -= 1
        return _process(name, now + share, seed, Path(place))

    print(ROW.format("target", "inputs", "a second", "lines", "dearest", "found"), flush=True)
    total = 0
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(cores) as pool:
        for name, report in zip(names, pool.map(one, names), strict=True):
            speed = round(report.inputs / max(report.seconds, 0.001))
            counts = f"{report.inputs:,}", f"{speed:,}", report.lines, f"{report.dearest:.0f} ms"
            print(ROW.format(name, *counts, len(report.found)), flush=True)
            total += len(report.found)
            for path, what in report.found:
                print(f"  {what}\n  ./p2slab test tests/fuzz -k {Path(path).name}", flush=True)
    print(f"seed {seed}, {time.monotonic() - begun:.0f} s", flush=True)
    return total


def _process(name: str, end: float, seed: int, place: Path) -> Report:
    """One target, and what became of its process."""
    current = place / f"{name}.input"
    extra = sanitizer(place) if target(name).native else {}
    command = [sys.executable, "-m", "tests.fuzz.worker", name, str(end), str(seed), str(current)]
    limit = max(0.0, end - time.monotonic()) + PATIENCE
    try:
        done = subprocess.run(
            command, env=os.environ | extra, capture_output=True, text=True, timeout=limit,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Report(0, 0, 0, 0, [(save(name, Current.read(current)), "does not end")])
    sys.stderr.write(done.stderr)
    if done.returncode == 0:
        return Report(**json.loads(done.stdout.splitlines()[-1]))
    if done.returncode == 1:
        raise RuntimeError(f"a fault of the fuzzer's own, in {name}")
    words = f"its process ended with {done.returncode}"
    return Report(0, 0, 0, 0, [(save(name, Current.read(current)), words)])


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="p2slab test --fuzz", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("targets", nargs="*", help="all of them where none is named")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = parser.parse_args()
    if unknown := set(given.targets) - set(MODULES):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    return 1 if run(given.targets or list(MODULES), given.minutes, given.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
