"""What holds back packets between computers and a host: the queues on the way, as kernels have
them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lab.explain.follow import path_between
from lab.explain.goal import Goal
from lab.explain.inside import explain_goal
from lab.explain.model import Chain, Explanation, Finding, Layer, chain_of, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.explain.scene import Scene
    from lab.topology.model.steps import Throughput

_KINDS = ("tbf", "htb", "netem")
_MEGABIT = 125_000
"""Bytes a second."""


@dataclass(frozen=True)
class Queue:
    """A queue with a rate."""

    node: str
    device: str
    kind: str
    mbps: float
    """0: it has none."""
    held: int
    """Packets that had to wait or were dropped, since it was made."""
    text: str
    """It with its counters, in a line."""


async def explain_rate(step: Throughput, scene: Scene) -> Explanation:
    """Whether each computer reaches the host, and which queue on the way is the narrowest that held
    packets back."""
    world = scene.world
    chains: list[Chain] = []
    names: dict[str, None] = {}
    for name in step.throughput:
        words, chain = await explain_goal(name, Goal("icmp", step.host), scene)
        if chain.failed:
            return Explanation(name, words, (chain,))
        chains.append(chain)
        client = world.clients.get(name)
        way = [name, client.gateway.name, step.host] if client else [name, step.host]
        for first, last in pairwise(way):
            names |= dict.fromkeys(path_between(world.plan, first, last))
    queues = [queue for name in names for queue in await _queues(name, scene)]
    held = sorted((q for q in queues if q.held and q.mbps), key=lambda queue: queue.mbps)
    subject = ", ".join(step.throughput)
    if not held:
        seen = "; ".join(queue.text for queue in queues) or "none"
        words = "no queue on the way held packets back: no rate of the lab limits it"
        passed: dict[Layer, str] = {"line": f"tc -s qdisc: {seen}"}
        return Explanation(subject, words, (*chains, chain_of("rate", ("line",), passed)))
    broken = _narrow(held)
    return Explanation(subject, broken.cause, (*chains, chain_of("rate", ("line",), {}, broken)))


def _narrow(held: list[Queue]) -> Finding:
    first = held[0]
    cause = (
        f"the narrowest queue on the way is {first.device} of {first.node}: it lets {first.mbps:g} "
        f"Mbit/s pass, and {first.held} packets had to wait there or were dropped since it was made"
    )
    proof = [f"tc -s qdisc: {queue.text}" for queue in held]
    remedy = "compare the expected rate with it: a gateway's SKU, an access network's `rate`"
    return failure("line", cause, *proof, remedy=remedy)


async def _queues(name: str, scene: Scene) -> list[Queue]:
    done = await scene.world.nodes[name].run(["tc", "-s", "-json", "qdisc", "show"])
    return [*read_queues(name, done.stdout)] if done.code == 0 else []


def read_queues(node: str, report: str) -> Iterator[Queue]:
    """The queues that hold packets back, in the report of tc -s -json."""
    rows: list[dict[str, Any]] = json.loads(report or "[]")
    for row in rows:
        if row.get("kind") in _KINDS:
            rate = row.get("options", {}).get("rate", 0)
            mbps = (rate.get("rate", 0) if isinstance(rate, dict) else rate) / _MEGABIT
            held = int(row.get("overlimits", 0)) + int(row.get("drops", 0))
            text = (
                f"{node} {row['dev']}: {row['kind']} {mbps:g} Mbit/s, sent {row.get('bytes', 0)} "
                f"bytes, {row.get('drops', 0)} dropped, overlimits {row.get('overlimits', 0)}"
            )
            yield Queue(node, row["dev"], row["kind"], mbps, held, text)
