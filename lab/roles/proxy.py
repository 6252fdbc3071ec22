"""An HTTP proxy: squid, which connects to the allowed ports (CONNECT) and does nothing else."""

from __future__ import annotations

import grp
import os
import pwd
from functools import partial
from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import ProxySpec

DIRECTORY = "/run/squid"
CONFIGURATION = f"{DIRECTORY}/squid.conf"
ACCESS_LOG = f"{DIRECTORY}/access.log"
"""A line for each connection that has ended: the client's address, the proxy's port to the server
(`-` if there was none)."""
USER = "proxy"
"""Debian's user of squid, which drops root at once."""


async def start(node: Node, spec: ProxySpec, _context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    await node.write(CONFIGURATION, configuration(spec))
    user, group = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
    await node.call(partial(os.chown, DIRECTORY, user, group))
    argv = ["squid", "-N", "-f", CONFIGURATION]
    return await start_daemon(node, "squid", argv, address="127.0.0.1", port=spec.port)


def configuration(spec: ProxySpec) -> str:
    """squid's own file: no cache, no helper processes, logs in the node's /run."""
    return "\n".join(
        (
            f"http_port {spec.port}",
            f"acl tunnels port {' '.join(map(str, spec.allow))}",
            "acl CONNECT method CONNECT",
            "http_access allow CONNECT tunnels",
            "http_access deny all",
            "cache deny all",
            "pinger_enable off",
            "logformat ends %>a %<lp",
            f"access_log stdio:{ACCESS_LOG} logformat=ends",
            f"cache_log {DIRECTORY}/cache.log",
            f"pid_filename {DIRECTORY}/pid",
            f"coredump_dir {DIRECTORY}",
            "shutdown_lifetime 1 second",
            "",
        )
    )
