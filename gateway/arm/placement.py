"""The gateway's placement: what Azure's fabric knows and the ARM document does not contain."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from gateway.common.vocabulary import DeploymentModel


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VirtualNetwork(_Part):
    """The VNet behind the gateway."""

    name: str
    addressPrefixes: tuple[IPv4Network, ...]
    dnsServers: tuple[IPv4Address, ...] = ()
    """DNS servers pushed to clients; if empty, clients keep their own."""


class RemoteGateway(_Part):
    """Another virtual network gateway of the fabric, to which a Vnet2Vnet connection may lead."""

    publicIPAddress: IPv4Address
    addressPrefixes: tuple[IPv4Network, ...]
    """Its VNet's prefixes."""


class Interfaces(_Part):
    """Names of the network interfaces."""

    public: str
    private: str


class ServerCertificate(_Part):
    """PEM files by which clients authenticate the gateway."""

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
    bgpPeeringAddress: IPv4Address | None = None
    """Where the gateway speaks BGP: Azure's choice in the GatewaySubnet. None: nowhere."""
    deploymentModel: DeploymentModel = "ResourceManager"
    virtualNetwork: VirtualNetwork
    virtualNetworkGateways: dict[str, RemoteGateway] = {}
    """The other gateways, by name."""
    interfaces: Interfaces
    serverCertificate: ServerCertificate
    radiusServersThatDoNotSignAll: tuple[IPv4Address, ...] = ()
    """RADIUS servers without the fix for CVE-2024-3596: the gateway accepts their answers outside
    EAP without a Message-Authenticator. Azure's document has no such field."""

    benchmarkScale: float = Field(default=1.0, gt=0, le=1)
    """The part of the SKU's aggregate throughput that the gateway lets pass. Azure's is 1; a
    machine that is slower than the SKU shows the same with less."""

    @property
    def certificate_name(self) -> str:
        """The server certificate's common name; the OpenVPN profile checks it."""
        return f"{self.gatewayId}.vpn.azure.com"
