"""`reaches`, `cannotReach` and `resolves`, run in a node with its own routes and resolver."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

from lab.nodes import probes
from lab.nodes.base import Node
from lab.observe.arrivals import Arrival, arrivals
from lab.topology.model.steps import CannotReach, CannotResolve, Reaches, Resolves
from lab.waiting import patience
from lab.world import Outcome, World

Probe = Reaches | CannotReach
GRACE = 5.0
"""Seconds to enter a node and to leave it."""
RESOLVE_LIMIT = 10.0
DOUBLES = frozenset(("host", "radius", "directory", "client", "proxy"))
"""Kinds of nodes with private addresses, which other networks may use, too. Probes of the others
may pass an address translator, after which nobody knows them again."""
_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "icmp": socket.IPPROTO_ICMP}


class Answer(NamedTuple):
    """What a probe got; `port` is its own, or its identifier with ICMP."""

    text: str
    port: int


class UnreachableError(Exception):
    """The target did not answer; the message says why."""


async def reaches(step: Reaches, world: World) -> Outcome:
    """The target answers within the time."""
    try:
        return Outcome(held=True, detail=await _reach(world.nodes[step.reaches], step, world))
    except UnreachableError as error:
        return Outcome(held=False, detail=str(error))


async def cannot_reach(step: CannotReach, world: World) -> Outcome:
    """The target does not answer within the time."""
    try:
        answered = await _reach(world.nodes[step.cannotReach], step, world)
    except UnreachableError as error:
        return Outcome(held=True, detail=str(error) + await _why_anyway(step, world))
    return Outcome(held=False, detail=answered)


async def resolves(step: Resolves, world: World) -> Outcome:
    """The node's own resolver returns an address, or the expected one."""
    node = world.nodes[step.resolves]
    lines = (await node.read("/etc/resolv.conf")).decode(errors="replace").splitlines()
    asked = [line.split()[1] for line in lines if re.match(r"nameserver\s+\S", line)]
    evidence = {"nameservers": asked}
    try:
        found = await _resolve(node, step.name)
    except UnreachableError as error:
        return Outcome(held=False, detail=str(error), evidence=evidence)
    held = step.to is None or str(step.to) in found
    return Outcome(held=held, detail=f"{step.name} is {', '.join(found)}", evidence=evidence)


async def cannot_resolve(step: CannotResolve, world: World) -> Outcome:
    """The node's own resolver is told that there is no such name."""
    node = world.nodes[step.cannotResolve]
    done = await node.run([sys.executable, "-I", "-c", _ASK, step.name], limit=RESOLVE_LIMIT)
    said = done.stdout.strip()
    if said == str(socket.EAI_NONAME):
        return Outcome(held=True, detail=f"there is no {step.name}")
    if done.code or said:
        why = done.output.strip() if done.code else "the resolver got no answer"
        return Outcome(held=False, detail=f"{step.name}: {why}")
    return Outcome(held=False, detail=f"there is {step.name}")


_ASK = """
import socket, sys
try:
    socket.getaddrinfo(sys.argv[1], None)
except socket.gaierror as error:
    print(error.errno)
"""
"""Prints nothing, or the resolver's error (getaddrinfo(3)), which getent does not tell."""


async def _reach(node: Node, step: Probe, world: World) -> str:
    """The answer in a line. UnreachableError: none, or another computer's of that address."""
    target = world.addresses[step.host] if step.host else str(step.address)
    if not _is_address(target):
        target = (await _resolve(node, target))[0]
    async with arriving(step.host, world) as arrived:
        answer = await _probe(node, step, target)
    own = Arrival(target, _number(step.protocol, target), answer.port)
    if arrived is not None and own not in arrived:
        raise UnreachableError(f"{answer.text}, but it is not {step.host} that answers")
    return answer.text


@asynccontextmanager
async def arriving(host: str | None, world: World) -> AsyncIterator[set[Arrival] | None]:
    """What arrives at a host during the block; None where nobody can tell."""
    if any(node.name == host and node.kind in DOUBLES for node in world.plan.nodes):
        async with arrivals(world.nodes[str(host)]) as arrived:
            yield arrived
    else:
        yield None


async def _probe(node: Node, step: Probe, target: str) -> Answer:
    """The answer; UnreachableError if there was none."""
    try:
        async with patience(step.within + GRACE):  # each probe keeps `within` itself
            if step.protocol == "icmp":
                return await _icmp(node, target, step)
            assert step.port is not None
            exchange = probes.tcp if step.protocol == "tcp" else probes.udp
            told = await node.wait_for(partial(exchange, target, step.port, step.within))
    except TimeoutError:
        raise UnreachableError(f"{target} gave no answer within {step.within:g} s") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UnreachableError(f"{target}: {reason}") from error
    own, _, text = told.partition(" ")
    return Answer(text, int(own))


async def _why_anyway(step: CannotReach, world: World) -> str:
    """What else keeps the target from being reached: the client has no tunnel, or the host does not
    answer itself either."""
    client = world.clients.get(step.cannotReach)
    if client is not None and await client.connection() is None:
        return f"; {client.name} has no tunnel"
    host = world.nodes.get(step.host) if step.host else None
    if host is None or step.host is None or step.protocol != "tcp":
        return ""
    listens = partial(probes.accepts, world.addresses[step.host], step.port or 0)
    return "" if await host.call(listens) else f"; nothing listens there on {step.host} itself"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _number(protocol: str, target: str) -> int:
    """IP's number of a protocol."""
    over_ipv6 = protocol == "icmp" and ":" in target
    return socket.IPPROTO_ICMPV6 if over_ipv6 else _NUMBERS[protocol]


async def _icmp(node: Node, target: str, step: Probe) -> Answer:
    own = 1 + secrets.randbelow(65535)
    seconds = str(max(1, round(step.within)))
    headers = 48 if ":" in target else 28
    size = ["-s", str(step.bytes - headers), "-M", "do"] if step.bytes else []
    argv = ["ping", "-n", "-c", "1", "-i", "0.2", "-e", str(own), "-w", seconds, *size, target]
    done = await node.run(argv, limit=step.within + 2)
    if done.code:
        raise UnreachableError(f"{target}: {done.output.splitlines()[-1]}")
    return Answer(next(line for line in done.stdout.splitlines() if "time=" in line), own)


async def _resolve(node: Node, name: str) -> list[str]:
    done = await node.run(["getent", "ahosts", name], limit=RESOLVE_LIMIT)
    found = list(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines()))
    if not found:
        raise UnreachableError(f"{node.name}'s resolver does not know {name}")
    return found
