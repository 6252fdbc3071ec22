"""A DNS server: dnsmasq with the names of the plan, forwarding the rest or refusing it."""

from __future__ import annotations

from typing import Any

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

CONFIGURATION = "/run/dnsmasq.conf"


async def start(node: Node, options: dict[str, Any]) -> Process:
    """Options: listen (addresses), records (name to addresses), forward (addresses)."""
    await node.write(CONFIGURATION, configuration(options))
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={CONFIGURATION}"]
    return await start_daemon(node, "dns", argv, address=options["listen"][0], port=53)


def configuration(options: dict[str, Any]) -> str:
    """dnsmasq's own file."""
    return "\n".join(
        (
            "no-resolv",
            "no-hosts",
            "bind-interfaces",
            # Root inside the lab's user namespace; another user may not be mapped there.
            "user=root",
            "group=root",
            "pid-file",
            "log-facility=-",
            *(f"listen-address={address}" for address in options["listen"]),
            *(
                f"host-record={name},{address}"
                for name, addresses in options["records"].items()
                for address in addresses
            ),
            *(f"server={address}" for address in options.get("forward", ())),
            "",
        )
    )
