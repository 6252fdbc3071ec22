"""The nodes on the way to an address, and where a lab's networks are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.explain.follow import path_between
from lab.explain.place import place_of

if TYPE_CHECKING:
    from lab.world import World


def to_address(world: World, first: str, address: str) -> list[str]:
    """The nodes on the way to whoever has an address; only the first if nobody has it."""
    shared = [
        node.name
        for node in world.plan.nodes
        if address in {own.partition("/")[0] for own in node.loopback}
    ]  # every VNet has Azure's DNS server
    if shared:
        own = place_of(world.plan, first)
        return path_between(world.plan, first, own if own in shared else shared[0])
    owners = [name for name, own in world.addresses.items() if own == address]
    return path_between(world.plan, first, owners[0]) if owners else [first]


def site_of(world: World, name: str) -> str:
    """The connected site in whose LAN a node is; empty: none."""
    place = place_of(world.plan, name)
    return place if place in world.plan.connected_sites else ""


def inside_path(world: World, gateway: str, name: str) -> list[str]:
    """The nodes behind a gateway to a host of the VNet or of a site."""
    place = site_of(world, name)
    if not place:
        return path_between(world.plan, gateway, name)
    return [gateway, *([place] if name == place else path_between(world.plan, place, name))]


async def private_address(world: World, gateway: str) -> str:
    """A gateway's own address in its VNet."""
    done = await world.nodes[gateway].run(["ip", "-json", "-4", "address", "show", "dev", "lan"])
    rows = json.loads(done.stdout or "[]")
    return str(rows[0]["addr_info"][0]["local"]) if rows else ""
