"""Send a probe and follow it from node to node, with the rule that drops it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

from gateway.common import turns
from lab.errors import LabError
from lab.explain.packets import (
    ETHERNET,
    HEADERS,
    Packet,
    Target,
    alike,
    answer,
    answers,
    ends,
    is_probe,
    mark,
    mark_of,
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
_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
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
    """What came back, each with the node that saw it first."""
    dropped: tuple[str, str, str] | None = None
    """Node, chain, and the rule or policy that dropped the probe."""
    result: str = ""
    """What the probe itself was told."""
    answered: bool = False
    """Whether that was an answer of the service."""
    between: Sequence[str] = ()
    """Nodes of the path that should not see it, for it is in a tunnel there."""

    @property
    def last(self) -> str:
        """The last node on the way that saw the probe; empty: none did."""
        nodes = [one.node for one in self.sightings]
        return next((name for name in reversed(self.path) if name in nodes), "")

    @property
    def arrived(self) -> bool:
        """Whether it came to the last node."""
        return bool(self.path) and self.last == self.path[-1]

    @property
    def trail(self) -> str:
        """Where it was seen."""
        parts: dict[str, list[str]] = {}
        for one in self.sightings:
            way = "leaving" if one.leaving else "arriving"
            word = f"{way} ({one.interface})"
            if word not in parts.setdefault(one.node, []):
                parts[one.node].append(word)
        seen = [f"{node} {', '.join(parts[node])}" for node in self.path if node in parts]
        unseen = [node for node in self.path if node not in parts and node not in self.between]
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
    port: int,
    *,
    source: str = "",
    between: Sequence[str] = (),
    send: Callable[[], Awaitable[str]] | None = None,
) -> Followed:
    """Send a probe from the first node, from an address of its own if given, and watch it at all;
    about a second where nothing answers. `send`: a program of the node's own sends it instead, and
    returns what it was told. `between`: see Followed."""
    body = secrets.token_bytes(24)
    marked = protocol == "udp" and send is None
    target = Target(address, _NUMBERS[protocol], port, body if marked else b"")
    followed = Followed(
        f"{protocol}/{port} to {address}", address, path, time.time(), between=between
    )
    drops: list[tuple[str, Drop]] = []
    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(_Watch(world.nodes[name])) for name in path]
        traced = [(name, await _trace(world.nodes[name], target)) for name in path]
        try:
            node = world.nodes[path[0]]
            if send:
                followed.result = await send()
            else:
                followed.answered, followed.result = await _sent(node, target, body, source)
            await asyncio.sleep(SETTLE)
        finally:
            for name, tracer in traced:
                if tracer:
                    drops += [(name, one) for one in await _drops(world.nodes[name], tracer)]
    own = {mark(packet) for packet in watches[0].probes(target)}
    for watch in watches:
        watch.into(followed, target, own)
    # What the first node drops itself, it does not send, so that its mark is not known.
    fate = [(name, one) for name, one in drops if name == path[0] or _is_of(one, own, target)]
    if fate:
        followed.dropped = await _quoted(world, fate)
    return followed


def _is_of(drop: Drop, own: set[bytes], target: Target) -> bool:
    """Whether it is the probe that was dropped."""
    found = mark_of(drop.transport, target.protocol)
    return any(alike(found, one) for one in own)


async def _quoted(world: World, fate: list[tuple[str, Drop]]) -> tuple[str, str, str]:
    """Node, chain and rule of the first drop."""
    name, drop = fate[0]
    count = sum(node == name for node, _ in fate)
    rule = f"rule {drop.handle}"
    with suppress(OSError, LabError):  # the rule may be gone
        rule = await world.nodes[name].call(partial(quoted, drop))
    packets = f"{count} packet{'s' * (count > 1)} of the probe"
    return name, f"table inet {drop.table}, chain {drop.chain} ({packets})", rule


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

    def probes(self, target: Target) -> Iterator[Packet]:
        """Packets that went to the target."""
        for _, _, _, data in self._seen:
            packet = read(data)
            if packet and is_probe(packet, target):
                yield packet

    def into(self, followed: Followed, target: Target, own: set[bytes]) -> None:
        """Add what it saw of the probe, whose packets have these marks, and its answers."""
        for at, interface, leaving, data in self._seen:
            packet: Packet | None = read(data)
            if packet is None:
                continue
            if is_probe(packet, target):
                if mark(packet) in own:
                    sighting = Sighting(self._node.name, interface, leaving, at, ends(packet))
                    followed.sightings.append(sighting)
                continue
            words = answer(packet, target)
            if words and answers(packet, own) and words not in followed.answers:
                followed.answers.append(words)


async def _trace(node: Node, target: Target) -> Tracer | None:
    """None: the node's kernel does not trace, or is not ours to ask."""
    name = {number: word for word, number in _NUMBERS.items()}[target.protocol]
    match = f"ip daddr {target.address} {name} dport {target.port}"
    with suppress(OSError, LabError):
        assert node.run_directory  # LabError: a kernel of its own, which is not asked
        return await node.call(partial(Tracer, match))
    return None


async def _drops(node: Node, tracer: Tracer) -> list[Drop]:
    """Close it; what was dropped meanwhile."""
    with suppress(OSError, LabError):
        found: list[Drop] = await node.call(tracer.close)
        return found
    return []


async def _sent(node: Node, target: Target, body: bytes, source: str) -> tuple[bool, str]:
    """Whether it was answered, and what it was told."""
    work: Callable[[], str]
    within = WITHIN * turns.slowness()
    if target.protocol == socket.IPPROTO_UDP:
        work = partial(probes.datagram, target.address, target.port, within, body.hex(), source)
    else:
        work = partial(probes.tcp, target.address, target.port, within)
    try:
        told = await node.wait_for(work)
    except TimeoutError:
        return False, f"no answer within {within:.1f} s"
    except OSError as error:
        return False, os.strerror(error.errno) if error.errno else str(error)
    return True, told.partition(" ")[2]
