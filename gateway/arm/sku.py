"""The limits of each gateway SKU: the table of the seed document.

Source: seed, "Which gateway SKUs support P2S VPN?". Azure added Generation 2 and VpnGw4/5 later;
the seed takes precedence, so they are unknown here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SkuName = Literal["Basic", "VpnGw1", "VpnGw2", "VpnGw3", "VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ"]
LEGACY_SKU = "Basic"


@dataclass(frozen=True)
class Sku:
    """One row of the table."""

    name: SkuName
    site_to_site_tunnels: int
    sstp_connections: int
    ikev2_openvpn_connections: int
    """IKEv2 and OpenVPN share this number ("P2S IKEv2/OpenVPN Connections"); 0: not supported."""
    aggregate_mbps: int
    """Mbit/s of S2S and P2S together; a benchmark, not a guarantee."""
    bgp: bool
    zone_redundant: bool


_ROWS: tuple[tuple[SkuName, int, int, int, int, bool], ...] = (
    ("Basic", 10, 128, 0, 100, False),
    ("VpnGw1", 30, 128, 250, 650, True),
    ("VpnGw2", 30, 128, 500, 1000, True),
    ("VpnGw3", 30, 128, 1000, 1250, True),
    ("VpnGw1AZ", 30, 128, 250, 650, True),
    ("VpnGw2AZ", 30, 128, 500, 1000, True),
    ("VpnGw3AZ", 30, 128, 1000, 1250, True),
)

MOST_TUNNELS = max(row[1] for row in _ROWS)
"""Site-to-site tunnels of the largest SKU."""
SKUS: dict[SkuName, Sku] = {
    row[0]: Sku(*row, zone_redundant=row[0].endswith("AZ")) for row in _ROWS
}
