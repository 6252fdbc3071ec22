"""The desired state: Azure's document of a virtual network gateway, with Azure's field names.

Source: Microsoft.Network/virtualNetworkGateways, API 2023-09-01. The models have what the lab
carries out; `gateway.arm.fields` has the other fields of ARM, and `gateway.arm.canonical` puts a
document of Azure's tools into this form. Fields unknown to ARM are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from gateway.arm.ipsec import IpsecPolicies
from gateway.arm.model import ArmModel
from gateway.arm.sku import SkuName
from gateway.common.vocabulary import AuthenticationType, VpnProtocol

NOT_YET = "not supported by this lab yet"


def _refuse(value: object) -> None:
    """Null passes, and an empty list: neither asks for anything."""
    if value is not None and value != []:
        raise PydanticCustomError("unsupported", NOT_YET)


Unsupported = Annotated[
    None, BeforeValidator(_refuse), Field(description=f"Known to ARM, {NOT_YET}.")
]
"""A field that ARM knows but this lab does not implement."""


class SubResource(ArmModel):
    """A reference to another resource."""

    id: str


class AddressSpace(ArmModel):
    """Prefixes in CIDR form."""

    addressPrefixes: tuple[str, ...] = ()


class SkuReference(ArmModel):
    """The gateway's size."""

    name: SkuName
    tier: SkuName | None = None


class RootCertificateProperties(ArmModel):
    """A root certificate in Azure's format."""

    publicCertData: str = Field(
        description="Base64 of the root's DER on one line, without BEGIN and END; spaces are taken."
    )


class NamedSubResource(ArmModel):
    """A list entry; in ARM each has its own name."""

    name: str


class RootCertificate(NamedSubResource):
    """A named root certificate."""

    properties: RootCertificateProperties


class RevokedCertificateProperties(ArmModel):
    """SHA-1 of the client certificate's DER, 40 hexadecimal digits."""

    thumbprint: str


class RevokedCertificate(NamedSubResource):
    """A named client certificate that may not connect."""

    properties: RevokedCertificateProperties


class RadiusServer(ArmModel):
    """One of several RADIUS servers."""

    radiusServerAddress: str
    radiusServerScore: int | None = None
    radiusServerSecret: SecretStr | None = Field(default=None, exclude=True)


class VpnClientConfiguration(ArmModel):
    """Point-to-site: who may connect, how, and with which addresses."""

    vpnClientAddressPool: AddressSpace = AddressSpace()
    vpnClientProtocols: tuple[VpnProtocol, ...] = ()
    vpnAuthenticationTypes: tuple[AuthenticationType, ...] = ()
    vpnClientRootCertificates: tuple[RootCertificate, ...] = ()
    vpnClientRevokedCertificates: tuple[RevokedCertificate, ...] = ()
    radiusServerAddress: str | None = None
    radiusServerSecret: SecretStr | None = Field(default=None, exclude=True)
    radiusServers: tuple[RadiusServer, ...] = ()
    vpnClientIpsecPolicies: IpsecPolicies = ()

    @property
    def servers(self) -> tuple[RadiusServer, ...]:
        """The RADIUS servers, whether the document names one of them or a list."""
        if self.radiusServerAddress is None:
            return self.radiusServers
        single = RadiusServer(
            radiusServerAddress=self.radiusServerAddress,
            radiusServerSecret=self.radiusServerSecret,
        )
        return (single, *self.radiusServers)

    def with_secrets_of(self, other: VpnClientConfiguration) -> VpnClientConfiguration:
        """A copy in which each server without a secret takes the other's. GET omits secrets, so a
        client can thus PUT back what it got. (Azure does not document this case.)"""
        kept: dict[str, Any] = {}
        bare = self.radiusServerAddress is not None and self.radiusServerSecret is None
        if bare and self.radiusServerAddress == other.radiusServerAddress:
            kept["radiusServerSecret"] = other.radiusServerSecret
        known = {
            server.radiusServerAddress: server.radiusServerSecret for server in other.radiusServers
        }
        kept["radiusServers"] = tuple(
            server
            if server.radiusServerSecret is not None
            else server.model_copy(
                update={"radiusServerSecret": known.get(server.radiusServerAddress)}
            )
            for server in self.radiusServers
        )
        return self.model_copy(update=kept)


class IpConfigurationProperties(ArmModel):
    """Where an instance of the gateway is attached; the placement decides the addresses."""

    privateIPAllocationMethod: Literal["Dynamic"] | None = None
    subnet: SubResource | None = None
    publicIPAddress: SubResource | None = None


class IpConfiguration(NamedSubResource):
    """A named IP configuration."""

    properties: IpConfigurationProperties = IpConfigurationProperties()


class BgpSettings(ArmModel):
    """How one end of BGP sessions presents itself."""

    asn: int | None = None
    """The autonomous system number; left out by a gateway, 65515."""
    bgpPeeringAddress: str | None = None
    """The address at which it speaks BGP; a gateway's is Azure's own choice."""


class GatewayProperties(ArmModel):
    """ARM `properties` of a virtual network gateway."""

    sku: SkuReference
    gatewayType: Literal["Vpn", "ExpressRoute", "LocalGateway"] = "Vpn"
    vpnType: Literal["RouteBased", "PolicyBased"] = "RouteBased"
    activeActive: bool = False
    enableBgp: bool = False
    bgpSettings: BgpSettings | None = None
    ipConfigurations: tuple[IpConfiguration, ...] = ()
    vpnClientConfiguration: VpnClientConfiguration | None = None
    customRoutes: AddressSpace | None = None


class VirtualNetworkGateway(ArmModel):
    """The document that PUT accepts and GET returns."""

    name: str
    properties: GatewayProperties

    def with_secrets_of(self, other: VirtualNetworkGateway | None) -> VirtualNetworkGateway:
        """A copy that takes from the other document the RADIUS secrets that this one omits."""
        mine = self.properties.vpnClientConfiguration
        theirs = other.properties.vpnClientConfiguration if other else None
        if mine is None or theirs is None:
            return self
        properties = self.properties.model_copy(
            update={"vpnClientConfiguration": mine.with_secrets_of(theirs)}
        )
        return self.model_copy(update={"properties": properties})

    def document(self) -> dict[str, Any]:
        """The document as JSON data, without secrets and absent fields."""
        return self.model_dump(mode="json", exclude_none=True)
