"""The connection that leads from one network to another, for a node that sends through it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.explain import site, vnets
from lab.explain.follow import path_between
from lab.explain.paths import near_end
from lab.explain.place import NOT_FOR_GATEWAYS, crossing, place_of, private_link
from lab.explain.routes import route
from lab.explain.selectors import carries, outside, selectors
from lab.explain.underneath import of_client, of_connection
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.explain.goal import Goal
    from lab.explain.model import Finding, Layer
    from lab.explain.scene import Scene
    from lab.vpn_client import Connection
    from lab.world import World


async def between(
    scene: Scene, who: str, target: str, own: str, passed: dict[Layer, str]
) -> Finding | None:
    """What is wrong with the connection between a node's network and its target's; None: nothing,
    or there is no connection. `own`: the address with which the node sends."""
    world = scene.world
    name = crossing(world.plan, near_end(who, world), target)
    if name is None:
        return None
    if name not in world.plan.connected_sites:
        seen = await vnets.look(name, scene)
        passed["s2s"] = "; ".join(seen.statuses)
        return None if seen.up else vnets.failed(seen)
    there = world.addresses[target]
    ends = (own, there) if place_of(world.plan, target) == name else (there, own)
    broken = await _to_site(scene, name, *ends, passed)
    if broken is None:
        return None
    taken = await route(world.nodes[who], there)
    return replace(broken, proof=(*broken.proof, f"{who}: ip route get {there}: {taken}"))


async def to_client(
    scene: Scene, who: str, gateway: str, address: str, passed: dict[Layer, str]
) -> Finding | None:
    """The same for a node of a site that sends to a client of a gateway, at its address of the
    pool."""
    world = scene.world
    name = crossing(world.plan, who, gateway)
    if name is None or name not in world.plan.connected_sites:
        return None
    return await _to_site(scene, name, address, world.addresses[who], passed)


async def _to_site(
    scene: Scene, name: str, near: str, far: str, passed: dict[Layer, str]
) -> Finding | None:
    """The same of a site's connection, for an address of Azure's side and one of the site's."""
    tunnel = await site.look(name, scene)
    if not tunnel.up:
        return site.failed(tunnel)
    passed["s2s"] = f"connection {name}: {tunnel.status}"
    return outside(tunnel.ends, near, far) if tunnel.ends else None


async def below(
    who: str, goal: Goal, connection: Connection | None, world: World
) -> Finding | None:
    """What drops the packets of the tunnels between a node and its target."""
    if connection and (found := await of_client(who, connection, world)):
        return found
    return await of_connection(near_end(who, world), goal.node, world, large=bool(goal.size))


async def unconnected(who: str, target: str, broken: Finding, scene: Scene) -> Finding:
    """With the reason that nothing leads from the one network to the other, if that is so."""
    world = scene.world
    first = near_end(who, world)
    here, there = place_of(world.plan, first), place_of(world.plan, target)
    apart = "" not in (here, there) and here != there
    over = INTERNET in path_between(world.plan, first, target)
    if not (apart and over) or crossing(world.plan, first, target):
        return broken
    if found := await _no_transit(here, there, target, broken, scene):
        return found
    cause = f"no connection leads from {here} to {there}: {broken.cause}"
    remedy = "connect the two networks: a connection of their gateways"
    if private_link(world.plan, first, target):
        cause = f"{cause}. {NOT_FOR_GATEWAYS}"
    return replace(broken, layer="route", cause=cause, remedy=remedy)


async def _no_transit(
    here: str, there: str, target: str, broken: Finding, scene: Scene
) -> Finding | None:
    """Of two networks that have a gateway in common, one of them a site whose tunnel does not have
    the other's addresses; None: that is not so."""
    world = scene.world
    sites = world.plan.connected_sites
    if here not in sites or there not in sites or sites[here].name != sites[there].name:
        return None
    gateway, address = sites[here].name, world.addresses[target]
    tunnel = await site.look(here, scene)
    if tunnel.ends is None or carries(tunnel.ends, address):
        return None
    agreed = ", ".join(tunnel.ends.agreed) or "nothing"
    cause = (
        f"no connection leads from {here} to {there}: both have one to {gateway}, which passes "
        f"nothing from one to the other: the traffic selectors of {here}'s tunnel do not have "
        f"{address}. They are {agreed}"
    )
    remedy = f"connect the two, or use BGP between {gateway} and both"
    return replace(broken, layer="route", cause=cause, remedy=remedy,
                   proof=(*selectors(tunnel.ends), *broken.proof))  # fmt: skip
