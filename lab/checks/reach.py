"""`reaches`, `cannotReach` and `resolves`: from inside a node, with its own routes and resolver."""

from __future__ import annotations

import os
from functools import partial
from ipaddress import ip_address

from lab.nodes import probes
from lab.nodes.base import Node
from lab.topology.model.steps import CannotReach, Reaches, Resolves
from lab.waiting import patience
from lab.world import Outcome, World

Probe = Reaches | CannotReach
GRACE = 5.0
"""Seconds for the way into a node and out of it."""
RESOLVE_LIMIT = 10.0


class UnreachableError(Exception):
    """Nothing answered; the message says what happened."""


async def reaches(step: Reaches, world: World) -> Outcome:
    """Something answers within the time."""
    try:
        return Outcome(held=True, detail=await _probe(world.nodes[step.reaches], step, world))
    except UnreachableError as error:
        return Outcome(held=False, detail=str(error))


async def cannot_reach(step: CannotReach, world: World) -> Outcome:
    """Nothing answers within the time."""
    try:
        answered = await _probe(world.nodes[step.cannotReach], step, world)
    except UnreachableError as error:
        return Outcome(held=True, detail=str(error))
    return Outcome(held=False, detail=answered)


async def resolves(step: Resolves, world: World) -> Outcome:
    """The node's own resolver gives an address, or the one expected."""
    try:
        found = await _resolve(world.nodes[step.resolves], step.name)
    except UnreachableError as error:
        return Outcome(held=False, detail=str(error))
    held = step.to is None or step.to in found
    return Outcome(held=held, detail=f"{step.name} is {', '.join(found)}")


async def _probe(node: Node, step: Probe, world: World) -> str:
    """How it answered; UnreachableError if it did not."""
    target = world.addresses[step.host] if step.host else str(step.address)
    if not _is_address(target):
        target = (await _resolve(node, target))[0]
    try:
        async with patience(step.within + GRACE):  # each keeps to `within` by itself
            if step.protocol == "icmp":
                return await _icmp(node, target, step.within)
            assert step.port is not None
            exchange = probes.tcp if step.protocol == "tcp" else probes.udp
            return await node.wait_for(partial(exchange, target, step.port, step.within))
    except TimeoutError:
        raise UnreachableError(f"{target} gave no answer within {step.within:g} s") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UnreachableError(f"{target}: {reason}") from error


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


async def _icmp(node: Node, target: str, within: float) -> str:
    argv = ["ping", "-n", "-c", "1", "-i", "0.2", "-w", str(max(1, round(within))), target]
    told = await node.run(argv, limit=within + 2)
    if told.code:
        raise UnreachableError(f"{target}: {told.said.splitlines()[-1]}")
    return next(line for line in told.stdout.splitlines() if "time=" in line)


async def _resolve(node: Node, name: str) -> list[str]:
    told = await node.run(["getent", "ahosts", name], limit=RESOLVE_LIMIT)
    found = list(dict.fromkeys(line.split()[0] for line in told.stdout.splitlines()))
    if not found:
        raise UnreachableError(f"{name} is not known to {node.name}'s resolver")
    return found
