"""A lab that is only its network: no daemons, no clients."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.runtime.network import build_network
from lab.runtime.protocol import Emit, Failed, Ready
from tests.rigs.bare_body import BareBody

if TYPE_CHECKING:
    from lab.nodes.namespace import NamespaceNode
    from lab.runtime.handle import Handle
    from lab.topology.model.steps import Step
    from lab.topology.planning.plan import Plan


class EmptyLab(BareBody):
    """A lab.runtime.protocol.Body."""

    def __init__(self, plan: Plan, logs: Path) -> None:
        self.nodes: Mapping[str, NamespaceNode] = {}
        self._plan = plan
        self._logs = logs
        self._began = 0.0

    async def build(self, _: Emit) -> None:
        self._began = time.monotonic()
        self.nodes = await build_network(self._plan, self._logs)

    async def run(self, steps: Sequence[Step], _: Emit) -> bool:
        return not steps

    async def status(self) -> dict[str, Any]:
        nodes = [{"name": name} for name in self.nodes]
        return {"nodes": nodes, "clients": [], "began": self._began}


def until_ready(lab: Handle) -> None:
    """Wait for the lab to be built."""
    for event in lab.watch():
        assert not isinstance(event, Failed), event.message
        if isinstance(event, Ready):
            return
