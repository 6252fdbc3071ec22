"""How a node reaches what it should not reach, or gets the answer to a name that it should not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain.blame import walk
from lab.explain.follow import follow
from lab.explain.goal import Goal
from lab.explain.inside import explain_goal
from lab.explain.model import INSIDE, Chain, Layer, chain_of, failure
from lab.explain.names import RESOLVE_LIMIT, is_name, query, resolve
from lab.explain.paths import node_of, path_inside, to_address
from lab.explain.probe import pinged
from lab.explain.routes import route

if TYPE_CHECKING:
    from lab.explain.scene import Scene


async def explain_reached(who: str, goal: Goal, scene: Scene) -> tuple[str, Chain]:
    """The way that the packets take now, through the client's tunnel or beside it."""
    world = scene.world
    client = world.clients.get(who)
    connection = await client.connection() if client else None
    passed: dict[Layer, str] = {}
    address = world.addresses.get(goal.name, goal.name)
    if is_name(address):
        found, servers = await resolve(world.nodes[who], goal.name)
        if not found:
            return await explain_goal(who, goal, scene)
        passed["dns-inside"] = f"{goal.name} is {', '.join(found)}, by {', '.join(servers)}"
        address = found[0]
    taken = await route(world.nodes[who], address)
    inside = connection is not None and f"src {connection.address}" in taken
    way = "from its own network"
    if connection and inside:
        way = f"through its tunnel ({connection.protocol}, {connection.address})"
    elif client:
        way = "beside its tunnel" if connection else "without a tunnel"
    passed["client-policy"] = f"{who} sends to {address} {way}"
    passed["route"] = f"ip route get: {taken}"
    title = f"{who} to {goal.title}"
    if goal.protocol == "icmp" or ":" in address:
        broken = await pinged(world.nodes[who], address, passed)
        told = passed.get("service", "")
    else:
        there = node_of(goal.name, who, world) or node_of(address, who, world)
        path = (
            path_inside(who, address, there, world) if inside else to_address(world, who, address)
        )
        followed = await follow(world, path, goal.protocol, address, goal.port)
        told = followed.told
        broken = None
        if followed.answered:
            passed["service"] = walk(followed)
        else:
            cause = f"{who} does not reach {goal.name} any more"
            broken = failure("service", cause, walk(followed), remedy="none: it is as it should be")
    target = node_of(address, who, world)
    whose = f", the address of {target}" if target and target != goal.name else ""
    if broken:
        return broken.cause, chain_of(title, INSIDE, passed, broken)
    words = f"{who} reaches {goal.name}{whose} {way}: {told}; its route: {taken}"
    return words, chain_of(title, INSIDE, passed)


async def explain_name(who: str, name: str, scene: Scene, *, wanted: str = "") -> tuple[str, Chain]:
    """Who answers for a name, and what; broken if the answer is not the `wanted` address."""
    world = scene.world
    found, servers = await resolve(world.nodes[who], name)
    passed: dict[Layer, str] = {}
    title = f"{who} asks for {name}"
    if not found or not servers:
        by = f"by {', '.join(servers)}" if servers else "without a nameserver (/etc/hosts?)"
        words = f"{name} is {', '.join(found) or 'unknown now'}, {by}"
        passed["dns-inside"] = words
        return words, chain_of(title, INSIDE, passed)
    server = servers[0]
    owner = node_of(server, who, world)
    path = path_inside(who, server, owner, world)
    followed = await query(world, path, name, server, RESOLVE_LIMIT)
    words = f"nameserver {server}{f' ({owner})' if owner else ''}"
    words = f"{words} answers {', '.join(found)} for {name}"
    seen = f"/etc/resolv.conf of {who}: nameserver {server}"
    if wanted and wanted not in found:
        cause = f"{words}, not {wanted}"
        remedy = "see the records of that server, or the VNet's dnsServers"
        broken = failure("dns-inside", cause, seen, walk(followed), remedy=remedy)
        return cause, chain_of(title, INSIDE, passed, broken)
    passed["dns-inside"] = f"{words}; {seen}; {walk(followed)}"
    return words, chain_of(title, INSIDE, passed)
