"""Names that a node asks its nameserver for, and why one is not resolved."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.explain import networks, user_routes
from lab.explain.blame import blocked, walk
from lab.explain.follow import WITHIN, Followed, follow
from lab.explain.goal import Goal
from lab.explain.model import Finding, failure, stamp
from lab.explain.paths import node_of, path_inside, tunnelled
from lab.explain.place import behind_gateways
from lab.explain.probe import silent_service
from lab.explain.routes import route
from lab.explain.wayback import way_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.explain.scene import Scene
    from lab.nodes.base import Node
    from lab.vpn_client import Connection
    from lab.world import ClientComputer, World

RESOLVE_LIMIT = 3.0
"""Seconds; a resolver may wait much longer for servers that are silent."""
_TWICE = {"RES_OPTIONS": "timeout:1 attempts:2"}
"""glibc's (resolv.conf(5)): a question that is lost is asked again, and two seconds are enough."""
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
_NO_DDNS = "Auto-reconnect and DDNS are currently not supported in Point-to-Site VPNs."
"""Of azure-docs about-point-to-site-vpn."""


def is_name(text: str) -> bool:
    """Whether it is no address."""
    return not _ADDRESS.fullmatch(text)


async def resolve(
    node: Node, name: str, limit: float = RESOLVE_LIMIT
) -> tuple[list[str], list[str]]:
    """A node's addresses of a name, asked for within `limit` seconds, and its nameservers."""
    text = (await node.read("/etc/resolv.conf")).decode(errors="replace")
    servers = re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE)
    if not name:
        return [], servers
    with suppress(TimeoutError):
        done = await node.run(["getent", "ahostsv4", name], limit=limit, env=_TWICE)
        return list(dict.fromkeys(x.split()[0] for x in done.stdout.splitlines())), servers
    return [], servers


async def query(
    world: World, path: Sequence[str], name: str, server: str, limit: float = WITHIN
) -> Followed:
    """Let the resolver of the first node ask a nameserver for a name, within `limit` seconds, and
    follow its packets along the path."""
    node = world.nodes[path[0]]

    async def send(_: bytes) -> str:
        found, _servers = await resolve(node, name, limit)
        return ", ".join(found) or f"getent ahosts {name}: nothing"

    return await follow(world, path, "udp", server, 53, send=send, marked=False)


async def no_name(who: str, name: str, servers: Sequence[str], scene: Scene) -> Finding:
    """A name is not resolved: who was asked, and what came back."""
    world = scene.world
    if not servers:
        none = f"/etc/resolv.conf of {who}: no nameserver"
        return failure("dns-inside", f"{who} has no nameserver", none, remedy="see dnsServers")
    server, client = servers[0], world.clients.get(who)
    path = path_inside(who, server, node_of(server, who, world), world)
    followed = await query(world, path, name, server)
    connection = await client.connection() if client else None
    outer = tunnelled(who, connection, world)
    followed = replace(followed, path=[one for one in path if one not in outer])
    taken = await route(world.nodes[who], server)
    seen = f"/etc/resolv.conf of {who}: nameserver {server}; route: {taken}"
    proof, at = (seen, walk(followed)), stamp(followed.at)
    if followed.dropped:
        drop = blocked(followed)
        cause = f"nameserver {server} gets no query: {drop.cause}"
        return failure("dns-inside", cause, *proof, remedy=drop.remedy, at=at)
    if any(one.startswith("an answer") for one in followed.answers):
        cause = f"nameserver {server} answers that it does not know {name}"
        remedy = "see its records, and the name"
        if name.partition(".")[0] in world.clients:
            cause = f"{cause}: no client's name gets there by itself, by design: {_NO_DDNS!r}"
            remedy = "use its address, or let somebody add a record"
        elif client:
            cause = f"{cause}{_not_the_vnets(client, servers, world)}"
        return failure("dns-inside", cause, *proof, remedy=remedy, at=at)
    found = await _silent(who, followed, connection, scene)
    why, more = (f": {found.cause}", found.proof) if found else ("", ())
    remedy = "start a DNS server there, or change the VNet's dnsServers"
    cause = f"nameserver {server} does not answer{why}"
    return failure("dns-inside", cause, *proof, *more, remedy=remedy, at=at)


def _not_the_vnets(client: ClientComputer, servers: Sequence[str], world: World) -> str:
    """That a client asks others than the DNS servers of its gateway's VNet, and why."""
    plans = {plan.name: plan for plan in world.plan.gateways}
    vnet = plans[client.gateway.name].placement.virtualNetwork
    own = [str(server) for server in vnet.dnsServers]
    if set(own) & set(servers):
        return ""
    if own:
        return (
            f"; it is no DNS server of the VNet {vnet.name}, whose dnsServers are {', '.join(own)}"
        )
    return (
        f"; it is no DNS server of the VNet {vnet.name}, whose dhcpOptions have no dnsServers, so "
        "that clients keep their own"
    )


async def _silent(
    who: str, followed: Followed, connection: Connection | None, scene: Scene
) -> Finding | None:
    """Why a DNS server answers nothing, as far as is seen."""
    world, server = scene.world, followed.address
    target = node_of(server, who, world)
    if not target:
        return None
    goal = Goal("udp", server, 53, node=target)
    own = connection.address if connection else world.addresses[who]
    if behind_gateways(world.plan, target):
        if broken := await networks.between(scene, who, target, own, {}):
            return broken
        if not followed.arrived:
            astray = await user_routes.there_and_back(who, target, server, world)
            return astray or await networks.below(who, goal, connection, world)
    if found := await silent_service(world, goal):
        return found
    if not followed.arrived:
        return None
    astray = await user_routes.there_and_back(who, target, server, world)
    return astray or await way_back(followed, world)
