"""A user-defined route that leads packets astray, in the tables of a VNet's router."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.topology.planning.plan import NodePlan, RouteTable, TableRoute
    from lab.world import World

_FORWARDS = "/proc/sys/net/ipv4/ip_forward"


@dataclass(frozen=True)
class Way:
    """Packets from one address to another."""

    source: str
    target: str
    words: str
    """Whose packets they are."""


async def there_and_back(who: str, target: str, address: str, world: World) -> Finding | None:
    """The first one on the way from a node to an address, or back; `target`: whose that is."""
    client = world.clients.get(who)
    connection = await client.connection() if client else None
    own = connection.address if connection else world.addresses.get(who, "")
    name = target or address
    if not own:
        return None
    there = Way(own, address, f"packets from {who} to {name}")
    back = Way(address, own, f"answers of {name} to {who}")
    return await astray(world, there, back)


async def astray(world: World, *ways: Way) -> Finding | None:
    """The first user-defined route that keeps packets of one of the ways from their target."""
    for way in ways:
        for router, table, route in _deciding(world, way):
            found = await _judged(world, way, router, table, route)
            if found:
                return found
    return None


def _deciding(world: World, way: Way) -> Iterator[tuple[NodePlan, RouteTable, TableRoute]]:
    """The user's routes that decide about a way: the longest prefix of each table."""
    for node in world.plan.nodes:
        arrives = _interface(node, way.source, world)
        for table in node.route_tables:
            if table.interface != arrives:
                continue
            fits = [
                route
                for route in table.routes
                if ip_address(way.target) in ip_network(route.destination)
            ]
            longest = max(fits, key=lambda r: ip_network(r.destination).prefixlen, default=None)
            if longest and longest.name and longest.kind != "throw":
                yield node, table, longest


def _interface(router: NodePlan, source: str, world: World) -> str:
    """Where packets from an address arrive at a VNet's router: from their subnet, or from the
    gateway's."""
    gateways = [
        str(plan.placement.privateIPAddress)
        for plan in world.plan.gateways
        if plan.placement.virtualNetwork.name == router.name
    ]
    for address in (source, *gateways):
        for bridge in router.bridges:
            if any(ip_address(address) in ip_interface(own).network for own in bridge.addresses):
                return bridge.name
    return ""


async def _judged(
    world: World, way: Way, router: NodePlan, table: RouteTable, route: TableRoute
) -> Finding | None:
    asked = f"ip route get {way.target} from {way.source} iif {table.interface}"
    done = await world.nodes[router.name].run(asked.split())
    said = " ".join(done.output.split())
    named = f"the route {route.name} of {table.subnet}'s route table in the VNet {router.name}"
    shown = f"{route.name}: {route.destination} to {route.via or 'None'}"
    proof = (f"route table of {table.subnet}: {shown}", f"{router.name}: {asked}: {said}")
    if route.kind == "blackhole":
        cause = f"{named} sends {route.destination} to None: {way.words} are dropped"
        remedy = f"take {route.name} out of the route table, or give it a next hop"
        return failure("route", cause, *proof, remedy=remedy, at=stamp())
    if route.via in {str(plan.placement.privateIPAddress) for plan in world.plan.gateways}:
        return None
    owner = next((name for name, own in world.addresses.items() if own == route.via), "")
    if not owner:
        cause = f"{named} sends {route.destination} to {route.via}, which no computer has"
        return failure("route", cause, *proof, remedy="see nextHopIpAddress", at=stamp())
    forwarding = (await world.nodes[owner].call(Path(_FORWARDS).read_text)).strip()
    if forwarding == "0":
        cause = (
            f"{named} sends {route.destination} to the appliance {owner} ({route.via}), which does "
            f"not forward: {way.words} are dropped there"
        )
        told = f"{owner}: {_FORWARDS}: {forwarding}"
        remedy = f"let {owner} forward, or take {route.name} out of the route table"
        return failure("route", cause, *proof, told, remedy=remedy, at=stamp())
    return None
