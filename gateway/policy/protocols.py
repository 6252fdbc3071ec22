"""The VPN protocols, and what the rest of the gateway needs to know about each. A new protocol is
one row here and one folder."""

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
    """The properties of one protocol."""

    engine: str
    """`module:class` of a gateway.engine.Engine, imported when needed."""
    limit: LimitGroup
    """The group of protocols that share its connection limit."""
    own_addresses: int
    """How many addresses of its part of the client address pool the gateway itself needs."""
    daemon: str
    """The program that serves its clients."""
    device: str
    """The TUN device on which its clients' packets arrive; for IkeV2, only without kernel ESP."""


PROTOCOLS: Mapping[VpnProtocol, Row] = {
    "IkeV2": Row("gateway.ikev2.engine:Ikev2Engine", "IKEv2/OpenVPN", 0, "charon", "ipsec0"),
    "OpenVPN": Row("gateway.openvpn.engine:OpenVpnEngine", "IKEv2/OpenVPN", 1, "openvpn", "ovpn0"),
    "SSTP": Row("gateway.sstp.engine:SstpEngine", "SSTP", 1, "sstpd", "sstp0"),
}
