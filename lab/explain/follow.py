"""Send a probe and follow it from node to node, with the rule that drops it."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

from lab.errors import LabError
from lab.explain.packets import (
    ETHERNET,
    HEADERS,
    TRACED,
    Packet,
    Target,
    answer,
    ends,
    is_probe,
    read,
)
from lab.kernel.nft_trace import Drop, Tracer, quoted
from lab.nodes import probes

if TYPE_CHECKING:
    from lab.nodes.base import Node
    from lab.topology.planning.plan import Plan
    from lab.world import World

WITHIN = 0.8
"""Seconds to wait for an answer to a probe."""
SETTLE = 0.05
"""Seconds within which the nodes have seen the answer to a probe that has ended."""
_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "icmp": socket.IPPROTO_ICMP}
_HEADERS = 28
"""Bytes of the headers of IPv4 and of UDP or of ICMP's echo."""
_TELLING = re.compile(r"bytes from|local error|Frag needed|nreachable|not permitted")
"""Lines of ping's about its packet."""
_TOO_LARGE = "icmp type destination-unreachable icmp code frag-needed"
_OUTGOING = 4
"""PACKET_OUTGOING (packet(7))."""
_WITH_ETHERNET = (1, 772)
"""ARPHRD_ETHER, ARPHRD_LOOPBACK; the tunnels' frames begin with the IP header."""


@dataclass(frozen=True)
class Sighting:
    """A node saw a packet."""

    node: str
    interface: str
    leaving: bool
    at: float
    text: str
    source: str = ""
    """The packet's source address there, and its port or ICMP's identifier."""
    port: int = 0


@dataclass(frozen=True)
class Dropped:
    """What dropped a packet."""

    node: str
    chain: str
    """With its table, and how many packets of the probe it were."""
    rule: str
    """The rule or policy."""
    table: str = ""
    kind: str = ""
    """The node's (lab.topology.planning.plan.Kind)."""


@dataclass
class Followed:
    """A probe's way."""

    what: str
    """`udp/500 to 203.0.113.2`."""
    address: str
    path: Sequence[str]
    """The nodes that were watched, in order."""
    at: float = 0.0
    sightings: list[Sighting] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """What came back, each once."""
    returned: list[Sighting] = field(default_factory=list)
    """Where the target's answer was seen."""
    dropped: Dropped | None = None
    answer_dropped: Dropped | None = None
    silenced: Dropped | None = None
    """What dropped an ICMP error that says that a packet is too large."""
    result: str = ""
    """What the probe itself was told."""
    answered: bool = False
    """Whether that was an answer of the service."""

    @property
    def last(self) -> str:
        """The last node on the way that saw the probe; empty: none did."""
        nodes = [one.node for one in self.sightings]
        return next((name for name in reversed(self.path) if name in nodes), "")

    @property
    def arrived(self) -> bool:
        """Whether it came to the last node, and was not dropped there."""
        return not self.dropped and bool(self.path) and self.last == self.path[-1]

    @property
    def trail(self) -> str:
        """Where it was seen."""
        return _trail(self.sightings, self.path)

    @property
    def trail_back(self) -> str:
        """Where its answer was seen."""
        return _trail(self.returned, self.path[::-1])

    @property
    def way(self) -> str:
        """What it is, and where it was seen."""
        return f"{self.what}: {self.trail}"

    @property
    def told(self) -> str:
        """What came back, else what the probe itself was told."""
        return ", ".join(self.answers) or self.result

    @property
    def source(self) -> tuple[str, int]:
        """Address and port that the last node on the way saw; empty and 0: it saw nothing."""
        own = [one for one in self.sightings if one.node == self.last]
        return (own[-1].source, own[-1].port) if own else ("", 0)


def _trail(sightings: Sequence[Sighting], path: Sequence[str]) -> str:
    parts: dict[str, list[str]] = {}
    for one in sightings:
        way = "leaving" if one.leaving else "arriving"
        word = f"{way} ({one.interface})"
        if word not in parts.setdefault(one.node, []):
            parts[one.node].append(word)
    seen = [f"{node} {', '.join(parts[node])}" for node in path if node in parts]
    unseen = [node for node in path if node not in parts]
    text = f"seen at {'; '.join(seen)}" if seen else "seen nowhere"
    return text + (f"; not seen at {', '.join(unseen)}" if unseen else "")


def path_between(plan: Plan, first: str, last: str) -> list[str]:
    """The nodes from one to the other by the fewest cables; empty: there is no way."""
    beside: dict[str, list[str]] = {}
    for cable in plan.links:
        beside.setdefault(cable.a.node, []).append(cable.b.node)
        beside.setdefault(cable.b.node, []).append(cable.a.node)
    ways, at = [[first]], 0
    known = {first}
    while at < len(ways):
        way = ways[at]
        at += 1
        if way[-1] == last:
            return way
        for node in beside.get(way[-1], []):
            if node not in known:
                known.add(node)
                ways.append([*way, node])
    return []


async def follow(
    world: World,
    path: Sequence[str],
    protocol: str,
    address: str,
    port: int = 0,
    *,
    source: str = "",
    size: int = 0,
    send: Callable[[bytes], Awaitable[str]] | None = None,
    marked: bool = True,
) -> Followed:
    """Send a probe from the first node, from an address of its own if given, and watch it and its
    answer at all nodes; about a second where nothing answers. `port`: not for ICMP; `size`: the
    bytes of a packet that nobody may fragment, not for TCP. `send`: sends it instead, is given what
    its payload begins with, if it is `marked`, and returns what it was told."""
    body = secrets.token_bytes(24)
    number = port or 1 + secrets.randbelow(65535)
    marker = body if protocol == "udp" and marked else b""
    target = Target(address, _NUMBERS[protocol], number, marker)
    what = (f"{protocol}/{port}" if port else protocol) + (f" of {size} bytes" if size else "")
    followed = Followed(f"{what} to {address}", address, path, time.time())
    drops: list[tuple[Dropped, Packet | None]] = []
    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(_Watch(world.nodes[name])) for name in path]
        traced = [(name, await _trace(world.nodes[name], target)) for name in path]
        try:
            node = world.nodes[path[0]]
            if send:
                followed.result = await send(body)
            elif protocol == "icmp":
                followed.answered, followed.result = await _pinged(node, target, size)
            else:
                filled = body.ljust(size - _HEADERS, b"\0")
                followed.answered, followed.result = await _sent(node, target, filled, source)
            await asyncio.sleep(SETTLE)
        finally:
            for name, tracer in traced:
                kind = next((one.kind for one in world.plan.nodes if one.name == name), "")
                if tracer:
                    drops += await _dropped(world.nodes[name], tracer, kind)
    for watch in watches:
        watch.probes_into(followed, target)
    for watch in watches:
        watch.answers_into(followed, target)
    assign(followed, target, drops)
    return followed


def assign(
    followed: Followed, target: Target, drops: Sequence[tuple[Dropped, Packet | None]]
) -> None:
    """Which of the drops were of the probe, of its answer, or of an error about it."""
    known = replace(target, payload=target.payload[:TRACED])
    for drop, packet in drops:
        if packet is None or is_probe(packet, known):
            followed.dropped = followed.dropped or drop
        elif packet.says_too_large:
            followed.silenced = followed.silenced or drop
        elif answer(packet, target):
            followed.answer_dropped = followed.answer_dropped or drop


class _Watch:
    """What a node sees during the block."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._seen: list[tuple[float, str, bool, bytes]] = []

    async def __aenter__(self) -> Self:
        self._line = await self._node.sniff()
        asyncio.get_running_loop().add_reader(self._line, self._drain)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        self._drain()
        self._line.close()

    def _drain(self) -> None:
        while True:
            try:
                frame, where = self._line.recvfrom(HEADERS)
            except BlockingIOError:
                return
            known = isinstance(where, tuple) and len(where) >= 4
            ethernet = not known or where[3] in _WITH_ETHERNET
            if known and where[0] == "lo":
                continue
            name = where[0] if known else "a link"
            data = frame[ETHERNET:] if ethernet else frame
            self._seen.append((time.time(), name, known and where[2] == _OUTGOING, data))

    def probes_into(self, followed: Followed, target: Target) -> None:
        """Add where it saw the probe."""
        followed.sightings += [
            self._sighting(seen) for seen in self._packets() if is_probe(seen.packet, target)
        ]

    def answers_into(self, followed: Followed, target: Target) -> None:
        """Add where it saw an answer to one of these sightings of the probe."""
        ports = {one.port for one in followed.sightings}
        for seen in self._packets():
            about = seen.packet.quotes
            words = answer(seen.packet, target)
            if not words or (about.source_port if about else seen.packet.port) not in ports:
                continue
            if words not in followed.answers:
                followed.answers.append(words)
            if about is None:
                followed.returned.append(self._sighting(seen))

    def _packets(self) -> Iterator[_Seen]:
        for at, interface, leaving, data in self._seen:
            if packet := read(data):
                yield _Seen(at, interface, leaving, packet)

    def _sighting(self, seen: _Seen) -> Sighting:
        packet = seen.packet
        return Sighting(self._node.name, seen.interface, seen.leaving, seen.at, ends(packet),
                        packet.source, packet.source_port)  # fmt: skip


class _Seen(NamedTuple):
    at: float
    interface: str
    leaving: bool
    packet: Packet


async def _trace(node: Node, target: Target) -> Tracer | None:
    """None: the node's kernel does not trace, or is not ours to ask."""
    name = {number: word for word, number in _NUMBERS.items()}[target.protocol]
    address = target.address
    if name == "icmp":
        matches = [
            f"ip daddr {address} icmp type echo-request",
            f"ip saddr {address} icmp type echo-reply",
        ]
    else:
        matches = [
            f"ip daddr {address} {name} dport {target.port}",
            f"ip saddr {address} {name} sport {target.port}",
        ]
    with suppress(OSError, LabError):
        assert node.run_directory  # LabError: a kernel of its own, which is not asked
        return await node.call(partial(Tracer, *matches, _TOO_LARGE))
    return None


async def _dropped(node: Node, tracer: Tracer, kind: str) -> list[tuple[Dropped, Packet | None]]:
    """What the node dropped, each rule once for packets that are alike."""
    found: dict[tuple[Drop, Packet | None], int] = {}
    with suppress(OSError, LabError):
        for drop in await node.call(tracer.close):
            packet = read(drop.packet)
            alike = packet and replace(packet, sequence=0, acknowledged=0)
            key = replace(drop, packet=b""), alike
            found[key] = found.get(key, 0) + 1
    rows = []
    for (drop, packet), number in found.items():
        rule = f"rule {drop.handle}"
        with suppress(OSError, LabError):
            rule = await node.call(partial(quoted, drop))
        count = f"{number} packet{'s' * (number > 1)} of the probe"
        chain = f"table inet {drop.table}, chain {drop.chain} ({count})"
        rows.append((Dropped(node.name, chain, rule, drop.table, kind), packet))
    return rows


async def _pinged(node: Node, target: Target, size: int) -> tuple[bool, str]:
    """As _sent, by ICMP's echo."""
    large = ["-s", str(size - _HEADERS), "-M", "do"] if size else []
    argv = ["ping", "-n", "-c", "1", "-W", "1", "-e", str(target.port), *large, target.address]
    done = await node.run(argv)
    lines = [line for line in done.output.splitlines() if line.strip()]
    said = [line for line in lines if _TELLING.search(line)] or lines[-1:]
    return done.code == 0, (said or ["nothing"])[0]


async def _sent(node: Node, target: Target, body: bytes, source: str) -> tuple[bool, str]:
    """Whether it was answered, and what it was told."""
    work: Callable[[], str]
    if target.protocol == socket.IPPROTO_UDP:
        work = partial(probes.datagram, target.address, target.port, WITHIN, body.hex(), source)
    else:
        work = partial(probes.tcp, target.address, target.port, WITHIN)
    try:
        told = await node.wait_for(work)
    except TimeoutError:
        return False, f"no answer within {WITHIN:g} s"
    except OSError as error:
        return False, os.strerror(error.errno) if error.errno else str(error)
    return True, told.partition(" ")[2]
