"""Looks at the RADIUS servers that a gateway asks, when it got no answer."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lab.explain import site, user_routes
from lab.explain.document import radius_servers_of
from lab.explain.follow import Followed, follow
from lab.explain.model import Finding, failure
from lab.explain.paths import inside_path, site_of
from lab.explain.place import NOT_FOR_GATEWAYS, crossing, owner, place_of, private_link
from lab.explain.ports import listening, takes
from lab.explain.radius_server import ServerSeen
from lab.explain.routes import route
from lab.explain.selectors import outside
from lab.explain.underneath import of_connection
from lab.explain.wayback import way_back
from lab.nodes import probes
from lab.roles.radius_server import CONFIGURATION, SETTINGS
from radius.reasons import bare

if TYPE_CHECKING:
    from lab.explain.document import Document
    from lab.explain.scene import Scene
    from lab.nodes.base import Node
    from lab.vpn_client import Dialled
    from lab.world import ClientComputer, World

PORT = 1812
_REQUIRED = (
    "If the RADIUS server is present on-premises, then a VPN S2S connection from Azure to the "
    "on-premises site is required for reachability."
)
"""Of azure-docs about-point-to-site-vpn."""
PROGRAMS = ("freeradius", "push-proxy")
"""What writes down on a server whose requests it ignores."""
_DROPPED = re.compile(
    r"Shared secret is incorrect|invalid Message-Authenticator|no Access-Request signed with"
)
_UNKNOWN = re.compile(r"unknown client|which is no client")
_CLIENT = re.compile(r"^\s*client \S+ \{\s*ipaddr = (\S+)", re.MULTILINE)


async def servers_of(
    document: Document,
    client: ClientComputer,
    dialled: Dialled,
    until: float,
    scene: Scene,
    *,
    probe: bool = True,
) -> tuple[ServerSeen, ...]:
    """Those of the gateway's document. `until`: when the gateway had given up: what servers have
    written down later is about probes. `probe`: whether one is sent."""
    world = scene.world
    time, near = (dialled.at, until), client.gateway.name
    owners = [(one, owner(world.plan, one, near)) for one in radius_servers_of(document)]
    return tuple([
        await look_at_server(address, name, client, time, scene, probe=probe)
        for address, name in owners
        if name in world.radius
    ])  # fmt: skip


async def look_at_server(
    address: str,
    name: str,
    client: ClientComputer,
    time: tuple[float, float],
    scene: Scene,
    *,
    probe: bool = True,
) -> ServerSeen:
    """Whether a RADIUS server of this node listens and gets a datagram of the gateway's (`probe`),
    and what it logged between two times."""
    world = scene.world
    node, server, gateway = world.nodes[name], world.radius[name], client.gateway.name
    sockets = await node.wait_for(partial(listening, "udp"))
    lines = [line for program in PROGRAMS for line in scene.said(name, program, *time)]
    asks: list[str] = []
    if server.asks:
        own = bare(client.user).casefold()
        asks = [user for user in await server.waiting() if bare(user).casefold() == own]
    source = await _private_address(world, gateway)
    path, tunnel, beside = await _tunnel(name, source, address, scene)
    beside = beside or await _apart(gateway, name, world)
    seen = ServerSeen(
        address,
        name,
        takes(sockets, address, PORT),
        None,
        dropped=tuple(filter(_DROPPED.search, lines)),
        unknown=tuple(filter(_UNKNOWN.search, lines)),
        path=path,
        tunnel=tunnel,
        astray=beside,
        asks=tuple(asks),
        source=source,
    )
    if seen.unknown:
        return replace(seen, clients=await _clients(node))
    if seen.dropped or asks or tunnel or beside or not probe:
        return seen
    way = inside_path(world, gateway, name)
    followed = await follow(world, way, "udp", address, PORT, source=source)
    if followed.dropped:
        return replace(seen, followed=followed)
    if not followed.arrived:
        lost = await of_connection(gateway, name, world)
        lost = lost or await user_routes.astray(
            world, user_routes.Way(source, address, f"requests of {gateway}")
        )
        return replace(seen, followed=followed, astray=lost)
    back = await _back(followed, world) if seen.listens else None
    if back:
        answers = user_routes.Way(address, source, f"answers of {name} to {gateway}")
        back = await user_routes.astray(world, answers) or back
    return replace(seen, followed=followed, astray=back)


async def _private_address(world: World, gateway: str) -> str:
    """A gateway's own address in its VNet."""
    done = await world.nodes[gateway].run(["ip", "-json", "-4", "address", "show", "dev", "lan"])
    rows = json.loads(done.stdout or "[]")
    return str(rows[0]["addr_info"][0]["local"]) if rows else ""


async def _clients(node: Node) -> tuple[str, ...]:
    """The prefixes of a server's clients, without their secrets."""
    with suppress(OSError):
        return tuple(dict(json.loads(await node.read(SETTINGS))["clients"]))
    text = (await node.read(CONFIGURATION)).decode(errors="replace")
    return tuple(_CLIENT.findall(text))


async def _back(followed: Followed, world: World) -> Finding | None:
    """What becomes of an answer. Servers answer no probe, so one is sent in their place, with the
    server's port, on the way of the probe that has just come."""
    source, port = followed.source
    node = world.nodes[followed.path[-1]]

    async def send(body: bytes) -> str:
        forge = partial(probes.answer, followed.address, PORT, source, port, body.hex())
        return await node.call(forge)

    answer = await follow(world, followed.path[::-1], "udp", source, port, send=send)
    returned = replace(
        followed, returned=answer.sightings, answer_dropped=answer.dropped, answers=[]
    )
    return await way_back(returned, world)


async def _apart(gateway: str, name: str, world: World) -> Finding | None:
    """A server is neither in the gateway's VNet nor behind one of its connections."""
    there, here = place_of(world.plan, name), place_of(world.plan, gateway)
    if there == here or crossing(world.plan, gateway, name):
        return None
    listed = ", ".join(await world.gateways[gateway].connections()) or "none"
    cause = f"it is in {there}, and no connection of {gateway} leads there: {_REQUIRED!r}"
    if private_link(world.plan, gateway, name):
        cause = f"{cause} {NOT_FOR_GATEWAYS}"
    told = f"the connections of {gateway}, by its API: {listed}"
    address = world.addresses[name]
    taken = f"{gateway}: ip route get {address}: {await route(world.nodes[gateway], address)}"
    remedy = f"connect {there} by a site-to-site VPN: gateways send RADIUS over nothing else"
    return failure("route", cause, told, taken, remedy=remedy)


async def _tunnel(
    name: str, source: str, address: str, scene: Scene
) -> tuple[str, Finding | None, Finding | None]:
    """The connection that leads to a node, what is wrong with it, and why it does not lead there
    all the same."""
    world = scene.world
    place = site_of(world, name)
    if not place:
        return "", None, None
    seen = await site.look(place, scene)
    if not seen.up:
        return f"connection {place}: {seen.status}", site.failed(seen), None
    beside = outside(seen.ends, source, address) if seen.ends else None
    return f"connection {place}: {seen.status}", None, beside
