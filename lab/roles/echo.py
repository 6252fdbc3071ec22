"""An echo server, TCP and UDP (RFC 862): what a check sends comes back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import EchoSpec


async def start(node: Node, spec: EchoSpec, _context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    argv = [sys.executable, "-m", "lab.roles.echo_server", str(spec.port), spec.listen]
    return await start_daemon(node, "echo", argv, address="127.0.0.1", port=spec.port)
