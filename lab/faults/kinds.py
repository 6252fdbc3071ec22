"""The faults: a table from the name of each to the function that begins it.

A new fault is a name in lab/topology/model/vocabulary.py, a function here and a row of KINDS.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.arm.sku import SKUS
from gateway.policy.protocols import PROTOCOLS
from lab.errors import UsageError
from lab.faults.links import unplug
from lab.kernel import nft
from lab.topology.planning.addressing import directory_name, radius_name
from lab.topology.planning.wiring import INTERNET

if TYPE_CHECKING:
    from lab.nodes.base import Node
    from lab.topology.model.steps import Fault
    from lab.topology.model.vocabulary import FaultName
    from lab.world import RadiusServer, World

End = Callable[[], Awaitable[None]]
Begun = tuple[str, End]
"""A description of the effect, and a function that ends it."""


async def s2s_cut(world: World, step: Fault) -> Begun:
    """The Internet's router drops all packets between the two VPN devices."""
    sites = world.plan.connected_sites
    names = [row.name for gateway in world.plan.gateways for row in gateway.connections]
    name = one(dict.fromkeys(names), step.at, "connection")
    ends = [world.addresses[gateway] for gateway in world.plan.gateways_of(name)]
    ours, theirs = (ends[0], world.addresses[name]) if name in sites else ends
    rules = [f"ip saddr {a} ip daddr {b} drop" for a, b in ((ours, theirs), (theirs, ours))]
    end = await drop(world.nodes[INTERNET], "s2s-cut", "forward", rules)
    return f"nothing passes between {ours} and {theirs}", end


async def s2s_wrong_psk(world: World, step: Fault) -> Begun:
    """The site's device has a wrong key, and has to set up the tunnel again."""
    site = one(world.plan.connected_sites, step.at, "site with a connection")
    device = world.devices[site]
    await device.use_key(secrets.token_hex(16))
    return f"the device of {site} has another pre-shared key", device.use_key


async def bgp_down(world: World, step: Fault) -> Begun:
    """BIRD of the site's device is stopped: what it announced is withdrawn."""
    site = one(world.speakers, step.at, "site with BGP")
    await world.speakers[site].stop()
    return f"the device of {site} speaks no BGP", world.speakers[site].begin


async def radius_down(world: World, step: Fault) -> Begun:
    """FreeRADIUS is stopped on the servers."""
    servers = servers_at(world, step.at)
    await _each(server.stop() for server in servers.values())

    async def end() -> None:
        await _each(server.begin() for server in servers.values())

    return f"no RADIUS server at {', '.join(servers)}", end


async def radius_slow(world: World, step: Fault) -> Begun:
    """Every answer is late."""
    if step.by is None:
        raise UsageError("radius-slow needs a delay", "by: 5s, or --by 5s")
    late, servers = step.by, servers_at(world, step.at)
    await _each(server.become(slow=late) for server in servers.values())
    return f"answers of {', '.join(servers)} are {late:g} s late", _restore(servers)


async def wrong_shared_secret(world: World, step: Fault) -> Begun:
    """The servers' shared secret differs from the gateway's."""
    servers = servers_at(world, step.at)
    await _each(server.become(secret=secrets.token_hex(16)) for server in servers.values())
    return f"another shared secret at {', '.join(servers)}", _restore(servers)


async def one_server_dead(world: World, step: Fault) -> Begun:
    """The first of several servers that a gateway asks is stopped."""
    servers = {world.addresses[name]: name for name in servers_at(world, step.at)}
    asked = [servers[address] for address in world.plan.radius_servers if address in servers]
    if len(asked) < 2:
        raise UsageError("one-server-dead needs two RADIUS servers", "use radius-down")
    server = world.radius[asked[0]]
    await server.stop()
    return f"no RADIUS server at {asked[0]}", server.begin


async def directory_down(world: World, step: Fault) -> Begun:
    """The domain controller is stopped."""
    place = directory_name(step.at) if step.at and step.at not in world.directories else step.at
    name = one(world.directories, place, "domain controller")
    await world.directories[name].stop()
    return f"no Active Directory at {name}", world.directories[name].begin


async def engine_down(world: World, step: Fault) -> Begun:
    """A gateway's daemon of one protocol has ended and does not start again."""
    name, protocol = one(world.gateways, step.at, "gateway"), step.engine
    if protocol is None:
        raise UsageError("engine-down needs a protocol", "engine: OpenVPN, or --engine OpenVPN")
    gateway = world.gateways[name]
    await gateway.hold(protocol)

    async def end() -> None:
        await gateway.release(protocol)

    return f"{PROTOCOLS[protocol].daemon} of {name} does not run", end


async def gateway_down(world: World, step: Fault) -> Begun:
    """The gateway is switched off, and on again when the fault ends: all its sessions are gone."""
    name = one(world.gateways, step.at, "gateway")
    await world.gateways[name].stop()
    silence = await drop(world.nodes[name], "gateway-down", "prerouting", ('iifname != "lo" drop',))

    async def end() -> None:
        await world.gateways[name].begin()
        await silence()

    return f"{name} is off", end


async def zone_down(world: World, step: Fault) -> Begun:
    """A gateway's availability zone fails; a zone-redundant one goes on in another zone."""
    name = one(world.gateways, step.at, "gateway")
    sku = SKUS[(await world.gateways[name].get())["properties"]["sku"]["name"]]
    if sku.zone_redundant:
        await world.gateways[name].reset()
        return f"{name} ({sku.name}) goes on in another zone", _nothing
    end = await drop(world.nodes[name], "zone-down", "prerouting", ('iifname != "lo" drop',))
    return f"nothing reaches {name} ({sku.name})", end


async def link_down(world: World, step: Fault) -> Begun:
    """An access network's link to the Internet has no carrier."""
    name = one([n.name for n in world.plan.nodes if n.kind == "access"], step.at, "access network")
    return f"the link of {name} to the Internet is down", await unplug(world, name)


async def _nothing() -> None:
    """A gateway does not go back to a zone that has returned."""


def servers_at(world: World, place: str | None) -> dict[str, RadiusServer]:
    """The RADIUS servers at a place: all (None), those of a site, or one by its own name."""
    chosen = {
        name: server
        for name, server in world.radius.items()
        if place in (None, name) or name in _of_site(str(place))
    }
    if not chosen:
        listed = ", ".join(world.radius) or "there is none"
        where = f" at {place}" if place else ""
        raise UsageError(f"there is no RADIUS server{where}", f"one of: {listed}")
    return chosen


def _of_site(site: str) -> tuple[str, str]:
    return radius_name(site), radius_name(site, second=True)


def _restore(servers: Mapping[str, RadiusServer]) -> End:
    async def end() -> None:
        await _each(server.become() for server in servers.values())

    return end


async def _each(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    async with asyncio.TaskGroup() as group:
        for one_work in work:
            group.create_task(one_work)


def one(names: Iterable[str], wanted: str | None, what: str) -> str:
    """The wanted name, or the only one; UsageError if it is unknown or ambiguous."""
    known = list(names)
    if wanted is not None and wanted in known:
        return wanted
    if wanted is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known)
    if not known:
        raise UsageError(f"the lab has no {what}", "see the topology's `sites:`")
    if wanted is not None:
        raise UsageError(f"{wanted} is not a {what}", f"one of: {listed}")
    raise UsageError(f"there are {len(known)}, each a {what}", f"at: (or --at) one of: {listed}")


async def drop(node: Node, name: str, hook: str, rules: Iterable[str]) -> End:
    """Add rules that drop packets to a node's firewall, in a separate table."""
    table = f"inet fault-{name}"
    lines = "\n".join(f"    {rule}" for rule in rules)
    text = f"""table {table} {{
  chain lost {{
    type filter hook {hook} priority -300; policy accept;
{lines}
  }}
}}
"""
    await node.call(lambda: nft.run(text))

    async def end() -> None:
        await node.call(lambda: nft.run(f"delete table {table}\n"))

    return end


KINDS: dict[FaultName, Callable[[World, Fault], Awaitable[Begun]]] = {
    "s2s-cut": s2s_cut,
    "s2s-wrong-psk": s2s_wrong_psk,
    "bgp-down": bgp_down,
    "radius-down": radius_down,
    "radius-slow": radius_slow,
    "wrong-shared-secret": wrong_shared_secret,
    "one-server-dead": one_server_dead,
    "directory-down": directory_down,
    "engine-down": engine_down,
    "gateway-down": gateway_down,
    "zone-down": zone_down,
    "link-down": link_down,
}
