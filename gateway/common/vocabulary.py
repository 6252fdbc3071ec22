"""Vocabulary shared by the gateway's log, sessions and models."""

from __future__ import annotations

from typing import Literal

from radius.reasons import Reason as RadiusReason

VpnProtocol = Literal["IkeV2", "SSTP", "OpenVPN"]
"""Azure's names (ARM `vpnClientProtocols`), in the order in which the pool is divided."""

AuthenticationType = Literal["Certificate", "Radius"]
"""Azure's names (ARM `vpnAuthenticationTypes`); AAD is refused before (`gateway.arm.fields`)."""

AuthenticationMethod = Literal["EAPTLS", "EAPMSCHAPv2"]
"""Azure's names (ARM `generatevpnprofile`, authenticationMethod)."""

DeploymentModel = Literal["ResourceManager", "Classic"]
"""Azure's two deployment models; a gateway's document does not say which one it was made in."""

Reason = Literal[
    "revoked",  # the certificate's thumbprint is on the list
    "untrusted",  # no valid chain to an uploaded root: the log says what is wrong with it
    "expired",
    "not-yet-valid",
    "no-client-auth",  # its extended key usage lacks clientAuth
    "no-certificate",
    "limit",  # the SKU's number of connections is reached
    "no-address",  # the pool is used up
    "tls",  # no common TLS version or cipher suite
    "no-proposal",  # no common IKE or ESP proposal
    "binding",  # SSTP: the crypto binding is wrong
    "protocol",  # the peer violated the protocol
    "timeout",  # the peer did not answer in time
    "fault",  # a fault of the gateway itself
    RadiusReason,  # including "refused": no further reason is known
]
"""Why a peer was refused."""
