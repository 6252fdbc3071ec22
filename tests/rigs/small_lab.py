"""A small lab with daemons, and its front process: what `verify` and `up` do, without topologies.

    python -m tests.rigs.small_lab NAME verify|up|fail

`verify` says `ready` and stays; `up` says so and leaves the lab alone; `fail` has an exception in
the middle of its building.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.nodes.namespace import NamespaceNode
from lab.runtime.network import build_network
from lab.runtime.protocol import Emit, Stage, StepResult
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from lab.waiting import wait_until
from tests.rigs.bare_body import BareBody
from tests.rigs.front import front
from tests.rigs.patience import PATIENCE

if TYPE_CHECKING:
    from lab.topology.model.steps import Step

PCS = ("pc1", "pc2", "pc3")
MASQUERADE = (
    "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
    'add rule ip nat post oifname "wan" masquerade'
)
PLAN = Plan(
    name="small",
    story="",
    nodes=(
        NodePlan(
            "router",
            "internet",
            bridges=(Bridge("lan", ("10.0.0.1/24",)),),
            forwarding=True,
            nftables=MASQUERADE,
        ),
        *(NodePlan(pc, "client", routes=(Route("default", "10.0.0.1"),)) for pc in PCS),
    ),
    links=tuple(
        Cable(End("router", f"p{n}", bridge="lan"), End(pc, "eth0", (f"10.0.0.{n + 2}/24",)))
        for n, pc in enumerate(PCS)
    ),
    certificates=(),
    gateways=(),
    clients=(),
    steps=(),
)


class SmallLab(BareBody):
    """A lab.runtime.protocol.Body."""

    def __init__(self, logs: Path, *, fails: bool = False) -> None:
        self.nodes: Mapping[str, NamespaceNode] = {}
        self._logs = logs
        self._fails = fails

    async def build(self, emit: Emit) -> None:
        emit(Stage(name="build the world", state="started"))
        self.nodes = await build_network(PLAN, self._logs)
        await self._daemons()
        if self._fails:
            raise LabError("the middle of the building", "nothing, it is a test")
        emit(Stage(name="build the world", state="done", seconds=0))

    async def _daemons(self) -> None:
        """A DNS server, a server with a client sending over TCP, and programs that leave home."""
        router = self.nodes["router"]
        await router.spawn(
            ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--no-resolv"],
            log="dnsmasq",
        )
        server = await router.spawn(["iperf3", "-s", "--forceflush"], log="iperf3")
        await wait_until(
            "iperf3 listens", PATIENCE, lambda: b"listening" in server.log.read_bytes()
        )
        for pc in PCS:
            node = self.nodes[pc]
            await node.spawn(["sh", "-c", "(setsid sleep 1000 &); exec sleep 1000"], log="sleep")
        await self.nodes["pc1"].spawn(
            ["iperf3", "-c", "10.0.0.1", "-t", "1000", "-b", "100K"], log="iperf3"
        )

    async def run(self, steps: Sequence[Step], emit: Emit) -> bool:
        for index, step in enumerate(steps):
            text = step.model_dump_json()
            emit(StepResult(index=index, verb="", text=text, held=True, detail="", seconds=0))
        return True

    async def status(self) -> dict[str, Any]:
        return {"nodes": [{"name": name} for name in self.nodes], "clients": []}


def main(name: str, mode: str) -> int:
    """The front process; its exit code."""
    return front(name, lambda logs: SmallLab(logs, fails=mode == "fail"), leaves=mode == "up")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
