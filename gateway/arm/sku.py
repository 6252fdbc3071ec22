"""The limits of each gateway SKU: the table of the seed document.

Source: seed, "Which gateway SKUs support P2S VPN?". Azure added Generation 2 and VpnGw4/5 later;
the seed takes precedence, so they are unknown here. The seed names the legacy SKUs Standard and
HighPerformance without a row. Theirs are from the two tables of azure-docs
vpn-gateway-about-skus-legacy: tunnels and throughput from "Estimated aggregate throughput by SKU",
128 point-to-site connections and BGP from "Supported configurations by SKU and VPN type", which
does not tell protocols apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SkuName = Literal[
    "Basic", "Standard", "HighPerformance",
    "VpnGw1", "VpnGw2", "VpnGw3", "VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ",
]  # fmt: skip
BASIC = "Basic"


@dataclass(frozen=True)
class Sku:
    """One row of the table."""

    name: SkuName
    site_to_site_tunnels: int
    sstp_connections: int
    ikev2_openvpn_connections: int
    """IKEv2 and OpenVPN share this number ("P2S IKEv2/OpenVPN Connections"); 0: not supported, or
    for a legacy SKU not documented."""
    aggregate_mbps: int
    """Mbit/s of S2S and P2S together; a benchmark, not a guarantee."""
    bgp: bool
    zone_redundant: bool
    legacy: bool

    def resizes_to(self, other: Sku) -> bool:
        """Whether a gateway changes to the other size while it runs; Basic never does."""
        return self == other or (
            BASIC not in (self.name, other.name) and self.legacy is other.legacy
        )


_ROWS: tuple[tuple[SkuName, int, int, int, int, bool], ...] = (
    ("Basic", 10, 128, 0, 100, False),
    ("Standard", 10, 128, 0, 100, True),
    ("HighPerformance", 30, 128, 0, 200, True),
    ("VpnGw1", 30, 128, 250, 650, True),
    ("VpnGw2", 30, 128, 500, 1000, True),
    ("VpnGw3", 30, 128, 1000, 1250, True),
    ("VpnGw1AZ", 30, 128, 250, 650, True),
    ("VpnGw2AZ", 30, 128, 500, 1000, True),
    ("VpnGw3AZ", 30, 128, 1000, 1250, True),
)

MOST_TUNNELS = max(row[1] for row in _ROWS)
"""Site-to-site tunnels of the largest SKUs; beyond them Azure has Virtual WAN."""
SKUS: dict[SkuName, Sku] = {
    row[0]: Sku(*row, zone_redundant=row[0].endswith("AZ"), legacy=not row[0].startswith("VpnGw"))
    for row in _ROWS
}


def more_tunnels(sku: Sku) -> str:
    """What to do for more site-to-site tunnels than the SKU has: the remedy of a refusal."""
    if sku.site_to_site_tunnels >= MOST_TUNNELS:
        return (
            f"use Virtual WAN if you need more than {MOST_TUNNELS} S2S VPN tunnels "
            "(seed: table of gateway SKUs)"
        )
    larger = [
        other.name
        for other in SKUS.values()
        if other.site_to_site_tunnels == MOST_TUNNELS and sku.resizes_to(other)
    ]
    if larger:
        return f"resize the gateway to {larger[0]}, which has {MOST_TUNNELS}"
    return (
        f"VpnGw1 has {MOST_TUNNELS}, but a {sku.name} gateway cannot be resized: delete it and "
        "create it anew"
    )
