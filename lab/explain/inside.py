"""A probe through a tunnel, or between hosts: does a node reach an address and port."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from lab.clients.profile import read_profile
from lab.errors import LabError
from lab.explain import engines, held, site, user_routes
from lab.explain.access import look_at_line, without_line
from lab.explain.dial import blocked, entry_of, lost, walk
from lab.explain.elsewhere import other_vnet
from lab.explain.follow import Followed, follow, path_between
from lab.explain.look import (
    ask,
    held_by,
    inside_path,
    resolve,
    route,
    site_of,
    to_address,
)
from lab.explain.mapping import client_with, forgotten
from lab.explain.model import INSIDE, Chain, Finding, Layer, chain_of, failure, stamp
from lab.explain.overlap import overlap, routes_to
from lab.explain.ports import listening, takes

if TYPE_CHECKING:
    from lab.explain.scene import Scene
    from lab.nodes.base import Node
    from lab.vpn_client import Connection, Dialled
    from lab.world import ClientComputer, Deed, World

Record = Mapping[str, Any]
_ENDS: dict[str, tuple[Layer, str]] = {
    "restart": ("client-policy", "a P2S client does not reconnect by itself; dial again"),
    "hangUp": ("client-policy", "dial again"),
    "disconnect": ("client-policy", "dial again"),
    "revoke": ("revocation", "reinstate the certificate, or issue a new one"),
    "update": ("profile-stale", "take a new profile and dial again"),
    "delete": ("gateway-down", "create the gateway anew and dial again"),
}
"""What ends a client's tunnel: its layer, and what to do then."""


@dataclass(frozen=True)
class Goal:
    """What is to be reached."""

    protocol: str
    """`tcp`, `udp` or `icmp`; `dns`: only the name is asked for."""
    name: str
    """A node's name, a DNS name or an address."""
    port: int = 0


async def explain_goal(who: str, goal: Goal, scene: Scene) -> tuple[str, Chain]:
    """The sentence and the layers of a probe from a node."""
    world = scene.world
    client = world.clients.get(who)
    if client and not await needs_tunnel(client, goal, world):
        client = None
    connection = await client.connection() if client else None
    passed: dict[Layer, str] = {}
    way = f"{who} to {goal.name}" + (f" {goal.protocol}/{goal.port}" if goal.port else "")
    if client is not None:
        if connection is None:
            broken = await no_tunnel(client, world)
            return broken.cause, chain_of(way, INSIDE, passed, broken, stamp())
        passed["client-policy"] = f"{who} has a tunnel: {connection.protocol}, {connection.address}"
        if down := await engines.look(client.gateway, connection.protocol):
            found = engines.half_a_tunnel(who, down, connection)
            return found.cause, chain_of(way, INSIDE, {}, found, stamp())
    line = await look_at_line(client, world) if client else None
    finding = without_line(line) if line else await _inside(who, goal, scene, connection, passed)
    chain = chain_of(way, INSIDE, passed, finding, stamp())
    if finding is None:
        words = passed.get("service") or passed.get("dns-inside", "")
        return f"{who} reaches {goal.name}: {words}", chain
    return finding.cause, chain


async def needs_tunnel(client: ClientComputer, goal: Goal, world: World) -> bool:
    """Whether a client reaches this through its tunnel, if at all: it is a name, a private address
    that is not on its own link, or one of the profile's prefixes."""
    address = world.addresses.get(goal.name, goal.name)
    if not re.fullmatch(r"[0-9.]+", address):
        return True
    if " via " not in (taken := await route(client.node, address)) and " dev " in taken:
        return f"src {world.addresses[client.name]}" not in taken
    with suppress(LabError):  # the gateway is deleted
        package = client.package or await client.profile()
        prefixes = (*PRIVATE, *read_profile(package).routes)
        return any(ip_address(address) in ip_network(prefix) for prefix in prefixes)
    return True


PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918."""


async def no_tunnel(client: ClientComputer, world: World) -> Finding:
    """Why a client has no tunnel: what ended the last one, with its moment."""
    name, dialled = client.name, client.last_dial
    again = f"p2slab connect {name}"
    routes = f"no tunnel on {name}; its routes (ip route): {await _routes(client)}"
    if dialled is None or dialled.connection is None:
        return _never_connected(name, dialled, routes)
    if gone := await gone_gateway(client, world):
        return gone
    record = await _end_of(client)
    own = [deed for deed in world.past if deed.at >= dialled.at and _concerns(deed, client)]
    told = [f"the gateway's log at {record['time']}: {record['message']}"] if record else []
    broken = await engines.look(client.gateway, dialled.connection.protocol)
    if broken and record:
        return engines.no_tunnel(name, record["time"], broken, *told, routes)
    done = [f"at {stamp(deed.at)}: {deed.text}: {deed.effect}" for deed in own]
    document = await client.gateway.get()
    entry = entry_of(record["thumbprint"], document) if record and record["thumbprint"] else ""
    if record and entry:
        cause = (
            f"{name} has no tunnel since {record['time']}: its certificate with thumbprint "
            f"{record['thumbprint']} is revoked (entry {entry!r} of vpnClientRevokedCertificates)"
        )
        remedy = _ENDS["revoke"][1]
        return failure("revocation", cause, *told, *done, routes, remedy=remedy, at=record["time"])
    if own:
        deed = own[-1]
        layer, remedy = _ENDS[deed.verb]
        if deed.verb == "update":
            layer = _changed(dialled.connection, document)
        cause = (
            f"{name} has no tunnel since {stamp(deed.at)}: {deed.text} ({deed.effect}), and it has "
            "not dialled since"
        )
        proof = (*told, *done, routes)
        return failure(layer, cause, *proof, remedy=remedy, at=stamp(deed.at))
    since = record["time"] if record else "an unknown time"
    why = record["message"] if record else "the gateway has no record of its end"
    cause = f"{name} has no tunnel since {since}: {why}"
    return failure("client-policy", cause, *told, routes, remedy=again)


def _never_connected(name: str, dialled: Dialled | None, routes: str) -> Finding:
    if dialled is None:
        cause = f"{name} is not connected: it has not dialled since the lab was built"
        return failure("client-policy", cause, routes, remedy=f"p2slab connect {name}")
    last = f"failed: {dialled.failures[-1]}" if dialled.failures else (
        "was given up before it ended: who asked for it had left"
    )  # fmt: skip
    cause = f"{name} is not connected: its dial at {stamp(dialled.at)} {last}"
    return failure("client-policy", cause, routes, remedy=f"p2slab explain {name}")


async def gone_gateway(client: ClientComputer, world: World) -> Finding | None:
    """Of a client whose gateway is off, or deleted."""
    if off := await engines.switched_off(client):
        return off
    return None if await client.gateway.exists() else deleted(client, world)


def deleted(client: ClientComputer, world: World) -> Finding:
    """Why nobody connects to a gateway that its operator has deleted."""
    found = deleted_gateway(client.gateway.name, world)
    return replace(found, cause=f"{client.name} is not connected: {found.cause}")


def deleted_gateway(gateway: str, world: World) -> Finding:
    """That a gateway was deleted, by whom and when."""
    layer, remedy = _ENDS["delete"]
    own = [deed for deed in world.past if deed.verb == "delete" and deed.subject == gateway]
    done = [f"at {stamp(deed.at)}: {deed.text}: {deed.effect}" for deed in own]
    at = stamp(own[-1].at) if own else ""
    return failure(layer, f"the gateway {gateway} is deleted", *done, remedy=remedy, at=at)


def _changed(connection: Connection, document: Mapping[str, Any]) -> Layer:
    """What of a gateway's document no longer admits a tunnel that stood."""
    configuration = document["properties"].get("vpnClientConfiguration") or {}
    pool = configuration.get("vpnClientAddressPool", {}).get("addressPrefixes", [])
    if connection.protocol not in configuration.get("vpnClientProtocols", ()):
        return "profile-stale"
    inside = any(ip_address(connection.address) in ip_network(prefix) for prefix in pool)
    return "client-policy" if inside else "pool"


async def _end_of(client: ClientComputer) -> Record | None:
    rows = await client.gateway.log()
    own = [r for r in rows if client.session and r["vpnConnectionId"] == client.session]
    return next((row for row in reversed(own) if row["event"] == "disconnected"), None)


def _concerns(deed: Deed, client: ClientComputer) -> bool:
    return deed.verb in _ENDS and deed.subject in (client.name, client.gateway.name)


async def _routes(client: ClientComputer) -> str:
    done = await client.node.run(["ip", "-4", "route"])
    return " | ".join(" ".join(line.split()) for line in done.output.splitlines())


async def _inside(
    who: str,
    goal: Goal,
    scene: Scene,
    connection: Connection | None,
    passed: dict[Layer, str],
) -> Finding | None:
    """The first broken layer below the tunnel; None: all are good."""
    world = scene.world
    address = world.addresses.get(goal.name, goal.name)
    if goal.protocol == "dns" or not re.fullmatch(r"[0-9.]+|.*:.*", address):
        resolved, servers = await resolve(world.nodes[who], goal.name)
        if not resolved:
            return await _no_name(who, goal.name, servers, world)
        passed["dns-inside"] = f"{goal.name} is {', '.join(resolved)}, by {', '.join(servers)}"
        if goal.protocol == "dns":
            return None
        address = resolved[0]
    peer = None if who in world.clients else await client_with(address, world)
    if peer and (lost_mapping := await forgotten(peer, world)):
        return lost_mapping
    taken = await route(world.nodes[who], address)
    if connection and f"src {connection.address}" not in taken:
        return await _beside(who, address, taken, world, connection)
    passed["route"] = f"ip route get: {taken}"
    target = node_of(address, world)
    if place := site_of(world, target) if target else "":
        seen = await site.look(place, scene)
        if not seen.up:
            return site.failed(seen)
        passed["s2s"] = f"connection {place}: {seen.status}"
    return await _followed(scene, who, goal, address, passed, tunnel=connection is not None)


async def _no_name(who: str, name: str, servers: Sequence[str], world: World) -> Finding:
    """A name is not resolved: who was asked, and what came back."""
    if not servers:
        none = f"/etc/resolv.conf of {who}: no nameserver"
        return failure("dns-inside", f"{who} has no nameserver", none, remedy="see dnsServers")
    server, node = servers[0], world.nodes[who]
    send = partial(ask, node, name)
    followed = await follow(world, path_inside(who, server, world), "udp", server, 53, send=send)
    proof = (
        f"/etc/resolv.conf of {who}: nameserver {server}; route: {await route(node, server)}",
        walk(followed),
    )
    at = stamp(followed.at)
    if followed.dropped:
        found = blocked(followed)
        cause = f"nameserver {server} gets no query: {found.cause}"
        return failure("dns-inside", cause, *proof, remedy=found.remedy, at=at)
    if any(one.startswith("an answer") for one in followed.answers):
        cause = f"nameserver {server} answers that it does not know {name}"
        return failure("dns-inside", cause, *proof, remedy="see its records, and the name", at=at)
    target, nobody = node_of(server, world), ""
    if target:
        sockets = await world.nodes[target].wait_for(partial(listening, "udp"))
        nobody = "" if takes(sockets, server, 53) else f": nothing listens on UDP 53 of {target}"
    remedy = "start a DNS server there, or change the VNet's dnsServers"
    cause = f"nameserver {server} does not answer{nobody}"
    return failure("dns-inside", cause, *proof, remedy=remedy, at=at)


async def _beside(
    who: str, address: str, taken: str, world: World, connection: Connection
) -> Finding:
    """The route to an address does not lead into the tunnel."""
    if found := other_vnet(world.clients[who], address, taken, connection, world):
        return found
    own = await held_by(world.clients[who])
    has = (", ".join(own.profile.routes) if own else "") or "none"
    proof = (
        f"ip route get {address}: {taken}",
        f"the tunnel: {connection.address} on {connection.interface}",
        f"routes of the client's profile: {has}",
    )
    client = world.clients[who]
    rows = await routes_to(client.node, address)
    device = re.search(r"\bdev (\S+)", taken)
    both = overlap(
        address,
        rows,
        proof,
        taken=device[1] if device else "",
        tunnel=connection.interface,
        access=client.access.name,
    )
    if both:
        return both
    if own and (stale := held.route(own, address, proof)):
        return stale
    if own and held.covers(own.profile, address):
        cause = (
            f"packets to {address} leave outside the tunnel, though the profile's routes have it: "
            "a route of the client's own comes first"
        )
        remedy = "see the client's own network: does it overlap the VNet's prefixes?"
        return failure("route", cause, *proof, remedy=remedy)
    cause = (
        f"no route through the tunnel to {address}: it is not in the profile's routes ({has}), "
        "and packets leave outside the tunnel"
    )
    remedy = "add its prefix to the gateway's customRoutes, take a new profile and dial again"
    return failure("route", cause, *proof, remedy=remedy)


def node_of(address: str, world: World) -> str:
    """Whose address it is; empty: nobody's."""
    return next((name for name, own in world.addresses.items() if own == address), "")


def path_inside(who: str, address: str, world: World) -> list[str]:
    """The nodes to watch: through the gateway for a client."""
    target = node_of(address, world)
    client = world.clients.get(who)
    if client is None:
        return to_address(world, who, address)
    gateway = client.gateway.name
    way = path_between(world.plan, who, gateway)
    if not target:
        rest = to_address(world, gateway, address)
        return [*way, *(node for node in rest[1:] if node not in way)]
    return [*way, *(node for node in inside_path(world, gateway, target)[1:] if node not in way)]


async def _followed(
    scene: Scene, who: str, goal: Goal, address: str, passed: dict[Layer, str], *, tunnel: bool
) -> Finding | None:
    """A probe, followed to the target."""
    world = scene.world
    target = node_of(address, world)
    if goal.protocol not in ("tcp", "udp") or not goal.port or ":" in address:
        return await pinged(world.nodes[who], address, passed)
    path = path_inside(who, address, world) if tunnel else to_address(world, who, address)
    between = carriers(who, world) if tunnel else ()
    followed = await follow(world, path, goal.protocol, address, goal.port, between=between)
    if followed.answered:
        return _answered(followed, target, passed)
    found = blocked(followed) if followed.dropped else None
    if found := found or await _by_the_users_routes(scene, who, target, address):
        return found
    if not target:
        cause = f"{address} gives no answer, and no node of the lab has that address"
        return failure("route", cause, walk(followed), remedy="see the address")
    if not followed.arrived:
        inner = [node for node in path if node not in between]
        return replace(lost(replace(followed, path=inner)), layer="route")
    passed["firewall"] = walk(followed)
    return await _service(scene, goal, target, followed)


async def _by_the_users_routes(scene: Scene, who: str, target: str, address: str) -> Finding | None:
    """On the way there, or back."""
    world = scene.world
    client = world.clients.get(who)
    connection = await client.connection() if client else None
    own = connection.address if connection else world.addresses.get(who, "")
    name = target or address
    if not own:
        return None
    there = user_routes.Way(own, address, f"packets from {who} to {name}")
    back = user_routes.Way(address, own, f"answers of {name} to {who}")
    return await user_routes.astray(world, there, back)


def carriers(who: str, world: World) -> Sequence[str]:
    """The nodes that see of a client's tunnel only what is encrypted."""
    client = world.clients.get(who)
    return path_between(world.plan, who, client.gateway.name)[1:-1] if client else ()


def _answered(followed: Followed, target: str, passed: dict[Layer, str]) -> Finding | None:
    """Somebody answers: the target, or another computer of that address."""
    if not target or followed.arrived:
        passed["firewall"] = passed["service"] = walk(followed)
        return None
    cause = f"another computer than {target} answers: nothing arrived at {target}"
    remedy = "see the client's own network: does it overlap the VNet's prefixes?"
    return failure("route", cause, walk(followed), remedy=remedy, at=stamp(followed.at))


async def pinged(node: Node, address: str, passed: dict[Layer, str]) -> Finding | None:
    """Whether an address answers ping."""
    done = await node.run(["ping", "-n", "-c", "1", "-W", "1", address])
    last = (done.output.splitlines() or ["nothing"])[-1]
    if done.code == 0:
        passed["service"] = f"{address} answers ping: {last}"
        return None
    cause = f"{address} does not answer ping"
    return failure("route", cause, f"ping: {last}", remedy="ask for a port: --to HOST:PORT")


async def _service(scene: Scene, goal: Goal, target: str, followed: Followed) -> Finding:
    """The probe arrived: what answers there."""
    node = scene.world.nodes[target]
    sockets = await node.wait_for(partial(listening, goal.protocol))
    table = f"sockets that listen there (/proc/net/{goal.protocol}): {sockets or 'none'}"
    at = stamp(followed.at)
    if not takes(sockets, followed.address, goal.port):
        cause = f"nothing listens on {goal.protocol} port {goal.port} of {target}"
        remedy = "start the service, or bind it to that address"
        return failure("service", cause, walk(followed), table, remedy=remedy, at=at)
    cause = f"the probe arrived at {target}, where a program listens, and no answer came back"
    remedy = f"see the way back: ip route in {target}"
    return failure("route", cause, walk(followed), table, remedy=remedy, at=at)
