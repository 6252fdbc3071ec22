"""A lab with a node that has a kernel of its own, and its front process, as `up` has it.

    python -m tests.rigs.uml_lab NAME verify|up

`verify` says `ready` and stays; `up` says so and leaves the lab alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.nodes.base import Node
from lab.runtime.kernels import boot, build_nodes
from lab.runtime.protocol import Emit
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from tests.rigs.bare_body import BareBody
from tests.rigs.front import front

if TYPE_CHECKING:
    from lab.topology.model.steps import Step

PLAN = Plan(
    name="uml",
    story="",
    nodes=(
        NodePlan("router", "internet", bridges=(Bridge("lan", ("10.0.0.1/24",)),), forwarding=True),
        NodePlan("pc", "client", routes=(Route("default", "10.0.0.1"),), needs=("ppp",)),
    ),
    links=(Cable(End("router", "p0", bridge="lan"), End("pc", "eth0", ("10.0.0.2/24",))),),
    certificates=(),
    gateways=(),
    clients=(),
    steps=(),
)


class UmlLab(BareBody):
    """A lab.runtime.protocol.Body; pc has a kernel of its own whatever the machine's can do."""

    def __init__(self, logs: Path) -> None:
        self.nodes: Mapping[str, Node] = {}
        self._logs = logs

    async def build(self, emit: Emit) -> None:
        self.nodes = await build_nodes(PLAN, ("pc",), self._logs)
        await boot(self.nodes.values())

    async def run(self, steps: Sequence[Step], emit: Emit) -> bool:
        raise NotImplementedError

    async def status(self) -> dict[str, Any]:
        return {"nodes": [{"name": name} for name in self.nodes], "clients": []}


def main(name: str, mode: str) -> int:
    """The front process; its exit code."""
    return front(name, UmlLab, leaves=mode == "up")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
