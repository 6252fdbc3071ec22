"""How long it takes from up to the first answer: whole commands, verbs and all
(`p2slab bench up`).

    ./p2slab up FILE && ./p2slab exec NODE ping -c1 ADDRESS

One interleaved run over worlds of 12, 50 and 200 nodes (a VNet, its hosts and the Internet), beside
it a script of `ip netns` that builds as many nodes on one bridge and pings. What is left of one is
gone before the next begins. With `--firm` the commands come before all others on the processor
(SCHED_FIFO): that tells what they take on a machine that others use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median

from tests.rigs.traces import NamespaceWatch

SIZES = (12, 50, 200)
RUNS = 9
LIMIT = 60.0
NAME = "bench-up"
FIRST, PINGED = IPv4Address("10.1.0.4"), "10.1.0.5"
P2SLAB = str(Path(os.environ["P2SLAB_SOURCE"], "p2slab"))
TOPOLOGY = """\
name: {name}
story: {size} nodes
vnets:
  net:
    addressSpace: [10.1.0.0/16]
    subnets: {{app: 10.1.0.0/20}}
    hosts: {{{hosts}}}
"""


def topology(size: int) -> str:
    """Of so many nodes, the Internet and the VNet's router among them."""
    hosts = ", ".join(f"h{host}: {{subnet: app}}" for host in range(size - 2))
    return TOPOLOGY.format(name=NAME, size=size, hosts=hosts)


def script(size: int) -> str:
    """The same number of nodes by ip(8), as one writes it by hand."""
    lines = ["rm -f /run/netns/*", "ip netns add sw", "ip -n sw link add name lan type bridge",
             "ip -n sw link set lan up"]  # fmt: skip
    for number in range(size - 1):
        peer = f"type veth peer name eth0 netns h{number}"
        lines += [
            f"ip netns add h{number}",
            f"ip -n sw link add name p{number} {peer}",
            f"ip -n sw link set p{number} master lan up",
            f"ip -n h{number} address add {FIRST + number}/20 dev eth0",
            f"ip -n h{number} link set eth0 up",
        ]
    return "\n".join([*lines, f"ip netns exec h0 ping -n -c1 -W5 {PINGED}"])


def commands(builder: str, file: str) -> Iterator[list[str]]:
    """What is measured."""
    if builder == "p2slab":
        yield [P2SLAB, "up", file]
        yield [P2SLAB, "exec", "--name", NAME, "h0", "ping", "-n", "-c1", "-W5", PINGED]
    else:
        yield ["unshare", "--mount", "--net", "sh", "-e", file]


def measure(builder: str, file: str, first: Sequence[str]) -> float:
    """Seconds of one."""
    began = time.monotonic()
    for command in commands(builder, file):
        done = subprocess.run([*first, *command], check=False, capture_output=True, timeout=LIMIT)
        assert done.returncode == 0, done.stderr.decode()
    taken = time.monotonic() - began
    if builder == "p2slab":
        subprocess.run([P2SLAB, "down", NAME], check=True, capture_output=True)
    _settle()
    return taken


def _settle() -> None:
    """Namespaces die one after the other: when a new one has, those before it have."""
    watch = NamespaceWatch()
    watch.add_a_dying_one()
    until = time.monotonic() + LIMIT
    while watch.alive:
        if time.monotonic() > until:
            raise TimeoutError(f"{watch.alive} namespaces live on")
    watch.close()


def main(arguments: Sequence[str]) -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(prog="p2slab bench up", description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="as JSON on stdout")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each ({RUNS})")
    parser.add_argument("--firm", action="store_true", help="before all others on the processor")
    options = parser.parse_args(arguments)
    first = ["chrt", "--fifo", "5"] if options.firm else []
    Path("/run/netns").mkdir(exist_ok=True)
    taken: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(-1, options.runs):  # the first warms caches and is not counted
            for size in SIZES:
                for builder, text in (("p2slab", topology(size)), ("ip netns", script(size))):
                    file = Path(directory, f"{builder.replace(' ', '-')}-{size}")
                    file.write_text(text)
                    seconds = measure(builder, str(file), first)
                    if number >= 0:
                        taken.setdefault((builder, size), []).append(seconds)
            print(f"run {number + 1} of {options.runs}", file=sys.stderr)
    rows = [
        {"builder": builder, "nodes": size, "runs": len(runs), "median": round(median(runs), 3),
         "fastest": round(min(runs), 3), "slowest": round(max(runs), 3)}
        for (builder, size), runs in sorted(taken.items())
    ]  # fmt: skip
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'builder':<10}{'nodes':>6}{'median':>9}{'fastest':>9}{'slowest':>9}   (s)")
    for row in rows:
        print(f"{row['builder']:<10}{row['nodes']:>6}{row['median']:>9.3f}{row['fastest']:>9.3f}"
              f"{row['slowest']:>9.3f}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
