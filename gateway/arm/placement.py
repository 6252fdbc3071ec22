"""Where the gateway stands: what Azure's fabric knows and the desired state does not say."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VirtualNetwork(_Part):
    """The VNet behind the gateway."""

    name: str
    addressPrefixes: tuple[IPv4Network, ...]
    dnsServers: tuple[IPv4Address, ...] = ()
    """What clients are told to ask; none: they keep their own."""


class Interfaces(_Part):
    """Names of the network interfaces."""

    public: str
    private: str


class ServerCertificate(_Part):
    """Files (PEM) by which clients know the gateway."""

    certificate: Path
    privateKey: Path
    root: Path


class Placement(_Part):
    """The gateway's identity and addresses."""

    name: str
    gatewayId: str
    fqdn: str
    publicIPAddress: IPv4Address
    privateIPAddress: IPv4Address
    virtualNetwork: VirtualNetwork
    interfaces: Interfaces
    serverCertificate: ServerCertificate
    radiusServersThatDoNotSignAll: tuple[IPv4Address, ...] = ()
    """RADIUS servers from before the cure of CVE-2024-3596, whose answers outside EAP are taken
    without Message-Authenticator. Azure's document has no word for it."""

    @property
    def certificate_name(self) -> str:
        """The common name of the server certificate, which OpenVPN's profile checks."""
        return f"{self.gatewayId}.vpn.azure.com"
