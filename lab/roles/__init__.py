"""What a node runs: one module a role, started by name with the options of the plan."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.nodes.base import Node, Process

ROLES = {
    "dns": "lab.roles.dns",
    "http": "lab.roles.http",
    "iperf3": "lab.roles.iperf3",
    "echo": "lab.roles.echo",
    "proxy": "lab.roles.proxy",
    "site": "lab.roles.site",
    "radius": "lab.roles.radius_server",
    "directory": "lab.roles.directory",
}
"""By the name that the plan has for it: the module whose `start` starts it."""


async def start_role(role: str, node: Node, options: dict[str, Any]) -> Process:
    """Start a role; it serves when this returns. TimeoutError with the last thing seen."""
    if role not in ROLES:
        raise ValueError(f"there is no role {role!r}")
    process: Process = await import_module(ROLES[role]).start(node, options)
    return process
