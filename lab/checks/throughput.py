"""`throughput`: iperf3 from one or several computers at once to a host."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Measured:
    """What one computer's connections carried."""

    rate: float
    """Mbit/s."""
    seconds: float
    """How long they carried it."""
    began: float
    """When iperf3 was started (time.monotonic); they began later."""
    ended: float
    """When it had ended."""


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
    told = dict(zip(step.throughput, found, strict=True))
    failed = [f"{name}: {rate}" for name, rate in told.items() if isinstance(rate, Exception)]
    if failed:
        return Outcome(held=False, detail="; ".join(failed))
    return compare(step, {name: part for name, part in told.items() if isinstance(part, Measured)})


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


def compare(step: Throughput, parts: Mapping[str, Measured]) -> Outcome:
    """Whether the sum, or one's part, is within the limits.

    Of a sum only bounds are known, because the computers do not begin at quite the same moment, and
    who begins first has the gateway to himself: a limit is broken if both bounds break it.
    """
    chosen = list(parts.values()) if step.of is None else [parts[step.of]]
    most = sum(part.rate for part in chosen)
    least = most
    if len(chosen) > 1:
        window = max(part.ended for part in chosen) - min(part.began for part in chosen)
        longest = max(part.seconds for part in chosen)
        carried = sum(part.rate * part.seconds for part in chosen)
        least = min(most, carried / max(window, longest))
    low, high = step.atLeast, step.atMost
    held = (low is None or most >= low) and (high is None or least <= high)
    total = f"{most:.1f}" if f"{least:.1f}" == f"{most:.1f}" else f"{least:.1f} to {most:.1f}"
    each = ", ".join(f"{name} {part.rate:.1f}" for name, part in parts.items())
    detail = f"{total} Mbit/s"
    return Outcome(held=held, detail=f"{detail} ({each})" if len(parts) > 1 else detail)


async def _measure(node: Node, target: str, port: int, step: Throughput) -> Measured:
    # Without --omit: it makes the ends count at different times, and sums exceed what was sent.
    argv = ["iperf3", "--client", target, "--port", str(port), "--json"]
    argv += [
        "--time",
        str(round(step.seconds)),
    ]
    argv += ["--parallel", str(step.connections), "--connect-timeout", "5000"]
    argv += _DIRECTIONS[step.direction]
    began = time.monotonic()
    done = await node.run(argv, limit=step.seconds + GRACE)
    return Measured(*received(done.stdout), began, time.monotonic())


def received(report: str) -> tuple[float, float]:
    """Mbit/s that arrived, of both directions together, and the seconds in which they did, by
    iperf3's JSON report."""
    try:
        data: dict[str, Any] = json.loads(report)
    except ValueError:
        raise NoResultError(f"iperf3 gave no report: {report.strip()[:200]}") from None
    if "error" in data:
        raise NoResultError(f"iperf3: {data['error']}")
    names = ("sum_received", "sum_received_bidir_reverse")
    ways = [data["end"][name] for name in names if name in data["end"]]
    bits: float = sum(way["bits_per_second"] for way in ways)
    return bits / _MEGA, max(way["seconds"] for way in ways)
