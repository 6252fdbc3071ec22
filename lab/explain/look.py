"""Looks at the running lab because of a dial that failed."""

from __future__ import annotations

import asyncio
import math
import re
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lab.checks import records
from lab.clients.profile import read_profile
from lab.explain import engines, held, inspection, remedies, server_certificate
from lab.explain.access import look_at_line, look_for_portal
from lab.explain.attempt import Attempt
from lab.explain.choice import choice_of, shown_of
from lab.explain.clock import REASONS, look_at_clocks
from lab.explain.document import by_radius
from lab.explain.follow import WITHIN, Followed, follow, path_between
from lab.explain.hello import Hello, is_answer, read_hello
from lab.explain.methods import look_at_methods
from lab.explain.model import DIAL, Layer
from lab.explain.mtu import black_hole
from lab.explain.names import query, resolve
from lab.explain.offer import able
from lab.explain.packets import ETHERNET, read
from lab.explain.paths import to_address
from lab.explain.ports import PORTS, listening, takes
from lab.explain.proxy import look_at_proxy
from lab.explain.radius_server import ServerSeen
from lab.explain.routes import route
from lab.explain.servers import servers_of
from lab.topology.planning.wiring import INTERNET
from lab.vpn_client import NotDialledError, RefusedError
from radius.reasons import Refusal, most_telling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.explain.scene import Scene
    from lab.nodes.base import Node
    from lab.vpn_client import Dialled
    from lab.world import ClientComputer, World

T = TypeVar("T")
LARGEST = 4096
OPENVPN = "/run/gateway/openvpn/server.conf"
TLS_LIMIT = 3.0
_TLS = {"-tls1_1": "TLS 1.1", "-tls1_2": "TLS 1.2", "-tls1_3": "TLS 1.3"}


class Word(NamedTuple):
    """What the far end wrote down about an attempt."""

    record: dict[str, Any] | None
    told: Refusal | None
    hello: str = ""
    """What the client offers, for which it dials again."""


async def attempts(
    client: ClientComputer, dialled: Dialled, scene: Scene, words: dict[str, Word]
) -> list[Attempt]:
    """What is seen of each failure of a dial; `words`: what was found earlier about the same, and
    is found now."""
    world = scene.world
    profile = await held.look(client)
    own = read_profile(client.package) if client.package else None
    name = held.server_of(own) if own else ""
    current = held.server_of(profile.now) if profile else ""
    own_address = world.addresses[client.gateway.name]
    (resolved, servers, asked), (public, _), line = await asyncio.gather(
        _name(client, name, world),
        resolve(world.nodes[INTERNET], name),
        look_at_line(client, world),
    )
    address = resolved[0] if resolved else own_address
    document = await client.gateway.get()
    portal = await look_for_portal(client, world, address)
    plan = next(plan for plan in world.plan.gateways if plan.name == client.gateway.name)
    forbidden = remedies.forbidden(document, plan)
    found = []
    # What could not be dialled matters only if nothing else was.
    tried = [one for one in dialled.failures if not isinstance(one, NotDialledError)]
    for failure in tried or dialled.failures:
        known = words.get(failure.protocol)
        word, clocks = await asyncio.gather(
            _already(known) if known else word_of(client, failure, dialled, world),
            look_at_clocks(client, world) if failure.reason in REASONS else _already(None),
        )
        words[failure.protocol] = word
        attempt = Attempt(
            failure.protocol,
            failure.reason,
            failure.message,
            not isinstance(failure, NotDialledError),
            dialled.at,
            thumbprint=client.thumbprint or "",
            credential=next(iter(client.certificates), None),
            certificate=shown_of(client.certificates),
            choice=choice_of(client.certificates, document),
            name=name,
            resolved=tuple(resolved),
            nameservers=tuple(servers),
            record=word.record,
            told=word.told,
            hello=word.hello,
            document=document,
            deeds=tuple(world.past),
            system=str(client.system),
            able=able(client, document),
            lacks=remedies.lacking(client.system, failure.protocol, radius=by_radius(document)),
            forbidden=forbidden,
            held=profile,
            gateway=own_address if name == current else "",
            public=() if client.proxy and failure.protocol != "IkeV2" else tuple(public),
            line=line,
            clocks=clocks,
            portal=portal,
        )
        whole = await _completed(attempt, client, dialled, scene, address, asked=asked)
        words[failure.protocol] = word._replace(hello=whole.hello)
        if own and whole.reason == "server-untrusted":
            node = world.nodes[client.gateway.name]
            flaws = await server_certificate.look(node, own, whole.protocol)
            whole = replace(whole, flaws=flaws)
        found.append(whole)
    return found


async def _already(value: T) -> T:
    """What needs no look."""
    return value


async def word_of(
    client: ClientComputer, failure: RefusedError, dialled: Dialled, world: World
) -> Word:
    """The gateway's record and the RADIUS server's word about a failure; the client's own
    messages may be vague, so both are always asked."""
    if isinstance(failure, NotDialledError):
        return Word(None, None)
    record = await _record(client, failure, dialled)
    told = None
    vague = record is None or record["radiusServer"] or record["reason"] == "radius-no-answer"
    if vague and failure.reason not in ("no-answer", "proxy"):
        told = _servers_word(client, world, dialled)
    return Word(record, told)


async def _record(
    client: ClientComputer, failure: RefusedError, dialled: Dialled
) -> dict[str, Any] | None:
    """The gateway's record of the failure; it is waited for only if it may still come."""
    lately = time.monotonic() - client.dialled_until < records.LOG_LIMIT
    if lately and failure.reason not in ("no-answer", "proxy"):
        return await records.refusal(client, failure.protocol, dialled.began)
    rows = await records.of_attempts(client, failure.protocol, dialled.began)
    return next((row for row in reversed(rows) if row["event"] == "refused"), None)


def _servers_word(client: ClientComputer, world: World, dialled: Dialled) -> Refusal | None:
    """The RADIUS servers' last word about the user, of this dial only."""
    marks = dialled.written
    found = [
        server.refusal(name, marks[node], agreed=True)
        for name in _names_of(client)
        for node, server in world.radius.items()
        if node in marks
    ]
    return most_telling(found)


def _names_of(client: ClientComputer) -> Iterator[str]:
    """As whom a client signs in: charon, whose certificate has no other name, sends its subject."""
    yield client.user
    for one in client.certificates[:1]:
        yield one.certificate.subject.public_bytes().decode(errors="replace")


async def _completed(
    attempt: Attempt,
    client: ClientComputer,
    dialled: Dialled,
    scene: Scene,
    address: str,
    *,
    asked: Followed | None,
) -> Attempt:
    """With what its reason makes worth a look; `asked`: its question for the gateway's name, if
    that was followed already."""
    layer = attempt.meaning.layer
    world = scene.world
    more: dict[str, Any] = {}
    if attempt.dialled:
        more["route"] = await route(client.node, address)
    if layer == "firewall" or attempt.undecided:
        more |= await _network(attempt, client, world, address, asked)
    elif layer == "proxy" and client.proxy:
        more["proxy"] = await look_at_proxy(client, world, dialled.at)
    elif layer == "tls" and attempt.protocol != "IkeV2" and not attempt.hello:
        more["hello"] = await _hello(attempt, client, address, world)
    if attempt.verdict in ("no-method", "certificate", "tls"):
        more["methods"] = await look_at_methods(client, dialled.at, scene)
    if _may_be_inspected(attempt):
        more["shown"] = await inspection.look_at_certificates(client, world, attempt.name, address)
    if layer in ("limit", "pool"):
        more |= _places(attempt.protocol, await client.gateway.sessions())
    more["servers"] = await _servers(attempt, layer, client, dialled, scene)
    return replace(attempt, **more)


async def _servers(
    attempt: Attempt, layer: Layer, client: ClientComputer, dialled: Dialled, scene: Scene
) -> tuple[ServerSeen, ...]:
    """The RADIUS servers, if they matter. Those of a dial that did not come to them are a further
    cause if none can answer; they are not probed."""
    document = attempt.document
    if layer == "radius-path":
        gave_up = attempt.record and datetime.fromisoformat(attempt.record["time"]).timestamp()
        return await servers_of(document, client, dialled, gave_up or math.inf, scene)
    before = DIAL.index(layer) < DIAL.index("radius-path")
    if attempt.dialled and client.thumbprint is None and before:
        return await servers_of(document, client, dialled, math.inf, scene, probe=False)
    return ()


def _places(protocol: str, sessions: list[dict[str, Any]]) -> dict[str, Any]:
    """Who has a place at the gateway, and whose the addresses of the protocol's part are."""
    taken = tuple(
        f"{row['privateIpAddress']} ({row.get('vpnUserName') or row['protocol']})"
        for row in sessions
        if row["protocol"] == protocol
    )
    return {"sessions": tuple(row["protocol"] for row in sessions), "taken": taken}


def _may_be_inspected(attempt: Attempt) -> bool:
    """Whether somebody else's certificate may be why: the gateway has heard nothing."""
    heard = attempt.record is not None or attempt.protocol == "IkeV2"
    return not heard and attempt.reason in inspection.REASONS


async def _name(
    client: ClientComputer, name: str, world: World
) -> tuple[list[str], list[str], Followed | None]:
    """A client's addresses of a name and its nameservers; a question that is not answered at once
    is followed meanwhile."""
    resolving = asyncio.ensure_future(resolve(client.node, name))
    try:
        await asyncio.wait({resolving}, timeout=WITHIN)
        asked = None if resolving.done() else await _followed_question(client, name, world)
        return (*await resolving, asked)
    finally:
        resolving.cancel()


async def _followed_question(client: ClientComputer, name: str, world: World) -> Followed | None:
    """A client's question for a name on its way to the first nameserver; None: there is none."""
    _, servers = await resolve(client.node, "")
    if not servers:
        return None
    return await query(world, to_address(world, client.name, servers[0]), name, servers[0])


async def _network(
    attempt: Attempt,
    client: ClientComputer,
    world: World,
    address: str,
    asked: Followed | None,
) -> dict[str, Any]:
    """Probes from the client to the gateway's ports, and to the name server that does not know the
    gateway's name; and whether somebody has these ports."""
    gateway = client.gateway.name
    unknown = attempt.name and not attempt.resolved
    question = (
        _followed_question(client, attempt.name, world)
        if unknown and not asked
        else _already(asked if unknown else None)
    )
    path = path_between(world.plan, client.name, gateway)
    if client.proxy and attempt.protocol != "IkeV2":
        target, port = client.proxy
        path = to_address(world, client.name, target)
        probes = [follow(world, path, "tcp", target, port)]
    else:
        probes = [
            follow(world, path, protocol, address, port)
            for protocol, port in PORTS[attempt.protocol]
        ]
    # Side by side, for each may wait in vain.
    large, ways = await asyncio.gather(
        black_hole(path, address, world), asyncio.gather(question, *probes)
    )
    listens = {}
    for protocol, port in PORTS[attempt.protocol]:
        sockets = await world.nodes[gateway].wait_for(partial(listening, protocol))
        listens[f"{protocol}/{port}"] = takes(sockets, world.addresses[gateway], port)
    engine = await engines.look(client.gateway, attempt.protocol)
    return {
        "followed": tuple(filter(None, ways)),
        "listens": listens,
        "engine": engine,
        "black_hole": large,
    }


async def _hello(attempt: Attempt, client: ClientComputer, address: str, world: World) -> str:
    """What the client offers, by its ClientHello, and what the gateway takes. The client dials
    again for that, as it did: nothing but a packet tells what a program offers."""
    offered, agreed = await _offered(attempt, client, world.addresses[client.name])
    if agreed and attempt.protocol == "SSTP":
        words = "they agree on the TLS of SSTP, and not on that of EAP-TLS inside it"
        return f"{words}: {attempt.why}"
    if attempt.protocol == "OpenVPN":  # which wraps its TLS
        gateway = await _configured(world.nodes[client.gateway.name])
    else:
        taken = await _taken(world.nodes[INTERNET], address)
        gateway = f"the gateway takes {', '.join(taken) or 'none of TLS 1.1 to 1.3'}"
    if offered is None:
        return f"no ClientHello of the client's was seen; {gateway}"
    suites = f", with the cipher suites {', '.join(offered.names)}" if offered.new else ""
    return f"the client's ClientHello offers {offered.newest} at most{suites}; {gateway}"


async def _offered(
    attempt: Attempt, client: ClientComputer, source: str
) -> tuple[Hello | None, bool]:
    """What is in the first ClientHello from the client's own address, for others dial meanwhile;
    and whether a server chose from it."""
    found: list[Hello] = []
    answered = False
    line = await client.access.sniff()
    loop = asyncio.get_running_loop()

    def drain() -> None:
        nonlocal answered
        with suppress(BlockingIOError):
            while True:
                frame = line.recv(LARGEST)
                packet = read(frame[ETHERNET:])
                if packet and packet.destination == source:
                    answered = answered or is_answer(frame)
                hello = read_hello(frame) if packet and packet.source == source else None
                if hello:
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
    """What a gateway's OpenVPN takes, by its own configuration."""
    text = (await gateway.read(OPENVPN)).decode()
    rows = dict(
        re.findall(r"^(tls-version-min|tls-version-max|tls-cipher) (.*)$", text, re.MULTILINE)
    )
    return (
        f"the gateway takes TLS {rows.get('tls-version-min')} to {rows.get('tls-version-max')} "
        f"with {rows.get('tls-cipher')}"
    )


async def _taken(node: Node, address: str) -> list[str]:
    """The TLS versions with which a handshake with the gateway succeeds, from the Internet."""
    found = await asyncio.gather(*(_handshake(node, address, one) for one in _TLS))
    return [one for one in found if one]


async def _handshake(node: Node, address: str, option: str) -> str:
    argv = ["openssl", "s_client", "-connect", f"{address}:443", option]
    if option == "-tls1_1":
        argv += ["-cipher", "DEFAULT:@SECLEVEL=0"]
    with suppress(TimeoutError):
        done = await node.run(argv, limit=TLS_LIMIT)
        if found := re.search(r"^New, TLSv1\S*, Cipher is (\S+)", done.stdout, re.MULTILINE):
            return f"{_TLS[option]} (chose {found[1]})"
    return ""
