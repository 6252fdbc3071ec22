"""A throughput server: iperf3."""

from __future__ import annotations

from typing import Any

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon


async def start(node: Node, options: dict[str, Any]) -> Process:
    """Options: port."""
    argv = ["iperf3", "--server", "--port", str(options["port"])]
    return await start_daemon(node, "iperf3", argv, address="127.0.0.1", port=options["port"])
