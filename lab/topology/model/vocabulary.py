"""Words shared by topology files, checks, clients and reports: the gateway's, and the clients'."""

from __future__ import annotations

from typing import Literal

from gateway.common.vocabulary import Reason as GatewaysReason
from gateway.common.vocabulary import VpnProtocol

__all__ = ["FaultName", "Reason", "Serves", "VpnProtocol"]

Serves = Literal["http", "iperf3", "dns", "echo"]
"""What a computer may serve."""

Reason = Literal[
    GatewaysReason,
    "no-answer",  # the gateway was not reached: a firewall, a dead line
    "proxy",  # the HTTP proxy refused
    "server-untrusted",  # the client does not trust the gateway
    "no-protocol",  # the profile does not offer what was to be dialled
]
"""Why a client was not connected, as the gateway says, or the client where it was not reached."""

FaultName = Literal[
    "s2s-cut",  # the Internet between a site and its gateway carries nothing
    "s2s-wrong-psk",  # a site's VPN device has another pre-shared key
    "radius-down",  # no RADIUS server answers
    "radius-slow",  # RADIUS servers answer late
    "wrong-shared-secret",  # the gateway has another RADIUS secret than the servers
    "one-server-dead",  # of several RADIUS servers the first one does not answer
    "directory-down",  # the domain controller does not answer
]
"""What can go wrong on purpose."""
