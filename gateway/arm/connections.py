"""ARM's site-to-site resources: local network gateways and connections.

Source: Microsoft.Network/connections and localNetworkGateways, API 2023-09-01. Fields are refused
by the rules of `gateway.arm.resource`. The last part of a resource's id is its name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from gateway.arm.ipsec import IpsecPolicies
from gateway.arm.model import ArmModel
from gateway.arm.resource import AddressSpace, BgpSettings, SubResource

DPD_TIMEOUT = 45
"""Seconds; azure-docs vpn-gateway-about-vpn-devices: default 45, from 9 to 3600."""

ConnectionStatus = Literal["Unknown", "Connecting", "Connected", "NotConnected"]


class LocalNetworkGatewayProperties(ArmModel):
    """The other side: the address of its VPN device and the prefixes behind it."""

    localNetworkAddressSpace: AddressSpace
    gatewayIpAddress: str
    bgpSettings: BgpSettings | None = None


class _Resource(ArmModel):
    name: str

    def document(self) -> dict[str, Any]:
        """The document as JSON data, without secrets and absent fields."""
        return self.model_dump(mode="json", exclude_none=True)


class LocalNetworkGateway(_Resource):
    """The document of PUT /localNetworkGateways/NAME."""

    properties: LocalNetworkGatewayProperties


class ConnectionProperties(ArmModel):
    """A tunnel between this gateway and a local network gateway, or another VNet's gateway."""

    virtualNetworkGateway1: SubResource
    virtualNetworkGateway2: SubResource | None = None
    localNetworkGateway2: SubResource | None = None
    connectionType: Literal["IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient"]
    sharedKey: SecretStr | None = Field(default=None, exclude=True)
    connectionProtocol: Literal["IKEv2", "IKEv1"] = "IKEv2"
    connectionMode: Literal["Default", "ResponderOnly", "InitiatorOnly"] = "Default"
    dpdTimeoutSeconds: Annotated[int, Field(ge=9, le=3600)] = DPD_TIMEOUT
    enableBgp: bool = False
    ipsecPolicies: IpsecPolicies = ()
    usePolicyBasedTrafficSelectors: bool | None = Field(
        default=None,
        description="Selectors are always the prefixes of both sides here, never any-to-any.",
    )


class Connection(_Resource):
    """The document of PUT /connections/NAME."""

    properties: ConnectionProperties

    @property
    def local_network_gateway(self) -> str:
        """The name of its local network gateway; empty if it leads to a VNet."""
        return name_in(self.properties.localNetworkGateway2)

    @property
    def remote_gateway(self) -> str:
        """The name of the other VNet's gateway; empty if it leads to a site."""
        return name_in(self.properties.virtualNetworkGateway2)

    def with_key_of(self, other: Connection | None) -> Connection:
        """A copy that takes the other's key if it has none. GET omits the key, so a client can
        thus PUT back what it got. (Azure does not document this case.)"""
        if other is None or self.properties.sharedKey is not None:
            return self
        properties = self.properties.model_copy(update={"sharedKey": other.properties.sharedKey})
        return self.model_copy(update={"properties": properties})


def name_in(reference: SubResource | None) -> str:
    """The name of the referenced resource; empty for none."""
    return reference.id.rsplit("/", 1)[-1] if reference else ""
