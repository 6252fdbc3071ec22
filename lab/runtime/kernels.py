"""Nodes that need a user-mode Linux kernel on this machine, and why."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.common import compiled
from lab.boot.source import PROGRAM
from lab.errors import MachineError
from lab.kernel import uml
from lab.kernel.ppp import open_ppp
from lab.kernel.shapers import missing as missing_shapers
from lab.nodes.base import Node
from lab.nodes.namespace import NamespaceNode
from lab.runtime.network import build_network
from lab.side_by_side import at_once
from lab.topology.planning.neighbours import neighbours
from lab.topology.planning.plan import Need, Plan

KERNELS = 2
"""Concurrent boots per processor."""


def _own_clock() -> None:
    """Linux has time namespaces for its monotonic clocks alone (time_namespaces(7))."""
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


_PROBES = {"ppp": open_ppp, "clock": _own_clock}
_WORDS: Mapping[Need, str] = {"ppp": "PPP", "clock": "clock for one computer alone"}


def lacking(plan: Plan) -> dict[str, str]:
    """The nodes that need features this machine's kernel lacks, each with a text about them."""
    missing = _missing({need for node in plan.nodes for need in node.needs})
    return {
        node.name: "; ".join(missing[need] for need in node.needs if need in missing)
        for node in plan.nodes
        if not missing.keys().isdisjoint(node.needs)
    }


def refuse_without_shapers(plan: Plan) -> None:
    """MachineError if this machine's kernel lacks what the plan's rates need."""
    wanted = {shaper for node in plan.nodes for shaper in node.shapers}
    lacks = missing_shapers(wanted)
    if lacks:
        where = ", ".join(
            node.name for node in plan.nodes if not lacks.keys().isdisjoint(node.shapers)
        )
        raise MachineError(
            f"this machine's kernel cannot do {'; '.join(lacks.values())}: for {where}",
            "load the modules, use another kernel, or leave those keys and checks out",
        )


def _missing(needs: Iterable[Need]) -> Mapping[Need, str]:
    missing: dict[Need, str] = {}
    for need in needs:
        try:
            _PROBES[need]()
        except OSError as error:
            missing[need] = f"no {_WORDS[need]} in this machine's kernel ({error.strerror})"
    return missing


async def build_nodes(plan: Plan, own: Iterable[str], logs: Path) -> dict[str, Node]:
    """Every node of the plan; the nodes of `own` have their own kernel, not yet booted."""
    names = frozenset(own)
    if not names:
        return {**await build_network(plan, logs)}
    from lab.nodes.uml import UmlNode  # noqa: PLC0415 (few labs need it)
    from lab.nodes.uml_network import outside  # noqa: PLC0415 (as above)

    try:
        uml.environment(
            compiled.kept()
        )  # what it builds, nodes see only if it is there before them
    except OSError as error:
        raise MachineError(f"user-mode Linux cannot run: {error.strerror}",
                           f"{PROGRAM} root make build") from error  # fmt: skip
    known = neighbours(plan)
    world = await build_network(outside(plan, names), logs, kernels=names, known=known)

    def node(name: str, place: NamespaceNode) -> Node:
        return UmlNode(place, plan, logs, known) if name in names else place

    return {name: node(name, place) for name, place in world.items()}


async def boot(nodes: Iterable[Node]) -> None:
    """Boot all nodes with their own kernel, concurrently."""
    from lab.nodes.uml import UmlNode  # noqa: PLC0415 (as above)

    async def one(node: UmlNode) -> None:
        async with at_once("kernels", KERNELS):
            await node.boot()

    async with asyncio.TaskGroup() as group:
        for node in nodes:
            if isinstance(node, UmlNode):
                group.create_task(one(node))
