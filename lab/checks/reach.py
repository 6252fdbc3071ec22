"""`reaches`, `cannotReach` and `resolves`, run in a node with its own routes and resolver."""

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
"""Seconds to enter a node and to leave it."""
RESOLVE_LIMIT = 10.0


class UnreachableError(Exception):
    """The target did not answer; the message says why."""


async def reaches(step: Reaches, world: World) -> Outcome:
    """The target answers within the time."""
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
    """The node's own resolver returns an address, or the expected one."""
    try:
        found = await _resolve(world.nodes[step.resolves], step.name)
    except UnreachableError as error:
        return Outcome(held=False, detail=str(error))
    held = step.to is None or str(step.to) in found
    return Outcome(held=held, detail=f"{step.name} is {', '.join(found)}")


async def _probe(node: Node, step: Probe, world: World) -> str:
    """The answer in a line; UnreachableError if there was none."""
    target = world.addresses[step.host] if step.host else str(step.address)
    if not _is_address(target):
        target = (await _resolve(node, target))[0]
    try:
        async with patience(step.within + GRACE):  # each probe keeps `within` itself
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
    done = await node.run(argv, limit=within + 2)
    if done.code:
        raise UnreachableError(f"{target}: {done.output.splitlines()[-1]}")
    return next(line for line in done.stdout.splitlines() if "time=" in line)


async def _resolve(node: Node, name: str) -> list[str]:
    done = await node.run(["getent", "ahosts", name], limit=RESOLVE_LIMIT)
    found = list(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines()))
    if not found:
        raise UnreachableError(f"{node.name}'s resolver does not know {name}")
    return found
