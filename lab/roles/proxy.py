"""An HTTP proxy: squid, which connects to the allowed ports (CONNECT) and does nothing else; if it
has users, only for them (RFC 7617)."""

from __future__ import annotations

import grp
import os
import pwd
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.common.rotation import whole
from lab.errors import LabError
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
REQUESTS_LOG = f"{DIRECTORY}/requests.log"
"""A line for each request that has ended: when (seconds since the epoch), the client's address,
what became of it and the status, the method, the target, the user (`-` if there was none)."""
CACHE_LOG = f"{DIRECTORY}/cache.log"
PASSWORDS = f"{DIRECTORY}/passwords"
_NCSA = "/usr/lib/squid/basic_ncsa_auth"
USER = "proxy"
"""Debian's user of squid, which drops root at once."""


async def start(node: Node, spec: ProxySpec, _context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    await node.write(CONFIGURATION, configuration(spec))
    await node.write(PASSWORDS, await _passwords(node, spec), 0o600)
    user, group = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
    for path in (DIRECTORY, PASSWORDS):
        await node.call(partial(os.chown, path, user, group))
    argv = ["squid", "-N", "-f", CONFIGURATION]
    return await start_daemon(node, "squid", argv, address="127.0.0.1", port=spec.port)


def own_logs(node: Node) -> list[Path]:
    """The logs that squid keeps itself, by the supervisor's paths."""
    return [_outside(node, log) for log in (ACCESS_LOG, REQUESTS_LOG, CACHE_LOG)]


def logged(node: Node, log: str) -> list[str]:
    """The lines of one of squid's own logs, as far as it is kept."""
    return whole(_outside(node, log)).splitlines()


def _outside(node: Node, path: str) -> Path:
    return node.run_directory / Path(path).relative_to("/run")


def configuration(spec: ProxySpec) -> str:
    """squid's own file: no cache, logs in the node's /run, one helper process if it has users."""
    users = (
        f"auth_param basic program {_NCSA} {PASSWORDS}",
        "auth_param basic children 1 startup=1",
        "auth_param basic realm proxy",
        "acl users proxy_auth REQUIRED",
    )
    return "\n".join(
        (
            f"http_port {spec.port}",
            f"acl tunnels port {' '.join(map(str, spec.allow))}",
            *([f"acl denied dstdomain {' '.join(spec.denied)}"] if spec.denied else []),
            *(users if spec.users else ()),
            "acl CONNECT method CONNECT",
            *(["http_access deny denied"] if spec.denied else []),
            f"http_access allow CONNECT tunnels{' users' if spec.users else ''}",
            "http_access deny all",
            "cache deny all",
            "pinger_enable off",
            "logformat ends %>a %<lp",
            f"access_log stdio:{ACCESS_LOG} logformat=ends",
            "logformat requests %ts.%03tu %>a %Ss/%03>Hs %rm %ru %un",
            f"access_log stdio:{REQUESTS_LOG} logformat=requests",
            f"cache_log {CACHE_LOG}",
            f"pid_filename {DIRECTORY}/pid",
            f"coredump_dir {DIRECTORY}",
            "shutdown_lifetime 1 second",
            "",
        )
    )


async def _passwords(node: Node, spec: ProxySpec) -> str:
    """The list of users, each with the hash of the password (crypt(5)); openssl reads it from its
    standard input."""
    lines = []
    for name, password in spec.users.items():
        done = await node.run(
            ["openssl", "passwd", "-6", "-stdin"], input=password.get_secret_value()
        )
        if done.code:
            raise LabError(f"{node.name}: openssl passwd: {done.output}")
        lines.append(f"{name}:{done.stdout.strip()}\n")
    return "".join(lines)
