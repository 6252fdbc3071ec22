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
}
ROUTER = COMPUTER | {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    # Routers of the lab send back out of the interface by which a packet came (VPN pools).
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/all/forwarding": "1",
}


def write(values: Mapping[str, str]) -> None:
    """Write each value below /proc/sys/net; IPv6's are left out on a kernel without IPv6."""
    for name, value in values.items():
        try:
            with open(f"{NET}/{name}", "w") as file:  # noqa: PTH123 (half the time of Path.open)
                file.write(value)
        except FileNotFoundError:
            if not name.startswith("ipv6/"):
                raise
