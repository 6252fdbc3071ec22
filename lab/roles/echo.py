"""An echo server, TCP and UDP (RFC 862): what a check sends comes back."""

from __future__ import annotations

import sys
from typing import Any

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon


async def start(node: Node, options: dict[str, Any]) -> Process:
    """Options: port."""
    argv = [sys.executable, "-m", "lab.roles.echo_server", str(options["port"])]
    return await start_daemon(node, "echo", argv, address="127.0.0.1", port=options["port"])
