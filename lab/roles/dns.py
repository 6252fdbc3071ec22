"""A DNS server: dnsmasq with the names of the plan, forwarding the rest, or saying that there
is no such name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import DnsSpec

CONFIGURATION = "/run/dnsmasq.conf"


async def start(node: Node, spec: DnsSpec, _context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    await node.write(CONFIGURATION, configuration(spec))
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={CONFIGURATION}"]
    return await start_daemon(node, "dnsmasq", argv, address=spec.listen[0], port=53)


def configuration(spec: DnsSpec) -> str:
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
            *(f"listen-address={address}" for address in spec.listen),
            *(
                f"host-record={name},{address}"
                for name, addresses in spec.records.items()
                for address in addresses
            ),
            *(f"address=/{name}/" for name in spec.refused),  # NXDOMAIN
            *(f"server={address}" for address in spec.forward),
            *([] if spec.forward else ["address=/#/"]),  # NXDOMAIN: nobody else knows names
            "",
        )
    )
