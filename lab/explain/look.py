"""Looks at the running lab because of a dial that failed."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.checks import records
from lab.clients.profile import read_profile
from lab.errors import LabError
from lab.explain import engines, inspection, server_certificate, site
from lab.explain.access import look_at_line, look_for_portal
from lab.explain.choice import choice_of
from lab.explain.clock import REASONS, look_at_clocks
from lab.explain.dial import LAYER_OF, Attempt, ServerSeen, reason_of
from lab.explain.follow import Followed, follow, path_between
from lab.explain.held import Held
from lab.explain.hello import Hello, is_answer, read_hello
from lab.explain.model import DIAL, Finding, Layer, stamp
from lab.explain.ports import listening, takes
from lab.explain.proxy import look_at_proxy
from lab.topology.planning.wiring import INTERNET
from lab.vpn_client import NotDialledError, RefusedError
from radius.reasons import Refusal, bare, telling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.explain.scene import Scene
    from lab.nodes.base import Node
    from lab.vpn_client import Dialled
    from lab.world import ClientComputer, World

PORTS: dict[str, tuple[tuple[str, int], ...]] = {
    "IkeV2": (("udp", 500), ("udp", 4500)),
    "SSTP": (("tcp", 443),),
    "OpenVPN": (("tcp", 443),),
}
"""Where each protocol's packets go."""
RADIUS_PORT = 1812
_DROPPED = re.compile(r"Shared secret is incorrect|invalid Message-Authenticator|unknown client")
LARGEST = 4096
RESOLVE_LIMIT = 3.0
"""Seconds; a resolver may wait much longer for servers that are silent."""
TLS_LIMIT = 3.0
OPENVPN_CONFIGURATION = "/run/gateway/openvpn/server.conf"
MOST_SUITES = 12
"""Cipher suites that are quoted."""
_TLS = {"-tls1_1": "TLS 1.1", "-tls1_2": "TLS 1.2", "-tls1_3": "TLS 1.3"}


class Word(NamedTuple):
    """What the far end wrote down about an attempt."""

    record: dict[str, Any] | None
    told: Refusal | None


async def attempts(
    client: ClientComputer, dialled: Dialled, scene: Scene, words: dict[str, Word]
) -> list[Attempt]:
    """What is seen of each failure of a dial; `words`: what was found earlier about the same, and
    is found now."""
    world = scene.world
    profile = await held_by(client)
    own = read_profile(client.package) if client.package else None
    name = (own.server or own.host("OpenVPN")) if own else ""
    resolved, servers = await resolve(client.node, name)
    public, _ = await resolve(world.nodes[INTERNET], name)
    address = resolved[0] if resolved else world.addresses[client.gateway.name]
    document = await client.gateway.get()
    line = await look_at_line(client, world)
    portal = await look_for_portal(client, world, address)
    found = []
    # What could not be dialled matters only if nothing else was.
    tried = [one for one in dialled.failures if not isinstance(one, NotDialledError)]
    for failure in tried or dialled.failures:
        if failure.protocol not in words:
            words[failure.protocol] = await word_of(client, failure, dialled, world)
        word = words[failure.protocol]
        attempt = Attempt(
            failure.protocol,
            failure.reason,
            failure.message,
            not isinstance(failure, NotDialledError),
            dialled.at,
            thumbprint=client.thumbprint or "",
            choice=choice_of(client.certificates, document),
            name=name,
            resolved=tuple(resolved),
            nameservers=tuple(servers),
            record=word.record,
            told=word.told,
            document=document,
            deeds=tuple(world.past),
            held=profile,
            public=() if client.proxy and failure.protocol != "IkeV2" else tuple(public),
            line=line,
            clocks=await look_at_clocks(client, world) if failure.reason in REASONS else None,
            portal=portal,
        )
        whole = await _completed(attempt, client, dialled, scene, address)
        if own and whole.reason == "server-untrusted":
            node = world.nodes[client.gateway.name]
            flaws = await server_certificate.look(node, own, whole.protocol)
            whole = replace(whole, flaws=flaws)
        found.append(whole)
    return found


async def held_by(client: ClientComputer) -> Held | None:
    """The profile with which a client dialled and the gateway's of now; None if either has none."""
    if not client.package:
        return None
    with suppress(LabError):
        profile, now = read_profile(client.package), read_profile(await client.profile())
        return Held(stamp(client.package_at), profile, now)
    return None


async def word_of(
    client: ClientComputer, failure: RefusedError, dialled: Dialled, world: World
) -> Word:
    """The gateway's record and the RADIUS server's word about a failure; the client's own
    messages may be vague, so both are always asked."""
    if isinstance(failure, NotDialledError):
        return Word(None, None)
    if failure.reason in ("no-answer", "proxy"):
        rows = await records.of_attempts(client, failure.protocol, dialled.began)
        record = next((row for row in reversed(rows) if row["event"] == "refused"), None)
    else:
        record = await records.refusal(client, failure.protocol, dialled.began)
    told = None
    vague = record is None or record["radiusServer"] or record["reason"] == "radius-no-answer"
    if vague and failure.reason not in ("no-answer", "proxy"):
        told = _servers_word(client, world, dialled)
    return Word(record, told)


def _servers_word(client: ClientComputer, world: World, dialled: Dialled) -> Refusal | None:
    """The RADIUS servers' last word about the user, of this dial only."""
    marks = dialled.written
    found = [
        server.refusal(client.user, marks[name], agreed=True)
        for name, server in world.radius.items()
        if name in marks
    ]
    return telling(client.user, [[one for one in found if one]])


async def _completed(
    attempt: Attempt, client: ClientComputer, dialled: Dialled, scene: Scene, address: str
) -> Attempt:
    """With what its reason makes worth a look."""
    layer = LAYER_OF.get(reason_of(attempt), "radius-verdict")
    world = scene.world
    more: dict[str, Any] = {}
    if attempt.dialled:
        more["route"] = await route(client.node, address)
    if layer == "firewall":
        more |= await _network(attempt, client, world, address)
    elif layer == "proxy" and client.proxy:
        more["proxy"] = await look_at_proxy(client, world, dialled.at)
    elif layer == "tls" and attempt.protocol != "IkeV2":
        more["hello"] = await _hello(attempt, client, world, address)
    if _may_be_inspected(attempt):
        more["shown"] = await inspection.look_at_certificates(client, world, attempt.name, address)
    if layer == "pool":
        more["taken"] = await _taken_addresses(client, attempt.protocol)
    asked = layer == "radius-path"
    # They are asked only later, and are a further cause if none of them can answer.
    later = client.thumbprint is None and _comes_before("radius-path", layer)
    if asked or (attempt.dialled and later):
        more["servers"] = await _servers(attempt, client, dialled, scene, probe=asked)
    return replace(attempt, **more)


async def _taken_addresses(client: ClientComputer, protocol: str) -> tuple[str, ...]:
    return tuple(
        f"{row['privateIpAddress']} ({row.get('vpnUserName') or row['protocol']})"
        for row in await client.gateway.sessions()
        if row["protocol"] == protocol
    )


def _may_be_inspected(attempt: Attempt) -> bool:
    """Whether somebody else's certificate may be why: the gateway has heard nothing."""
    heard = attempt.record is not None or attempt.protocol == "IkeV2"
    return not heard and attempt.reason in inspection.REASONS


def _comes_before(later: Layer, layer: Layer) -> bool:
    return DIAL.index(layer) < DIAL.index(later)


async def resolve(node: Node, name: str) -> tuple[list[str], list[str]]:
    """A node's addresses of a name, and its nameservers."""
    text = (await node.read("/etc/resolv.conf")).decode(errors="replace")
    servers = re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE)
    if not name:
        return [], servers
    with suppress(TimeoutError):
        done = await node.run(["getent", "ahostsv4", name], limit=RESOLVE_LIMIT)
        return list(dict.fromkeys(x.split()[0] for x in done.stdout.splitlines())), servers
    return [], servers


async def route(node: Node, address: str) -> str:
    """What a node's kernel says of the way to an address, in a line."""
    done = await node.run(["ip", "route", "get", address])
    return " ".join(done.output.replace("cache", "").split()).removesuffix("uid 0").strip()


async def _network(
    attempt: Attempt, client: ClientComputer, world: World, address: str
) -> dict[str, Any]:
    """Probes from the client to the gateway's ports, and whether somebody has these."""
    gateway = client.gateway.name
    if attempt.name and not attempt.resolved:
        ways = [
            await follow(world, to_address(world, client.name, server), "udp", server, 53,
                         send=partial(ask, client.node, attempt.name))
            for server in attempt.nameservers[:1]
        ]  # fmt: skip
    else:
        ways = []
    path = path_between(world.plan, client.name, gateway)
    through_proxy = client.proxy and attempt.protocol != "IkeV2"
    for protocol, port in () if through_proxy else PORTS[attempt.protocol]:
        ways.append(await follow(world, path, protocol, address, port))
        if ways[-1].dropped:
            break
    if through_proxy and client.proxy:
        target, port = client.proxy
        path = to_address(world, client.name, target)
        ways.append(await follow(world, path, "tcp", target, port))
    listens = {}
    for protocol, port in PORTS[attempt.protocol]:
        sockets = await world.nodes[gateway].wait_for(partial(listening, protocol))
        listens[f"{protocol}/{port}"] = takes(sockets, address, port)
    engine = await engines.look(client.gateway, attempt.protocol)
    return {"followed": tuple(ways), "listens": listens, "engine": engine}


def to_address(world: World, first: str, address: str) -> list[str]:
    """The nodes on the way to whoever has an address; only the first if nobody has it."""
    for node in world.plan.nodes:
        if address in {own.partition("/")[0] for own in node.loopback}:
            return path_between(world.plan, first, node.name)
    owners = [name for name, own in world.addresses.items() if own == address]
    return path_between(world.plan, first, owners[0]) if owners else [first]


async def _hello(attempt: Attempt, client: ClientComputer, world: World, address: str) -> str:
    """What the client offers, by its ClientHello, and what the gateway takes. The client dials
    again for that, as it did: nothing but a packet tells what a program offers."""
    offered, agreed = await _offered(attempt, client)
    if agreed and attempt.protocol == "SSTP":
        said = attempt.record["message"] if attempt.record else attempt.message
        return f"they agree on the TLS of SSTP, and not on that of EAP-TLS inside it: {said}"
    if attempt.protocol == "OpenVPN":  # its TLS is inside packets of its own: read, not tried
        gateway = await _configured(world.nodes[client.gateway.name])
    else:
        taken = await _taken(client, address)
        gateway = f"the gateway takes {', '.join(taken) or 'none of TLS 1.1 to 1.3'}"
    if offered is None:
        return f"no ClientHello of the client's was seen; {gateway}"
    suites = ", ".join(f"0x{suite:04X}" for suite in offered.suites[:MOST_SUITES])
    return (
        f"the client's ClientHello offers {offered.newest} at most, with the cipher suites "
        f"{suites}; {gateway}"
    )


async def _offered(attempt: Attempt, client: ClientComputer) -> tuple[Hello | None, bool]:
    """What the client offers, and whether the gateway chose from it."""
    found: list[Hello] = []
    answered = False
    line = await client.access.sniff()
    loop = asyncio.get_running_loop()

    def drain() -> None:
        nonlocal answered
        with suppress(BlockingIOError):
            while True:
                data = line.recv(LARGEST)
                answered = answered or is_answer(data)
                if hello := read_hello(data):
                    found.append(hello)

    loop.add_reader(line, drain)
    try:
        await client.dial_again(attempt.protocol)  # type: ignore[arg-type]
    finally:
        loop.remove_reader(line)
        drain()
        line.close()
    return (found[0] if found else None), answered


async def _configured(gateway: Node) -> str:
    """What the gateway's openvpn is told to take."""
    text = (await gateway.read(OPENVPN_CONFIGURATION)).decode()
    wanted = ("tls-version-min", "tls-version-max", "tls-cipher")
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    return f"the gateway's openvpn has {', '.join(lines)}"


async def _taken(client: ClientComputer, address: str) -> list[str]:
    """The TLS versions with which a handshake with the gateway succeeds."""
    taken = []
    for option, name in _TLS.items():
        argv = ["openssl", "s_client", "-connect", f"{address}:443", option]
        if option == "-tls1_1":
            argv += ["-cipher", "DEFAULT:@SECLEVEL=0"]
        with suppress(TimeoutError):
            done = await client.node.run(argv, limit=TLS_LIMIT)
            if found := re.search(r"^New, TLSv1\S*, Cipher is (\S+)", done.stdout, re.MULTILINE):
                taken.append(f"{name} (chose {found[1]})")
    return taken


async def _servers(
    attempt: Attempt,
    client: ClientComputer,
    dialled: Dialled,
    scene: Scene,
    *,
    probe: bool = True,
) -> tuple[ServerSeen, ...]:
    """The RADIUS servers of the gateway's document."""
    world = scene.world
    configuration = attempt.document["properties"].get("vpnClientConfiguration") or {}
    owners = {world.addresses[name]: name for name in world.radius}
    return tuple([
        await look_at_server(address, owners[address], client, dialled, scene, probe=probe)
        for address in asked_servers(configuration)
        if address in owners
    ])  # fmt: skip


def asked_servers(configuration: Mapping[str, Any]) -> list[str]:
    """The addresses of the RADIUS servers of a document's vpnClientConfiguration, the one with the
    highest score first."""
    rows = configuration.get("radiusServers") or []
    ordered = sorted(rows, key=lambda row: -(row.get("radiusServerScore") or 0))
    own = configuration.get("radiusServerAddress")
    return [row["radiusServerAddress"] for row in ordered] or ([own] if own else [])


async def look_at_server(
    address: str,
    name: str,
    client: ClientComputer,
    dialled: Dialled,
    scene: Scene,
    *,
    probe: bool = True,
) -> ServerSeen:
    """Whether a RADIUS server of this node listens, gets a datagram of the gateway's (`probe`), and
    what it logged since a dial."""
    world = scene.world
    node, server, gateway = world.nodes[name], world.radius[name], client.gateway.name
    sockets = await node.wait_for(partial(listening, "udp"))
    lines = [line for line in scene.said(name, "freeradius", dialled.at) if _DROPPED.search(line)]
    asks: list[str] = []
    if server.asks:
        own = bare(client.user).casefold()
        asks = [user for user in await server.waiting() if bare(user).casefold() == own]
    connection, tunnel = await _tunnel(name, scene)
    followed: Followed | None = None
    if probe and not (lines or asks or tunnel):
        followed = await follow(
            world,
            inside_path(world, gateway, name),
            "udp",
            address,
            RADIUS_PORT,
            source=await private_address(world, gateway),
        )
    return ServerSeen(
        address,
        name,
        takes(sockets, address, RADIUS_PORT),
        followed,
        dropped=tuple(lines),
        path=connection,
        tunnel=tunnel,
        asks=tuple(asks),
    )


async def _tunnel(name: str, scene: Scene) -> tuple[str, Finding | None]:
    """The connection that leads to a node, and what is wrong with it."""
    world = scene.world
    place = site_of(world, name)
    if not place or world.plan.connected_sites.get(place) is None:
        return "", None
    seen = await site.look(place, scene)
    return f"connection {place}: {seen.status}", site.failed(seen) if not seen.up else None


def site_of(world: World, name: str) -> str:
    """The connected site in whose LAN a node is; empty: none."""
    for place in world.plan.connected_sites:
        way = path_between(world.plan, place, name)
        if way == [place] or (len(way) == 2 and way[1] != "internet"):
            return place
    return ""


def inside_path(world: World, gateway: str, name: str) -> list[str]:
    """The nodes behind a gateway to a host of the VNet or of a site."""
    place = site_of(world, name)
    if not place:
        return path_between(world.plan, gateway, name)
    return [gateway, *([place] if name == place else path_between(world.plan, place, name))]


async def private_address(world: World, gateway: str) -> str:
    """A gateway's own address in its VNet."""
    done = await world.nodes[gateway].run(["ip", "-json", "-4", "address", "show", "dev", "lan"])
    rows = json.loads(done.stdout or "[]")
    return str(rows[0]["addr_info"][0]["local"]) if rows else ""


async def ask(node: Node, name: str) -> str:
    """Let the node's own resolver ask for a name: what it says."""
    found, _ = await resolve(node, name)
    return ", ".join(found) or f"getent ahosts {name}: nothing"
