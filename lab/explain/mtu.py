"""Packets that are too large for a link on their way, and whether their sender is told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from lab.explain.blame import rule_of
from lab.explain.follow import Followed, follow
from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from lab.topology.planning.plan import Plan
    from lab.world import World

LARGEST = 1500
"""Bytes of an Ethernet's packet."""
IKE = 500
_OWN_LIMIT = re.compile(r"mtu ?= ?(\d+)")
_ERROR = "fragmentation needed"


async def too_large(
    followed: Followed, size: int, outer: Sequence[str], world: World
) -> Finding | None:
    """Why a packet of `size` bytes that nobody may fragment is lost where a small one is answered.
    `outer`: the nodes between which its tunnel, if it has one, carries it. None: not for its size,
    as far as is seen."""
    at = stamp(followed.at)
    way = f"{followed.way}; {followed.told}"
    links = await narrowest(outer or followed.path, world)
    narrow = f"the narrowest link: {links[0]} takes {links[1]} bytes" if links else ""
    where = f"the link {links[0]}, which takes {links[1]} bytes" if links else "a link"
    inside = " (the tunnel makes them larger)" if outer else ""
    lower = f"send smaller packets, or set a lower MTU{' of the tunnel' if outer else ''}"
    if silent := followed.silenced:
        cause = (
            f"packets of {size} bytes are too large for {where}{inside}, and {silent.node} drops "
            f"the ICMP message ({_ERROR}) that would tell their sender: a black hole"
        )
        remedy = f"let {silent.node} tell senders (ICMP {_ERROR}); or {lower}"
        return failure("mtu", cause, rule_of(silent), way, narrow, remedy=remedy, at=at)
    own = _OWN_LIMIT.search(followed.result)
    if own and outer and not followed.sightings:
        cause = (
            f"packets of {size} bytes are too large for the tunnel of {followed.path[0]} itself, "
            f"which takes {own[1]} bytes: its own kernel says so"
        )
        return failure("mtu", cause, followed.result, way, remedy=lower, at=at)
    told = [one for one in followed.answers if _ERROR in one]
    if told or own:
        by = told[0] if told else f"{followed.path[0]}'s own kernel: {followed.result}"
        limit = f": {own[1]} bytes at most" if own else ""
        cause = (
            f"packets of {size} bytes are too large for {where}{inside}, and their sender is told "
            f"(ICMP {_ERROR}){limit}"
        )
        done = await world.nodes[followed.path[0]].run(["ip", "route", "get", followed.address])
        kept = f"ip route get {followed.address}: {' '.join(done.output.split())}"
        return failure("mtu", cause, by, kept, way, narrow, remedy=lower, at=at)
    return None


async def black_hole(path: Sequence[str], address: str, world: World) -> Finding | None:
    """Whether a packet as large as an Ethernet takes is lost on the way from the first node, and
    nobody tells it so."""
    followed = await follow(world, path, "udp", address, IKE, size=LARGEST)
    found = await too_large(followed, LARGEST, (), world)
    return found if followed.silenced else None


async def narrowest(path: Sequence[str], world: World) -> tuple[str, int] | None:
    """The link between two of these nodes with the smallest MTU, as `wan of home to internet`, and
    its bytes, as the nodes' kernels have it; None: all take the same."""
    found: dict[str, int] = {}
    for node, interface, far in _ends(world.plan, path):
        done = await world.nodes[node].run(["ip", "-json", "link", "show", "dev", interface])
        for row in json.loads(done.stdout or "[]"):
            found[f"{interface} of {node} to {far}"] = int(row["mtu"])
    if len(set(found.values())) < 2:
        return None
    return min(found.items(), key=lambda pair: pair[1])


def _ends(plan: Plan, path: Sequence[str]) -> list[tuple[str, str, str]]:
    """The interfaces with which the nodes send towards the last one, with the next node."""
    rows = []
    for near, far in pairwise(path):
        for cable in plan.links:
            for one, other in ((cable.a, cable.b), (cable.b, cable.a)):
                if (one.node, other.node) == (near, far):
                    rows.append((near, one.interface, far))
    return rows
