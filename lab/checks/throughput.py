"""`throughput`: iperf3 from one or several computers at once to a host."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from lab.nodes import probes
from lab.nodes.base import Node
from lab.roles.daemon import last_words
from lab.topology.model.steps import Throughput
from lab.waiting import wait_until
from lab.world import Outcome, World

FIRST_PORT = 5202
"""The host's servers for one computer each, beside the one that it may serve on 5201."""
GRACE = 15.0
"""Seconds for iperf3 to connect, and for both ends to exchange their results."""
_DIRECTIONS = {"up": (), "down": ("--reverse",), "both": ("--bidir",)}
_MEGA = 1e6


class NoResultError(Exception):
    """iperf3 did not measure; the message is its own."""


async def throughput(step: Throughput, world: World) -> Outcome:
    """All begin at once; the sum, or one computer's part, is within the limits."""
    host, target = world.nodes[step.host], world.addresses[step.host]
    async with AsyncExitStack() as servers:
        ports = range(FIRST_PORT, FIRST_PORT + len(step.throughput))
        for port in ports:
            await _serve(host, port, servers)
        runs = (
            _measure(world.nodes[name], target, port, step)
            for name, port in zip(step.throughput, ports, strict=True)
        )
        found = await asyncio.gather(*runs, return_exceptions=True)
    rates = dict(zip(step.throughput, found, strict=True))
    failed = [f"{name}: {rate}" for name, rate in rates.items() if isinstance(rate, Exception)]
    if failed:
        return Outcome(held=False, detail="; ".join(failed))
    return _compare(step, {name: rate for name, rate in rates.items() if isinstance(rate, float)})


async def _serve(host: Node, port: int, servers: AsyncExitStack) -> None:
    """Start a server for one measurement; it listens when this returns."""
    argv = ["iperf3", "--server", "--one-off", "--port", str(port)]
    server = await host.spawn(argv, log=f"iperf3-{port}")
    servers.push_async_callback(server.stop)

    async def listens() -> bool:
        if server.code is not None:
            raise NoResultError(f"iperf3 on port {port} of {host.name}: {last_words(server)}")
        return await host.call(partial(probes.is_listened_on, port))

    await wait_until(f"iperf3 listens on port {port} of {host.name}", GRACE, listens)


def _compare(step: Throughput, rates: dict[str, float]) -> Outcome:
    rate = sum(rates.values()) if step.of is None else rates[step.of]
    low, high = step.atLeast, step.atMost
    held = (low is None or rate >= low) and (high is None or rate <= high)
    each = ", ".join(f"{name} {part:.1f}" for name, part in rates.items())
    detail = f"{rate:.1f} Mbit/s"
    return Outcome(held=held, detail=f"{detail} ({each})" if len(rates) > 1 else detail)


async def _measure(node: Node, target: str, port: int, step: Throughput) -> float:
    # Without --omit: it makes the ends count at different times, and sums exceed what was sent.
    argv = ["iperf3", "--client", target, "--port", str(port), "--json"]
    argv += [
        "--time",
        str(round(step.seconds)),
    ]
    argv += ["--parallel", str(step.connections), "--connect-timeout", "5000"]
    argv += _DIRECTIONS[step.direction]
    done = await node.run(argv, limit=step.seconds + GRACE)
    return received(done.stdout)


def received(report: str) -> float:
    """Mbit/s that arrived, of both directions together, by iperf3's JSON report."""
    try:
        data: dict[str, Any] = json.loads(report)
    except ValueError:
        raise NoResultError(f"iperf3 gave no report: {report.strip()[:200]}") from None
    if "error" in data:
        raise NoResultError(f"iperf3: {data['error']}")
    ways = (data["end"].get(way, {}) for way in ("sum_received", "sum_received_bidir_reverse"))
    bits: float = sum(way.get("bits_per_second", 0.0) for way in ways)
    return bits / _MEGA
