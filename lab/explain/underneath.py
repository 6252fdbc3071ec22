"""Below a tunnel that both ends still call up: whether its own packets come through."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

from lab.explain.blame import ended
from lab.explain.follow import follow, path_between
from lab.explain.mtu import black_hole
from lab.explain.place import crossing
from lab.explain.ports import PORTS
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.explain.model import Finding
    from lab.vpn_client import Connection
    from lab.world import World


async def of_connection(
    first: str, target: str, world: World, *, large: bool = False
) -> Finding | None:
    """What drops the packets of the connection between the networks of two nodes; `large`: also
    those that are too large for a link. None: nothing, or there is no connection."""
    name = crossing(world.plan, first, target)
    if name is None:
        return None
    ends = world.plan.gateways_of(name)
    pair = ends if len(ends) == 2 else (*ends, name)
    ways = [([one, INTERNET, other], world.addresses[other]) for one, other in permutations(pair)]
    # Side by side, for each may wait in vain.
    every, too_large = await asyncio.gather(
        asyncio.gather(*(_lost(way, "IkeV2", to, world) for way, to in ways)),
        asyncio.gather(*(black_hole(way, to, world) for way, to in ways if large)),
    )
    for found, words in (
        (every, "still counts as up, and carries nothing"),
        (too_large, "carries small packets alone"),
    ):
        for broken in filter(None, found):
            return replace(broken, cause=f"the tunnel {name} {words}: {broken.cause}")
    return None


async def of_client(who: str, connection: Connection, world: World) -> Finding | None:
    """What drops the packets of a client's tunnel; not through a proxy."""
    client = world.clients[who]
    if client.proxy and connection.protocol != "IkeV2":
        return None
    gateway = client.gateway.name
    path = path_between(world.plan, who, gateway)
    address = world.addresses[gateway]
    words = "still counts as up, and carries nothing"
    found = await _lost(path, connection.protocol, address, world)
    if found is None:
        found = await black_hole(path, address, world)
        words = "carries small packets alone"
    return replace(found, cause=f"the tunnel of {who} {words}: {found.cause}") if found else None


async def _lost(path: list[str], protocol: str, address: str, world: World) -> Finding | None:
    carrier, port = PORTS[protocol][-1]
    return ended(await follow(world, path, carrier, address, port))
