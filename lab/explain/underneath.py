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
    found = await asyncio.gather(*(_lost(way, "IkeV2", to, world) for way, to in ways))
    words = "still counts as up, and carries nothing"
    if large and not any(found):
        found = await asyncio.gather(*(black_hole(way, to, world) for way, to in ways))
        words = "carries small packets alone"
    broken = next(filter(None, found), None)
    return replace(broken, cause=f"the tunnel {name} {words}: {broken.cause}") if broken else None


async def of_client(who: str, connection: Connection, world: World) -> Finding | None:
    """What drops the packets of a client's tunnel; not through a proxy."""
    client = world.clients[who]
    if client.proxy and connection.protocol != "IkeV2":
        return None
    gateway = client.gateway.name
    path = path_between(world.plan, who, gateway)
    found = await _lost(path, connection.protocol, world.addresses[gateway], world)
    words = f"the tunnel of {who} still counts as up, and carries nothing: "
    return replace(found, cause=f"{words}{found.cause}") if found else None


async def _lost(path: list[str], protocol: str, address: str, world: World) -> Finding | None:
    carrier, port = PORTS[protocol][-1]
    return ended(await follow(world, path, carrier, address, port))
