"""`p2slab bench sstp-soak`: hostile clients for minutes beside honest ones, whose pings must all be
answered.

Strangers (not TLS, not HTTP, malformed SSTP and PPP, silence at each step), insiders with a good
certificate (wrong bindings, replays, spoofed addresses, who stop reading) and half-open
connections, in a computer each; the honest ones ping the gateway five times a second all the while.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.rigs import sstp_hostile
from tests.rigs.gateway_bench import Bench, client, on_a_gateway
from tests.rigs.sstp_programs import People, flood, insiders, strangers

MEMORY = 64_000_000
"""Bytes that the gateway may have grown by."""


class Tally:
    """How often each case was played, and what did not hold."""

    def __init__(self) -> None:
        self.played: Counter[str] = Counter()
        self.failed: list[dict[str, Any]] = []

    def take(self, lines: Sequence[dict[str, Any]]) -> None:
        """The lines of one round."""
        self.played.update(line["case"] for line in lines)
        self.failed += [line for line in lines if not line["held"]]


async def soak(
    bench: Bench, *, seconds: float, honest: int = 20, half_open: int = 1000, slow: bool = True
) -> dict[str, Any]:
    """Play until the time is over; what came of it. `slow`: with those who keep silent."""
    await bench.gateway.put(bench.document("SSTP"))
    count, words = str(honest), f"--seconds={seconds + 300}"
    people = await People.start(bench, "pc1", "--count", count, words)
    assert (await people.line(0))["up"] == honest
    before = await resident(bench)
    tally, end = Tally(), time.monotonic() + seconds
    process = await flood(bench, "pc3", half_open)
    async with asyncio.TaskGroup() as group:
        group.create_task(_rounds(bench, tally, end))
        if slow:
            group.create_task(_slow_rounds(bench, tally, end))
    await process.stop()
    fared = await people.stop()
    grown = await resident(bench) - before
    unhurt = fared["up"] == honest and fared["sent"] == fared["answered"] > 0
    return {
        "held": unhurt and not tally.failed and grown < MEMORY,
        "seconds": seconds,
        "honest": fared,
        "half-open": half_open,
        "played": dict(sorted(tally.played.items())),
        "failed": tally.failed,
        "memory grown by": grown,
        "log": await _log(bench),
    }


async def _rounds(bench: Bench, tally: Tally, end: float) -> None:
    """Strangers, then insiders, again and again; once at least."""
    while True:
        tally.take(await strangers(bench, "pc2"))
        tally.take(await insiders(bench, "pc2"))
        if time.monotonic() > end:
            break


async def _slow_rounds(bench: Bench, tally: Tally, end: float) -> None:
    while True:
        async with asyncio.TaskGroup() as group:
            outside = group.create_task(strangers(bench, "pc3", *sstp_hostile.SLOW))
            inside = group.create_task(insiders(bench, "pc3", "silent"))
        tally.take([*outside.result(), *inside.result()])
        if time.monotonic() > end:
            break


async def resident(bench: Bench) -> int:
    """Bytes of memory that the gateway and its SSTP worker have (proc(5), statm)."""
    worker = (await bench.engine("SSTP"))["pid"]
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[1])  # noqa: ASYNC240 (procfs)
    return int((await bench.gateway.runtime())["memory"]) + pages * os.sysconf("SC_PAGE_SIZE")


async def _log(bench: Bench) -> dict[str, int]:
    """Lines of the gateway's log, by event and reason."""
    records = await bench.gateway.log()
    return dict(Counter(f"{r['event']} {r['reason'] or ''}".strip() for r in records))


def keep(file: Path, verdict: dict[str, Any]) -> None:
    """For the process that started the lab's."""
    file.write_text(json.dumps(verdict, indent=2))


def main(arguments: Sequence[str]) -> int:
    """Soak, and print the verdict as JSON; exit code 1 if it does not hold."""
    parser = argparse.ArgumentParser(prog="p2slab bench sstp-soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--honest", type=int, default=20)
    parser.add_argument("--half-open", type=int, default=1000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "verdict.json")

        async def run(bench: Bench) -> None:
            verdict = await soak(
                bench,
                seconds=60 * options.minutes,
                honest=options.honest,
                half_open=options.half_open,
            )
            keep(file, verdict)

        on_a_gateway(Path(directory), run, client("alice"))
        print(file.read_text())
        return 0 if json.loads(file.read_text())["held"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
