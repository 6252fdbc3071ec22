"""The VPN protocols: what the rest of the gateway has to know of each. A further one is a row here
and a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.common.vocabulary import VpnProtocol

LimitGroup = Literal["IKEv2/OpenVPN", "SSTP"]
"""Seed, table of SKUs: one column for IKEv2 and OpenVPN; "These connection limits are separate"
from SSTP's."""


@dataclass(frozen=True)
class Row:
    """What is particular to a protocol."""

    engine: str
    """`module:class`, imported when it is wanted: a gateway.engine.Engine."""
    limit: LimitGroup
    """The protocols with which it shares its number of connections."""
    own_addresses: int
    """Addresses of its part of the client address pool that the gateway itself needs."""
    device: str
    """The TUN by which its clients' packets come in; for IkeV2, without the kernel's ESP."""


PROTOCOLS: Mapping[VpnProtocol, Row] = {
    "IkeV2": Row("gateway.ikev2.engine:Ikev2Engine", "IKEv2/OpenVPN", 0, "ipsec0"),
    "OpenVPN": Row("gateway.openvpn.engine:OpenVpnEngine", "IKEv2/OpenVPN", 1, "ovpn0"),
    "SSTP": Row("gateway.sstp.engine:SstpEngine", "SSTP", 1, "sstp0"),
}
