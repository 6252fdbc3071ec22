"""A throughput server: iperf3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import Iperf3Spec


async def start(node: Node, spec: Iperf3Spec, _context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    argv = ["iperf3", "--server", "--port", str(spec.port)]
    argv += ["--bind", spec.listen] if spec.listen else []
    return await start_daemon(node, "iperf3", argv, address="127.0.0.1", port=spec.port)
