"""What each fault does, as a table from its name.

A new one is a name in lab/topology/model/vocabulary.py, a function here and a row of KINDS.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lab.errors import UsageError
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
"""What was done, in words, and what undoes it."""


async def s2s_cut(world: World, step: Fault) -> Begun:
    """The Internet's router drops what the two VPN devices say to each other."""
    site = one(world.plan.connected_sites, step.at, "a site with a connection")
    ours = world.addresses[world.plan.connected_sites[site].name]
    theirs = world.addresses[site]
    rules = [f"ip saddr {a} ip daddr {b} drop" for a, b in ((ours, theirs), (theirs, ours))]
    end = await drop(world.nodes[INTERNET], "s2s-cut", "forward", rules)
    return f"nothing passes between {ours} and {theirs}", end


async def s2s_wrong_psk(world: World, step: Fault) -> Begun:
    """The site's device has another key, and has to set the tunnel up anew."""
    site = one(world.plan.connected_sites, step.at, "a site with a connection")
    device = world.devices[site]
    await device.use_key(secrets.token_hex(16))
    return f"the device of {site} has another pre-shared key", device.use_key


async def radius_down(world: World, step: Fault) -> Begun:
    """FreeRADIUS is not there, on any of the servers."""
    servers = servers_at(world, step.at)
    await _each(server.stop() for server in servers.values())

    async def end() -> None:
        await _each(server.begin() for server in servers.values())

    return f"no RADIUS server at {', '.join(servers)}", end


async def radius_slow(world: World, step: Fault) -> Begun:
    """Every answer is late."""
    if step.by is None:
        raise UsageError("radius-slow does not say by how much", "by: 5s, or --by 5s")
    late, servers = step.by, servers_at(world, step.at)
    await _each(server.become(slow=late) for server in servers.values())
    return f"answers of {', '.join(servers)} are {late:g} s late", _as_before(servers)


async def wrong_shared_secret(world: World, step: Fault) -> Begun:
    """Servers and gateway no longer have the same secret."""
    servers = servers_at(world, step.at)
    await _each(server.become(secret=secrets.token_hex(16)) for server in servers.values())
    return f"another shared secret at {', '.join(servers)}", _as_before(servers)


async def one_server_dead(world: World, step: Fault) -> Begun:
    """Of several servers, the one that a gateway asks first is not there."""
    servers = {world.addresses[name]: name for name in servers_at(world, step.at)}
    asked = [servers[address] for address in world.plan.radius_servers if address in servers]
    if len(asked) < 2:
        raise UsageError("there are not several RADIUS servers", "use radius-down")
    server = world.radius[asked[0]]
    await server.stop()
    return f"no RADIUS server at {asked[0]}", server.begin


async def directory_down(world: World, step: Fault) -> Begun:
    """The domain controller is not there."""
    place = directory_name(step.at) if step.at and step.at not in world.directories else step.at
    name = one(world.directories, place, "a domain controller")
    await world.directories[name].stop()
    return f"no Active Directory at {name}", world.directories[name].begin


def servers_at(world: World, place: str | None) -> dict[str, RadiusServer]:
    """The RADIUS servers that are meant: all, those of a site, or one by its own name."""
    chosen = {
        name: server
        for name, server in world.radius.items()
        if place in (None, name) or name in _of_site(str(place))
    }
    if not chosen:
        listed = ", ".join(world.radius) or "there is none"
        raise UsageError(f"no RADIUS server at {place or 'any place'}", f"one of: {listed}")
    return chosen


def _of_site(site: str) -> tuple[str, str]:
    return radius_name(site), radius_name(site, second=True)


def _as_before(servers: Mapping[str, RadiusServer]) -> End:
    async def end() -> None:
        await _each(server.become() for server in servers.values())

    return end


async def _each(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    async with asyncio.TaskGroup() as group:
        for one_work in work:
            group.create_task(one_work)


def one(names: Iterable[str], wanted: str | None, what: str) -> str:
    """The one that is meant; UsageError where that is not said."""
    known = list(names)
    if wanted is not None and wanted in known:
        return wanted
    if wanted is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known)
    if not known:
        raise UsageError(f"there is not {what}", "see the topology's `sites:`")
    if wanted is not None:
        raise UsageError(f"{wanted} is not {what}", f"one of: {listed}")
    raise UsageError(f"it is not said which of {len(known)}", f"at: (or --at) {what}, of: {listed}")


async def drop(node: Node, name: str, hook: str, rules: Iterable[str]) -> End:
    """Have a node's firewall drop packets, in a table of its own."""
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
    "radius-down": radius_down,
    "radius-slow": radius_slow,
    "wrong-shared-secret": wrong_shared_secret,
    "one-server-dead": one_server_dead,
    "directory-down": directory_down,
}
