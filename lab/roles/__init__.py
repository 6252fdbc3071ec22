"""What a node runs: one module a role, started by name with the options of the plan."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.nodes.base import Node, Process

ROLES = ("dns", "http", "iperf3", "echo", "proxy", "site", "radius", "directory")


async def start_role(role: str, node: Node, options: dict[str, Any]) -> Process:
    """Start a role; it serves when this returns. TimeoutError with the last thing seen."""
    if role not in ROLES:
        raise ValueError(f"there is no role {role!r}")
    process: Process = await import_module(f"lab.roles.{role}").start(node, options)
    return process
