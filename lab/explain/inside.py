"""A probe through a tunnel, or between hosts: does a node reach an address and port."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from lab.checks import records
from lab.explain import engines, held, site, user_routes, vnets
from lab.explain.absent import FAULTS, absent, told
from lab.explain.access import look_at_line, without_line
from lab.explain.blame import blocked
from lab.explain.choice import taken
from lab.explain.dial import WORDS, entry_of, walk
from lab.explain.elsewhere import BY_DESIGN, other_vnet
from lab.explain.follow import WITHIN, Followed, follow, path_between
from lab.explain.goal import Goal
from lab.explain.look import ask, held_by, resolve, route
from lab.explain.mapping import client_with, forgotten
from lab.explain.model import INSIDE, Chain, Finding, Layer, chain_of, failure, stamp
from lab.explain.overlap import overlap, routes_to
from lab.explain.paths import inside_path, to_address
from lab.explain.place import (
    NOT_FOR_GATEWAYS,
    behind_gateways,
    crossing,
    owner,
    place_of,
    private_line,
)
from lab.explain.ports import listening
from lab.explain.probe import Way, nobody, probed
from lab.explain.selectors import outside
from lab.explain.underneath import of_client, of_connection
from lab.explain.wayback import way_back
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.explain.scene import Scene
    from lab.nodes.base import Node
    from lab.vpn_client import Connection, Dialled
    from lab.world import ClientComputer, Deed, World

Record = Mapping[str, Any]
_NO_DDNS = "Auto-reconnect and DDNS are currently not supported in Point-to-Site VPNs."
"""Of azure-docs about-point-to-site-vpn."""
_ENDS: dict[str, tuple[Layer, str]] = {
    "restart": ("client-policy", "a P2S client does not reconnect by itself; dial again"),
    "hangUp": ("client-policy", "dial again"),
    "disconnect": ("client-policy", "dial again"),
    "revoke": ("revocation", "reinstate the certificate, or issue a new one"),
    "update": ("profile-stale", "take a new profile and dial again"),
    "delete": ("gateway-down", "create the gateway anew and dial again"),
    "fault": ("gateway-down", "dial again when the gateway is back"),
}
"""What ends a client's tunnel: its layer, and what to do then."""


async def explain_goal(who: str, goal: Goal, scene: Scene) -> tuple[str, Chain]:
    """The sentence and the layers of a probe from a node."""
    world = scene.world
    client = world.clients.get(who)
    connection = await client.connection() if client else None
    passed: dict[Layer, str] = {}
    size = f" ({goal.size} bytes)" if goal.size else ""
    way = f"{who} to {goal.name}" + (f" {goal.protocol}/{goal.port}" if goal.port else "") + size
    if client is not None and not outside_of_all(who, goal, world):
        broken = await without(client, connection, world)
        if broken:
            return broken.cause, chain_of(way, INSIDE, passed, broken, stamp())
        assert connection
        passed["client-policy"] = f"{who} has a tunnel: {connection.protocol}, {connection.address}"
        if down := await engines.look(client.gateway, connection.protocol):
            found = engines.half_a_tunnel(who, down, connection)
            return found.cause, chain_of(way, INSIDE, {}, found, stamp())
    line = await look_at_line(client, world) if client else None
    finding = without_line(line) if line else await _inside(who, goal, scene, connection, passed)
    chain = chain_of(way, INSIDE, passed, finding, stamp())
    if finding is None:
        words = passed.get("mtu") or passed.get("service") or passed.get("dns-inside", "")
        return f"{who} reaches {goal.name}: {words}", chain
    return finding.cause, chain


def outside_of_all(who: str, goal: Goal, world: World) -> bool:
    """Whether the goal is on the Internet or in a home, to which no tunnel leads."""
    target = node_of(goal.name, who, world)
    return bool(target) and not behind_gateways(world.plan, target)


async def without(
    client: ClientComputer, connection: Connection | None, world: World
) -> Finding | None:
    """Why a client has no tunnel, or none of which its gateway knows; None: it has one."""
    if connection is None:
        return await no_tunnel(client, world)
    if gone := await absent(client.gateway.name, world):
        own = f"{client.name} still calls its tunnel up: {connection.protocol}, on "
        return replace(gone, proof=(*gone.proof, f"{own}{connection.interface}"))
    if client.session and await records.session(client) is None:
        return await _ended(client, connection, world)
    return None


async def no_tunnel(client: ClientComputer, world: World) -> Finding:
    """Why a client has no tunnel: what ended the last one, with its moment."""
    name, dialled = client.name, client.last_dial
    routes = f"no tunnel on {name}; its routes (ip route): {await _routes(client)}"
    if dialled is None or dialled.connection is None:
        return _never_connected(name, dialled, routes)
    if gone := await gone_gateway(client, world):
        return gone
    return await _ended(client, dialled.connection, world)


async def _ended(client: ClientComputer, connection: Connection, world: World) -> Finding:
    """What ended a client's last tunnel."""
    name, dialled = client.name, client.last_dial
    routes = f"no tunnel on {name}; its routes (ip route): {await _routes(client)}"
    record = await _end_of(client)
    begun = dialled.at if dialled else 0.0
    own = [deed for deed in world.past if deed.at >= begun and _concerns(deed, client)]
    said = [f"the gateway's log at {record['time']}: {record['message']}"] if record else []
    broken = await engines.look(client.gateway, connection.protocol)
    if broken and record:
        return engines.no_tunnel(name, record["time"], broken, *said, routes)
    done = [*map(told, own)]
    document = await client.gateway.get()
    entry = entry_of(record["thumbprint"], document) if record and record["thumbprint"] else ""
    if record and entry:
        cause = (
            f"{name} has no tunnel since {record['time']}: its certificate with thumbprint "
            f"{record['thumbprint']} is revoked (entry {entry!r} of vpnClientRevokedCertificates)"
        )
        remedy = _ENDS["revoke"][1]
        return failure("revocation", cause, *said, *done, routes, remedy=remedy, at=record["time"])
    if own:
        deed = own[-1]
        layer, remedy = _ENDS[deed.verb]
        if deed.verb == "update":
            layer, remedy = _changed(client, connection, document)
        since, why = (record["time"], record["message"]) if record else (stamp(deed.at), "")
        by = f"{deed.text} ({why or deed.effect})"
        cause = f"{name} has no tunnel since {since}: {by}, and it has not dialled since"
        proof = (*said, *done, routes)
        return failure(layer, cause, *proof, remedy=remedy, at=since)
    since = record["time"] if record else "an unknown time"
    why = record["message"] if record else "the gateway has no record of its end"
    cause = f"{name} has no tunnel since {since}: {why}"
    return failure("client-policy", cause, *said, routes, remedy=f"p2slab connect {name}")


def _never_connected(name: str, dialled: Dialled | None, routes: str) -> Finding:
    if dialled is None:
        cause = f"{name} is not connected: it has not dialled since the lab was built"
        return failure("client-policy", cause, routes, remedy=f"p2slab connect {name}")
    last = dialled.failures[-1] if dialled.failures else "no protocol"
    cause = f"{name} is not connected: its dial at {stamp(dialled.at)} failed: {last}"
    return failure("client-policy", cause, routes, remedy=f"p2slab explain {name}")


async def gone_gateway(client: ClientComputer, world: World) -> Finding | None:
    """Of a client whose gateway is deleted, off or cut off."""
    gone = await absent(client.gateway.name, world)
    return replace(gone, cause=f"{client.name} is not connected: {gone.cause}") if gone else None


def _changed(
    client: ClientComputer, connection: Connection, document: Mapping[str, Any]
) -> tuple[Layer, str]:
    """What of a gateway's document no longer admits a tunnel that stood, and what to do then."""
    configuration = document["properties"].get("vpnClientConfiguration") or {}
    pool = configuration.get("vpnClientAddressPool", {}).get("addressPrefixes", [])
    if connection.protocol not in configuration.get("vpnClientProtocols", ()):
        return _ENDS["update"]
    if not any(ip_address(connection.address) in ip_network(prefix) for prefix in pool):
        return "pool", "dial again, for an address of the new pool"
    if "Certificate" not in configuration.get("vpnAuthenticationTypes", ()) and client.thumbprint:
        return _ENDS["update"]
    if client.certificates and not taken(client.certificates[0], document):
        return "certificate", WORDS["untrusted"][1]
    return "client-policy", _ENDS["update"][1]


async def _end_of(client: ClientComputer) -> Record | None:
    rows = await client.gateway.log()
    own = [r for r in rows if client.session and r["vpnConnectionId"] == client.session]
    return next((row for row in reversed(own) if row["event"] == "disconnected"), None)


def _concerns(deed: Deed, client: ClientComputer) -> bool:
    gateway = client.gateway.name
    if deed.verb == "fault":
        return deed.subject in FAULTS and deed.place in ("", gateway)
    return deed.verb in _ENDS and deed.subject in (client.name, gateway)


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
    node = node_of(goal.name, who, world) or node_of(address, who, world)
    goal = replace(goal, name=address, node=node)
    beside = bool(goal.node) and not behind_gateways(world.plan, goal.node)
    if connection and not beside and f"src {connection.address}" not in taken:
        return await _beside(who, address, taken, world, connection)
    passed["route"] = f"ip route get: {taken}"
    used = None if beside else connection
    return await _reached(who, goal, scene, used, passed)


async def _reached(
    who: str, goal: Goal, scene: Scene, connection: Connection | None, passed: dict[Layer, str]
) -> Finding | None:
    """The same where the goal is an address, to which the node's own route is right."""
    world, address, target = scene.world, goal.name, goal.node
    near = connection.address if connection else world.addresses[who]
    inside = target and behind_gateways(world.plan, target)
    if inside and (broken := await _between(scene, who, target, near, passed)):
        return broken
    if ":" in address:
        return await pinged(world.nodes[who], address, passed)
    way = Way(address, path_inside(who, address, target, world), _outer(who, connection, world))
    if not way.path:
        cause = f"no cable and no connection leads from {who} to {target}"
        taken = await route(world.nodes[who], address)
        remedy = "connect the two networks"
        return failure("route", cause, f"{who}: ip route get: {taken}", remedy=remedy)
    found = await probed(world, goal, way, passed)
    if found and found.layer in ("route", "way-back", "service"):
        found = await _by_the_users_routes(scene, who, target, address) or found
    if found and found.layer == "route" and inside:
        found = await _below(who, goal, connection, world) or found
    if found and found.layer in ("firewall", "route") and inside:
        return _unconnected(who, target, found, world)
    return found


async def _below(
    who: str, goal: Goal, connection: Connection | None, world: World
) -> Finding | None:
    """What drops the packets of the tunnels between a node and its target."""
    if connection and (found := await of_client(who, connection, world)):
        return found
    client = world.clients.get(who)
    near = client.gateway.name if client else who
    return await of_connection(near, goal.node, world, large=bool(goal.size))


def _unconnected(who: str, target: str, broken: Finding, world: World) -> Finding:
    """With the reason that nothing leads from the one network to the other, if that is so."""
    client = world.clients.get(who)
    first = client.gateway.name if client else who
    places = [place_of(world.plan, first), place_of(world.plan, target)]
    apart = "" not in places and places[0] != places[1]
    over = INTERNET in path_between(world.plan, first, target)
    if not (apart and over) or crossing(world.plan, first, target):
        return broken
    cause = f"no connection leads from {places[0]} to {places[1]}: {broken.cause}"
    remedy = "connect the two networks: a connection of their gateways"
    if private_line(world.plan, first, target):
        cause = f"{cause}. {NOT_FOR_GATEWAYS}"
    return replace(broken, layer="route", cause=cause, remedy=remedy)


async def _between(
    scene: Scene, who: str, target: str, near: str, passed: dict[Layer, str]
) -> Finding | None:
    """What is wrong with the connection that leads from one network to another."""
    world = scene.world
    client = world.clients.get(who)
    found = crossing(world.plan, client.gateway.name if client else who, target)
    if found is None:
        return None
    if found in world.plan.connected_sites:
        there = world.addresses[target]
        inward = place_of(world.plan, target) == found
        broken = await _to_site(scene, found, *((near, there) if inward else (there, near)), passed)
        if broken is None:
            return None
        taken = await route(world.nodes[who], there)
        return replace(broken, proof=(*broken.proof, f"{who}: ip route get {there}: {taken}"))
    seen = await vnets.look(found, scene)
    passed["s2s"] = "; ".join(seen.statuses)
    return None if seen.up else vnets.failed(seen)


async def _to_site(
    scene: Scene, name: str, near: str, far: str, passed: dict[Layer, str]
) -> Finding | None:
    """The same of a site's connection, for an address of Azure's side and one of the site's."""
    tunnel = await site.look(name, scene)
    if not tunnel.up:
        return site.failed(tunnel)
    passed["s2s"] = f"connection {name}: {tunnel.status}"
    return outside(tunnel.ends, near, far) if tunnel.ends else None


async def _no_name(who: str, name: str, servers: Sequence[str], world: World) -> Finding:
    """A name is not resolved: who was asked, and what came back."""
    if not servers:
        none = f"/etc/resolv.conf of {who}: no nameserver"
        return failure("dns-inside", f"{who} has no nameserver", none, remedy="see dnsServers")
    server, node = servers[0], world.nodes[who]

    async def send(_: bytes) -> str:
        return await ask(node, name, WITHIN)

    path = path_inside(who, server, node_of(server, who, world), world)
    followed = await follow(world, path, "udp", server, 53, send=send, marked=False)
    if connection := await world.clients[who].connection() if who in world.clients else None:
        outer = _outer(who, connection, world)
        followed = replace(followed, path=[one for one in path if one not in outer])
    proof: tuple[str, ...] = (
        f"/etc/resolv.conf of {who}: nameserver {server}; route: {await route(node, server)}",
        walk(followed),
    )
    at = stamp(followed.at)
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
        return failure("dns-inside", cause, *proof, remedy=remedy, at=at)
    found = await _silent(who, server, followed, world)
    why, more = (f": {found.cause}", found.proof) if found else ("", ())
    remedy = "start a DNS server there, or change the VNet's dnsServers"
    cause = f"nameserver {server} does not answer{why}"
    proof = (*proof, *more)
    return failure("dns-inside", cause, *proof, remedy=remedy, at=at)


async def _silent(who: str, server: str, followed: Followed, world: World) -> Finding | None:
    """Why a DNS server answers nothing, as far as is seen."""
    target = node_of(server, who, world)
    if not target:
        return None
    sockets = await world.nodes[target].wait_for(partial(listening, "udp"))
    if found := nobody(Goal("udp", server, 53), target, followed, sockets):
        return found
    return await way_back(followed, world) if followed.arrived else None


async def _beside(
    who: str, address: str, taken: str, world: World, connection: Connection
) -> Finding:
    """The route to an address does not lead into the tunnel."""
    if found := await other_vnet(world.clients[who], address, taken, connection, world):
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
            "the client's own routes have no such route now"
        )
        return failure("route", cause, *proof, remedy="dial again")
    cause = (
        f"no route through the tunnel to {address}: it is not in the profile's routes ({has}), "
        "and packets leave outside the tunnel"
    )
    return await _not_routed(who, address, cause, proof, world)


async def _not_routed(
    who: str, address: str, cause: str, proof: tuple[str, ...], world: World
) -> Finding:
    """The profile has no route to an address: that may be so by design."""
    target = node_of(address, who, world)
    place = place_of(world.plan, target) if target else ""
    gateway = world.clients[who].gateway.name
    remedy = "add its prefix to the gateway's customRoutes, take a new profile and dial again"
    if place and place != place_of(world.plan, gateway):
        cause = (
            f"{cause}. That is by design: {address} is in {place}, and {gateway} is in "
            f"{place_of(world.plan, gateway)}: {BY_DESIGN!r}"
        )
        if place in world.plan.connected_sites:
            document = await world.clients[who].gateway.get()
            custom = document["properties"].get("customRoutes") or {}
            prefixes = ", ".join(custom.get("addressPrefixes", ())) or "nothing"
            cause = f"{cause} What else it is to reach has to be in customRoutes"
            proof = (*proof, f"the gateway's document: customRoutes has {prefixes}")
        else:
            remedy = f"dial a gateway in {place}"
    return failure("route", cause, *proof, remedy=remedy)


def node_of(name: str, who: str, world: World) -> str:
    """The node of a name or address, as a node sees it; empty: nobody."""
    client = world.clients.get(who)
    return owner(world.plan, name, client.gateway.name if client else who)


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
    if not target:
        rest = to_address(world, gateway, address)
        return [*way, *(node for node in rest[1:] if node not in way)]
    return [*way, *(node for node in inside_path(world, gateway, target)[1:] if node not in way)]


def _outer(who: str, connection: Connection | None, world: World) -> list[str]:
    """The nodes between a client and its gateway, which see its tunnel alone."""
    client = world.clients.get(who)
    if client is None or connection is None:
        return []
    return path_between(world.plan, who, client.gateway.name)[1:-1]


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


async def pinged(node: Node, address: str, passed: dict[Layer, str]) -> Finding | None:
    """Whether an address answers ping."""
    """IPv6 is not followed."""
    done = await node.run(["ping", "-n", "-c", "1", "-W", "1", address])
    last = (done.output.splitlines() or ["nothing"])[-1]
    if done.code == 0:
        passed["service"] = f"{address} answers ping: {last}"
        return None
    cause = f"{address} does not answer ping"
    return failure("route", cause, f"ping: {last}", remedy="see routes and firewalls of IPv6")
