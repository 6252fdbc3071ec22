"""A probe through a tunnel, or between hosts: does a node reach an address and port."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.explain import engines, networks, user_routes
from lab.explain.access import look_at_line, without_line
from lab.explain.beside import not_in_tunnel
from lab.explain.goal import Goal
from lab.explain.mapping import client_with, forgotten
from lab.explain.model import INSIDE, Chain, Finding, Layer, chain_of, failure
from lab.explain.names import is_name, no_name, resolve
from lab.explain.no_tunnel import without
from lab.explain.paths import node_of, path_inside, tunnelled
from lab.explain.place import behind_gateways
from lab.explain.probe import Way, pinged, probed
from lab.explain.routes import route

if TYPE_CHECKING:
    from lab.explain.scene import Scene
    from lab.vpn_client import Connection
    from lab.world import World


async def explain_goal(who: str, goal: Goal, scene: Scene) -> tuple[str, Chain]:
    """The sentence and the layers of a probe from a node."""
    world = scene.world
    client = world.clients.get(who)
    connection = await client.connection() if client else None
    passed: dict[Layer, str] = {}
    way = f"{who} to {goal.title}"
    if client is not None and not outside_of_all(who, goal, world):
        broken = await without(client, connection, world)
        if broken:
            return broken.cause, chain_of(way, INSIDE, passed, broken)
        assert connection
        passed["client-policy"] = f"{who} has a tunnel: {connection.protocol}, {connection.address}"
        if down := await engines.look(client.gateway, connection.protocol):
            found = engines.half_a_tunnel(who, down, connection)
            return found.cause, chain_of(way, INSIDE, {}, found)
    line = await look_at_line(client, world) if client else None
    finding = without_line(line) if line else await _inside(who, goal, scene, connection, passed)
    chain = chain_of(way, INSIDE, passed, finding)
    if finding is None:
        words = passed.get("mtu") or passed.get("service") or passed.get("dns-inside", "")
        return f"{who} reaches {goal.name}: {words}", chain
    return finding.cause, chain


def outside_of_all(who: str, goal: Goal, world: World) -> bool:
    """Whether the goal is on the Internet or in a home, to which no tunnel leads."""
    target = node_of(goal.name, who, world)
    return bool(target) and not behind_gateways(world.plan, target)


async def _inside(
    who: str, goal: Goal, scene: Scene, connection: Connection | None, passed: dict[Layer, str]
) -> Finding | None:
    """The first broken layer below the tunnel; None: all are good."""
    world = scene.world
    address = world.addresses.get(goal.name, goal.name)
    if goal.protocol == "dns" or is_name(address):
        resolved, servers = await resolve(world.nodes[who], goal.name)
        if not resolved:
            return await no_name(who, goal.name, servers, world)
        passed["dns-inside"] = f"{goal.name} is {', '.join(resolved)}, by {', '.join(servers)}"
        if goal.protocol == "dns":
            return None
        address = resolved[0]
    peer = None if who in world.clients else await client_with(address, world)
    if peer and (lost_mapping := await forgotten(peer, world)):
        return lost_mapping
    taken = await route(world.nodes[who], address)
    node = node_of(goal.name, who, world) or node_of(address, who, world)
    goal = replace(goal, name=address, node=node)
    if node and not behind_gateways(world.plan, node):
        connection = None  # no tunnel leads there
    if connection and f"src {connection.address}" not in taken:
        return await not_in_tunnel(world.clients[who], address, taken, connection, world)
    passed["route"] = f"ip route get: {taken}"
    return await _reached(who, goal, scene, connection, passed)


async def _reached(
    who: str, goal: Goal, scene: Scene, connection: Connection | None, passed: dict[Layer, str]
) -> Finding | None:
    """The same where the goal is an address, to which the node's own route is right."""
    world, address, target = scene.world, goal.name, goal.node
    own = connection.address if connection else world.addresses[who]
    inside = target and behind_gateways(world.plan, target)
    if inside and (broken := await networks.between(scene, who, target, own, passed)):
        return broken
    if ":" in address:
        return await pinged(world.nodes[who], address, passed)
    path = path_inside(who, address, target, world)
    way = Way(address, path, tunnelled(who, connection, world))
    if not way.path:
        cause = f"no cable and no connection leads from {who} to {target}"
        taken = await route(world.nodes[who], address)
        remedy = "connect the two networks"
        return failure("route", cause, f"{who}: ip route get: {taken}", remedy=remedy)
    found = await probed(world, goal, way, passed)
    if found and found.layer in ("route", "way-back", "service"):
        found = await user_routes.there_and_back(who, target, address, world) or found
    if found and found.layer == "route" and inside:
        found = await networks.below(who, goal, connection, world) or found
    if found and found.layer in ("firewall", "route") and inside:
        return networks.unconnected(who, target, found, world)
    return found
