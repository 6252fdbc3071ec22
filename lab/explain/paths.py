"""The nodes on the way to an address, and where a lab's networks are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain.follow import path_between
from lab.explain.place import behind_gateways, owner, place_of
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.vpn_client import Connection
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


def near_end(who: str, world: World) -> str:
    """Where the networks of Azure and of sites begin for a node: a client's gateway, or itself."""
    client = world.clients.get(who)
    return client.gateway.name if client else who


def node_of(name: str, who: str, world: World) -> str:
    """The node of a name or address, as a node sees it; empty: nobody."""
    return owner(world.plan, name, near_end(who, world))


def path_inside(who: str, address: str, target: str, world: World) -> list[str]:
    """The nodes to watch: through the gateway for a client. What crosses the Internet in a tunnel
    between two networks is not seen there."""
    client = world.clients.get(who)
    direct = path_between(world.plan, who, target) if target else to_address(world, who, address)
    if client is None:
        inner = target and place_of(world.plan, who) and place_of(world.plan, target)
        return [node for node in direct if node != INTERNET] if inner else direct
    if target and not behind_gateways(world.plan, target):
        return direct
    gateway = client.gateway.name
    way = path_between(world.plan, who, gateway)
    rest = inside_path(world, gateway, target) if target else to_address(world, gateway, address)
    return [*way, *(node for node in rest[1:] if node not in way)]


def tunnelled(who: str, connection: Connection | None, world: World) -> list[str]:
    """The nodes between a client and its gateway, which see its tunnel alone."""
    client = world.clients.get(who)
    if client is None or connection is None:
        return []
    return path_between(world.plan, who, client.gateway.name)[1:-1]
