"""The limit of a gateway's throughput (`p2slab bench aggregate`): its error, its processor time.

TCP from a client to a VNet host through a router, whose links are named as a gateway's: so the
limit is measured, and no tunnel. For each SKU's rate: what the limit has counted against it. Then
as fast as the machine can, with a limit out of reach and without one, interleaved: the processors
are busy all the time, so that the ratio is that of the processor time a Gbit/s.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path
from statistics import median

from gateway.arm.sku import SKUS
from gateway.charon import datapath
from gateway.forwarding.aggregate import DEVICE, Aggregate
from gateway.forwarding.reach import Reach
from lab.nodes import probes
from lab.nodes.base import Node
from lab.runtime.network import build_network
from lab.topology.planning.plan import Cable, End, NodePlan, Plan, Route
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.rigs.tun_router import PLACEMENT

SECONDS, ROUNDS, CONNECTIONS = 4, 3, 4
CLIENT, HOST = "172.16.0.2", "10.1.1.4"
PLAN = Plan(
    "aggregate",
    "",
    nodes=(
        NodePlan("client", "client", routes=(Route("default", "172.16.0.1"),)),
        NodePlan("gw", "gateway", forwarding=True),
        NodePlan("host", "host", routes=(Route("default", "10.1.1.1"),)),
    ),
    links=(
        Cable(End("client", "eth0", (f"{CLIENT}/24",)), End("gw", "ovpn0", ("172.16.0.1/24",))),
        Cable(End("gw", "lan", ("10.1.1.1/24",)), End("host", "eth0", (f"{HOST}/24",))),
    ),
    certificates=(),
    gateways=(),
    clients=(),
    steps=(),
)
REACH = Reach(pool=(IPv4Network("172.16.0.0/24"),))
PORT = 5201
UNREACHED = 100_000
"""Mbit/s."""


class Unwatched(Aggregate):
    """In a node's thread, which has no event loop; its devices do not go."""

    def _watch(self) -> None:
        pass


def limit(mbps: float) -> None:
    """In the gateway's node, with a limit of its own each time."""
    datapath.find = lambda: datapath.Datapath(userspace=True, why="")
    aggregate = Unwatched(PLACEMENT)
    aggregate.limit(mbps, REACH)
    assert aggregate.report().in_force, aggregate.report().why


async def unlimit(node: Node) -> None:
    """Without the limit."""
    for command in ("nft delete table netdev p2slab_aggregate", f"ip link delete {DEVICE}"):
        await node.run(command.split())


async def counted(node: Node) -> int:
    """Bytes that the limit has let pass."""
    done = await node.run(["tc", "-s", "-j", "qdisc", "show", "dev", DEVICE])
    found: int = json.loads(done.stdout)[0]["bytes"]
    return found


async def measure(nodes: dict[str, Node], *, limited: bool) -> tuple[float, float]:
    """Mbit/s that the limit has counted, and that the receiving program got."""
    server = await nodes["host"].spawn(["iperf3", "--server", "--one-off"], log="server")
    await wait_until(
        "iperf3 listens", 10, lambda: nodes["host"].call(lambda: probes.is_listened_on(PORT))
    )
    argv = ["iperf3", "--client", HOST, "--json", "--time", str(SECONDS)]
    running = asyncio.create_task(nodes["client"].run([*argv, "--parallel", str(CONNECTIONS)]))
    rate = 0.0
    if limited:
        await asyncio.sleep(1)  # TCP has found its rate
        first, then = await counted(nodes["gw"]), time.monotonic()
        await asyncio.sleep(SECONDS - 1.5)
        rate = (await counted(nodes["gw"]) - first) * 8 / 1e6 / (time.monotonic() - then)
    report = json.loads((await running).stdout)
    await server.wait()
    return rate, report["end"]["sum_received"]["bits_per_second"] / 1e6


async def compare() -> None:
    """A row for each rate, and the ratio."""
    with tempfile.TemporaryDirectory() as directory:
        nodes: dict[str, Node] = {**await build_network(PLAN, Path(directory))}
        print(f"{'Mbit/s':>7} {'counted':>8} {'error':>7} {'goodput':>8}")
        for rate in (6.5, 65, *sorted({sku.aggregate_mbps for sku in SKUS.values()})):
            await nodes["gw"].call(lambda: limit(rate))  # noqa: B023 (called at once)
            rows = [await measure(nodes, limited=True) for _ in range(ROUNDS)]
            await unlimit(nodes["gw"])
            wire, goodput = (median(column) for column in zip(*rows, strict=True))
            print(f"{rate:7} {wire:8.1f} {wire / rate - 1:7.2%} {goodput:8.1f}", flush=True)
        limited, free = [], []
        for _ in range(ROUNDS):
            await nodes["gw"].call(lambda: limit(UNREACHED))
            limited.append((await measure(nodes, limited=True))[1])
            await unlimit(nodes["gw"])
            free.append((await measure(nodes, limited=False))[1])
        most, without = median(limited), median(free)
        print(f"as fast as it goes: {most:.0f} Mbit/s with a limit out of reach, "
              f"{without:.0f} without, ratio {most / without:.2f}", flush=True)  # fmt: skip


def main(_arguments: Sequence[str]) -> int:
    """The program."""
    isolated(compare)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
