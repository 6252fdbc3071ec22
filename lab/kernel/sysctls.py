"""Network sysctls, written to /proc/sys/net of the calling thread's network namespace.

A new namespace inherits the host's IPv4 values, so every value that matters is written.
"""

from __future__ import annotations

from collections.abc import Mapping

NET = "/proc/sys/net"

COMPUTER = {
    # A dead TCP socket would keep the namespace alive for 106 s.
    "ipv4/tcp_orphan_retries": "1",
    "ipv4/ip_forward": "0",
    # Loose: packets from a tunnel may arrive on an interface that is not their return path.
    "ipv4/conf/all/rp_filter": "2",
    "ipv4/conf/default/rp_filter": "2",
    # Addresses are unique; duplicate address detection would delay a router's first packets.
    "ipv6/conf/default/accept_dad": "0",
}
ROUTER = COMPUTER | {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    # Routers of a lab may forward a packet to the interface that it came from (VPN pools).
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/all/forwarding": "1",
    # With br_netfilter loaded, a router's firewall would filter packets between two hosts on its
    # bridge.
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
}
SWITCH = {
    # It must be invisible: it is a part of the cable.
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    **{name: value for name, value in ROUTER.items() if name.startswith("bridge/")},
}
_OPTIONAL = ("ipv6/", "bridge/")
"""Sysctls that a kernel may lack; without the feature there is nothing to set."""


def write(values: Mapping[str, str]) -> None:
    """Write each value below /proc/sys/net; optional ones that the kernel lacks are skipped."""
    for name, value in values.items():
        try:
            with open(f"{NET}/{name}", "w") as file:  # noqa: PTH123 (half the time of Path.open)
                file.write(value)
        except FileNotFoundError:
            if not name.startswith(_OPTIONAL):
                raise
