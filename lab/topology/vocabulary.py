"""Words shared by topology files, checks, clients and reports."""

from __future__ import annotations

from typing import Literal

VpnProtocol = Literal["IkeV2", "SSTP", "OpenVPN"]
"""Azure's names (ARM `vpnClientProtocols`)."""

Reason = Literal[
    "revoked",  # the certificate's thumbprint is on the gateway's list
    "untrusted",  # it does not chain to an uploaded root
    "expired",
    "not-yet-valid",
    "no-client-auth",  # its extended key usage lacks clientAuth
    "no-certificate",
    "limit",  # the SKU's number of connections is reached
    "no-address",  # the pool is used up
    "no-answer",  # the gateway was not reached: a firewall, a dead line
    "proxy",  # the HTTP proxy refused
    "server-untrusted",  # the client does not trust the gateway
    "no-protocol",  # the profile does not offer what was to be dialled
    "refused",  # refused, and neither side gives more
]
