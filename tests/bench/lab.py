"""How long a world takes to build, to its first ping, and to remove: the runner and what it could
be at best (`p2slab bench lab`).

One interleaved run over three worlds (quickstart without its daemons, stars of 50 and 200 nodes)
and three builders, each in a new process in throw-away namespaces:

    runner     the world, its links settled, events told, a program run in a node by its socket
    ip -batch  one `ip -batch` a namespace, its files rendered beforehand
    raw        rtnetlink packed by hand in one process, no threads, no processes, no settling

`start-up` is from the start of the process until the building begins: interpreter and imports,
and for the runner lock, PID 1, private mounts, supervisor and control socket.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.topology.planning.plan import Plan
    from tests.rigs.traces import NamespaceWatch

BUILDERS = ("runner", "ip -batch", "raw")
RUNS = 9
LIMIT = 30.0
"""Seconds for one world."""


# ---- in the measured process: as few imports as the builder itself needs


def once(builder: str, plan_file: str, began: str) -> None:
    """Build, ping, tell the moments, and wait to be killed."""
    import pickle

    from gateway.common import calls

    calls.unshare(calls.NEWNET | calls.NEWNS)
    calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
    with Path(plan_file).open("rb") as file:
        plan, (node, address) = pickle.load(file)
    argv = ["ping", "-n", "-q", "-c1", "-W5", address]
    started, pinged = (_runner if builder == "runner" else _reference)(builder, plan, node, argv)
    print(started - float(began), pinged - started, flush=True)
    sys.stdin.read()


def _runner(_: str, plan: Plan, node: str, argv: list[str]) -> tuple[float, float]:
    from gateway.common import calls
    from lab.runtime.start import start
    from tests.bench.empty_lab import EmptyLab, until_ready

    base = Path("/run/p2slab")
    base.mkdir(exist_ok=True)
    calls.mount("bench", str(base), "tmpfs", 0, "mode=0700")
    lab = start("bench", lambda logs: EmptyLab(plan, logs))
    until_ready(lab)
    done = lab.exec(node, argv)
    pinged = time.monotonic()
    assert done.code == 0, done.said
    return lab.status()["began"], pinged


def _reference(builder: str, plan: Plan, node: str, argv: list[str]) -> tuple[float, float]:
    import subprocess

    from gateway.common import calls
    from tests.bench.references import IpBatch, RawNetlink

    directory = Path("/run/bench")
    directory.mkdir(exist_ok=True)
    calls.mount("bench", str(directory), "tmpfs")
    world = {"ip -batch": IpBatch, "raw": RawNetlink}[builder](plan, directory)
    started = time.monotonic()
    descriptors = world.build()
    calls.setns(descriptors[node], calls.NEWNET)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return started, time.monotonic()


# ---- in the process that measures


def measure(builder: str, plan_file: Path) -> dict[str, float]:
    """One world by one builder: seconds of start-up, of building and of removing."""
    import select
    import subprocess
    import uuid

    from tests.rigs.traces import MARK, NamespaceWatch, marked

    argv = [sys.executable, "-m", "tests.bench.lab", "--once", builder, str(plan_file)]
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [*argv, str(time.monotonic())],
        env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    if not select.select([process.stdout], [], [], LIMIT)[0]:
        process.kill()
        raise TimeoutError(f"{builder}: {plan_file.stem} was not built within {LIMIT:g} s")
    startup, build = map(float, process.stdout.readline().split())
    watch = NamespaceWatch()
    watch.add(marked(mark))
    began = time.monotonic()
    process.kill()
    _until_none(watch)
    removed = time.monotonic() - began
    process.communicate()
    watch.add_a_dying_one()  # the next one to be measured finds an idle kernel
    _until_none(watch)
    watch.close()
    return {"start-up": startup, "build": build, "total": startup + build, "remove": removed}


def _until_none(watch: NamespaceWatch) -> None:
    began = time.monotonic()
    while watch.alive:
        if time.monotonic() - began > LIMIT:
            raise TimeoutError(f"{watch.alive} namespaces live on")


def main(arguments: Sequence[str]) -> None:
    """Measure, and print medians and ratios."""
    import argparse
    import json
    import pickle
    import tempfile

    from tests.bench.report import print_table, summary
    from tests.bench.worlds import WORLDS, first_ping

    parser = argparse.ArgumentParser(prog="p2slab bench lab", description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="as JSON on stdout")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each ({RUNS})")
    parser.add_argument("--world", action="append", choices=list(WORLDS), help="only this one")
    options = parser.parse_args(arguments)
    taken: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        files = {name: Path(directory, name) for name in options.world or WORLDS}
        for name, file in files.items():
            plan = WORLDS[name]()
            file.write_bytes(pickle.dumps((plan, first_ping(plan))))
        for number in range(-1, options.runs):  # the first warms caches and is not counted
            for name, file in files.items():
                for builder in BUILDERS:
                    result = measure(builder, file)
                    if number >= 0:
                        taken.setdefault((name, builder), []).append(result)
            print(f"run {number + 1} of {options.runs}", file=sys.stderr)
    rows = summary(taken)
    print(json.dumps(rows, indent=2)) if options.json else print_table(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        once(*sys.argv[2:])
        os._exit(0)
    main(sys.argv[1:])
