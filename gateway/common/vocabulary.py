"""Words that the gateway's log, its sessions and its models share."""

from __future__ import annotations

from typing import Literal

from radius.reasons import Reason as RadiusReason

VpnProtocol = Literal["IkeV2", "SSTP", "OpenVPN"]
"""Azure's names (ARM `vpnClientProtocols`), in the order in which the pool is divided."""

AuthenticationType = Literal["Certificate", "Radius", "AAD"]
"""Azure's names (ARM `vpnAuthenticationTypes`)."""

AuthenticationMethod = Literal["EAPTLS", "EAPMSCHAPv2"]
"""Azure's names (ARM `generatevpnprofile`, authenticationMethod)."""

Reason = Literal[
    "revoked",  # the certificate's thumbprint is on the list
    "untrusted",  # it does not chain to an uploaded root
    "expired",
    "not-yet-valid",
    "no-client-auth",  # its extended key usage lacks clientAuth
    "no-certificate",
    "limit",  # the SKU's number of connections is reached
    "no-address",  # the pool is used up
    "tls",  # no version or cipher suite of TLS in common
    "binding",  # SSTP: the crypto binding is wrong
    "protocol",  # what came is not the protocol
    "timeout",  # what had to come did not
    "fault",  # the gateway's own: nobody comes in by it
    RadiusReason,  # "refused" among them: refused, and there is no more to be known
]
"""Why a peer was refused."""
