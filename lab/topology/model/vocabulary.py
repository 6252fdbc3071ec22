"""Literals shared by topology files, checks, clients and reports."""

from __future__ import annotations

from typing import Literal

from gateway.common.vocabulary import Reason as GatewayReason
from gateway.common.vocabulary import VpnProtocol

__all__ = ["PACKETS", "FaultName", "Reason", "Serves", "VpnProtocol"]

Serves = Literal["http", "iperf3", "dns", "echo"]
"""Services of a computer."""

Reason = Literal[
    GatewayReason,
    "no-answer",  # the gateway was not reached: a firewall, a dead line
    "proxy",  # the HTTP proxy refused
    "server-untrusted",  # the client does not trust the gateway
    "no-protocol",  # the profile does not offer the protocol to dial
    "system",  # the computer's operating system cannot dial the protocol
    "administrator",  # the computer is a Windows, and its user has no administrator rights
]
"""Why a client was not connected: the gateway's reason, or the client's if it reached none."""

FaultName = Literal[
    "s2s-cut",  # no packet passes between a site and its gateway
    "s2s-wrong-psk",  # a site's VPN device has a wrong pre-shared key
    "bgp-down",  # BGP has ended on a site's VPN device
    "radius-down",  # no RADIUS server answers
    "radius-slow",  # RADIUS servers answer late
    "wrong-shared-secret",  # the gateway's RADIUS secret differs from the servers'
    "one-server-dead",  # the first of several RADIUS servers does not answer
    "directory-down",  # the domain controller does not answer
    "engine-down",  # a gateway's charon, openvpn or sstpd has ended and does not start again
    "gateway-down",  # a gateway is switched off; at its end it is switched on again
    "zone-down",  # the availability zone in which a gateway runs fails
    "link-down",  # an access network's link to the Internet is down
]
"""Faults that a topology can inject."""

PACKETS = range(68, 65536)
"""Bytes that an IPv4 packet may have (RFC 791), where links take it."""
