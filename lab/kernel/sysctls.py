"""Network sysctls as plain writes: /proc/sys/net is that of the calling thread's namespace.

A new namespace inherits the host's IPv4 values, so whatever matters is written, not assumed.
"""

from __future__ import annotations

from collections.abc import Mapping

NET = "/proc/sys/net"

COMPUTER = {
    # A dead TCP socket would pin the namespace for 106 s.
    "ipv4/tcp_orphan_retries": "1",
    "ipv4/ip_forward": "0",
    # Loose: a tunnel brings packets in that would leave by another way.
    "ipv4/conf/all/rp_filter": "2",
    "ipv4/conf/default/rp_filter": "2",
    # Nobody else can have our addresses; waiting to find out would delay a router's first packets.
    "ipv6/conf/default/accept_dad": "0",
}
ROUTER = COMPUTER | {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    # Routers of the lab send back out of the interface by which a packet came (VPN pools).
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/all/forwarding": "1",
    # A switch is a switch: where br_netfilter is loaded, a router's firewall would filter what
    # two neighbours on its LAN say to each other.
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
}
SWITCH = {
    # Nobody may hear of it: it is a part of the cable.
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    **{name: value for name, value in ROUTER.items() if name.startswith("bridge/")},
}
_OPTIONAL = ("ipv6/", "bridge/")
"""Parts that a kernel may lack, and then does nothing that would have to be switched."""


def write(values: Mapping[str, str]) -> None:
    """Write each value below /proc/sys/net; those of a part that the kernel lacks are left out."""
    for name, value in values.items():
        try:
            with open(f"{NET}/{name}", "w") as file:  # noqa: PTH123 (half the time of Path.open)
                file.write(value)
        except FileNotFoundError:
            if not name.startswith(_OPTIONAL):
                raise
