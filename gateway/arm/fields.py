"""What becomes of the fields of Azure's documents that the models of this package do not have.

A field that the lab carries out is a field of a model (`gateway.arm.resource`,
`gateway.arm.connections`). Every other field that Azure knows has a row here: it is read-only, or
it belongs to a feature that the lab lacks, and then the row has the values that do not ask for the
feature. A test holds both against azure-mgmt-network. Fields that this package does not have come
from what GET returns, az, Azure PowerShell and exported templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gateway.arm.connections import (
    Connection,
    ConnectionProperties,
    LocalNetworkGateway,
    LocalNetworkGatewayProperties,
)
from gateway.arm.resource import (
    AddressSpace,
    BgpSettings,
    GatewayProperties,
    IpConfiguration,
    IpConfigurationProperties,
    RevokedCertificate,
    RevokedCertificateProperties,
    RootCertificate,
    RootCertificateProperties,
    SkuReference,
    VirtualNetworkGateway,
    VpnClientConfiguration,
)


@dataclass(frozen=True)
class Feature:
    """Something that Azure can do and this lab cannot."""

    name: str
    remedy: str = "leave it out"
    optional: bool = True
    """Whether the lab can build the rest without it (a topology's `ignore`)."""


@dataclass(frozen=True)
class Row:
    """A field that no model has."""

    feature: Feature | None = None
    """What it asks for; None: nothing, it is read-only in ARM or says nothing to a gateway."""
    nothing: tuple[Any, ...] = ()
    """Values that do not ask for the feature, besides null and empty ones; text in any case."""
    inside: Mapping[str, Row] | None = None
    """The fields of the mapping, or of each mapping of the list."""


ACTIVE_ACTIVE = Feature("active-active")
BGP_DETAIL = Feature("BGP addresses of one's own")
ENTRA_ID = Feature("Entra ID authentication", "use Certificate or Radius")
GENERATION2 = Feature("a Generation2 gateway", "use Generation1")
DNS_FORWARDING = Feature("DNS forwarding")
EDGE_ZONE = Feature("a gateway in an edge zone")
EXPRESSROUTE = Feature("ExpressRoute")
IDENTITY = Feature("a managed identity")
IPAM = Feature("prefixes from an IPAM pool", "write them as addressPrefixes")
NAT = Feature("NAT rules")
USER_GROUPS = Feature("user groups with address pools of their own")
PRIVATE_ADDRESS = Feature("connections to the gateway's private address")
CERTIFICATES = Feature("certificates between gateways", "use PSK")

READ_ONLY = Row()
_OFF = (False,)

_RESOURCE = {
    "id": READ_ONLY,
    "etag": READ_ONLY,
    "type": READ_ONLY,
    "resourceGroup": READ_ONLY,  # az
}
_TOP = {
    **_RESOURCE,
    "location": READ_ONLY,
    "tags": READ_ONLY,
    "identity": Row(IDENTITY, nothing=({"type": "None"},)),
    "extendedLocation": Row(EDGE_ZONE),
    "kind": READ_ONLY,
    "systemData": READ_ONLY,
    "apiVersion": READ_ONLY,  # templates
    "comments": READ_ONLY,
    "dependsOn": READ_ONLY,
    "resourceGroupName": READ_ONLY,  # PowerShell
    "tag": READ_ONLY,
    "tagsTable": READ_ONLY,
}
_STATE = {"provisioningState": READ_ONLY}
ROWS: dict[type[BaseModel], dict[str, Row]] = {
    VirtualNetworkGateway: _TOP,
    Connection: _TOP,
    LocalNetworkGateway: _TOP,
    RootCertificate: _RESOURCE,
    RevokedCertificate: _RESOURCE,
    IpConfiguration: _RESOURCE,
    RootCertificateProperties: _STATE,
    RevokedCertificateProperties: _STATE,
    IpConfigurationProperties: {**_STATE, "privateIPAddress": READ_ONLY},
    SkuReference: {"capacity": READ_ONLY},
    BgpSettings: {
        "peerWeight": READ_ONLY,
        "bgpPeeringAddresses": Row(
            inside={
                "ipconfigurationId": READ_ONLY,
                "defaultBgpIpAddresses": READ_ONLY,
                "customBgpIpAddresses": Row(BGP_DETAIL),
                "tunnelIpAddresses": READ_ONLY,
            }
        ),
    },
    AddressSpace: {"ipamPoolPrefixAllocations": Row(IPAM)},
    VpnClientConfiguration: {
        "aadTenant": Row(ENTRA_ID),
        "aadAudience": Row(ENTRA_ID),
        "aadIssuer": Row(ENTRA_ID),
        "vngClientConnectionConfigurations": Row(USER_GROUPS),
        "vpnClientConnectionHealth": READ_ONLY,
    },
    GatewayProperties: {
        **_STATE,
        "resourceGuid": READ_ONLY,
        "inboundDnsForwardingEndpoint": READ_ONLY,
        "packetCaptureDiagnosticState": READ_ONLY,
        "isMigrateToCSES": READ_ONLY,
        "isMigratedLegacySKU": READ_ONLY,
        "blockUpgradeOfMigratedLegacyGateways": READ_ONLY,
        "remoteVirtualNetworkPeerings": READ_ONLY,
        "virtualNetworkGatewayMigrationStatus": READ_ONLY,
        "adminState": Row(EXPRESSROUTE, nothing=("Enabled",)),
        "allowRemoteVnetTraffic": Row(EXPRESSROUTE, nothing=_OFF),
        "allowVirtualWanTraffic": Row(EXPRESSROUTE, nothing=_OFF),
        "resiliencyModel": Row(EXPRESSROUTE, nothing=("SingleHomed",)),
        "autoScaleConfiguration": Row(Feature("scaling by load")),
        "disableIPSecReplayProtection": Row(Feature("ESP without replay protection"), nothing=_OFF),
        "enableBgpRouteTranslationForNat": Row(NAT, nothing=_OFF),
        "enableDnsForwarding": Row(DNS_FORWARDING, nothing=_OFF),
        "enableHighBandwidthVpnGateway": Row(Feature("a high-bandwidth gateway"), nothing=_OFF),
        "enablePrivateIpAddress": Row(PRIVATE_ADDRESS, nothing=_OFF),
        "gatewayDefaultSite": Row(Feature("forced tunnelling to a default site")),
        "natRules": Row(NAT),
        "vNetExtendedLocationResourceId": Row(EDGE_ZONE),
        "virtualNetworkGatewayPolicyGroups": Row(USER_GROUPS),
        "vpnGatewayGeneration": Row(GENERATION2, nothing=("None", "Generation1")),
    },
    LocalNetworkGatewayProperties: {
        **_STATE,
        "resourceGuid": READ_ONLY,
        "fqdn": Row(Feature("a VPN device by its name", "write its gatewayIpAddress")),
    },
    ConnectionProperties: {
        **_STATE,
        "resourceGuid": READ_ONLY,
        "connectionStatus": READ_ONLY,
        "tunnelConnectionStatus": READ_ONLY,
        "egressBytesTransferred": READ_ONLY,
        "ingressBytesTransferred": READ_ONLY,
        "packetCaptureDiagnosticState": READ_ONLY,
        "authenticationType": Row(CERTIFICATES, nothing=("PSK",)),
        "certificateAuthentication": Row(CERTIFICATES),
        "authorizationKey": Row(EXPRESSROUTE),
        "enablePrivateLinkFastPath": Row(EXPRESSROUTE, nothing=_OFF),
        "expressRouteGatewayBypass": Row(EXPRESSROUTE, nothing=_OFF),
        "peer": Row(EXPRESSROUTE),
        "routingConfiguration": Row(EXPRESSROUTE),
        "egressNatRules": Row(NAT),
        "ingressNatRules": Row(NAT),
        "gatewayCustomBgpIpAddresses": Row(BGP_DETAIL),
        "tunnelProperties": Row(BGP_DETAIL),
        # 10 is what az and Azure PowerShell write; one connection a site has no use for weights
        "routingWeight": Row(Feature("weights of connections"), nothing=(0, 10)),
        "trafficSelectorPolicies": Row(Feature("traffic selectors of one's own")),
        "useLocalAzureIpAddress": Row(PRIVATE_ADDRESS, nothing=_OFF),
    },
}


def _skus(*names: str) -> dict[Any, Feature]:
    use = "use Basic, Standard, HighPerformance, VpnGw1, VpnGw2, VpnGw3 or one of their AZ forms"
    return {name: Feature(f"the {name} SKU", use, optional=False) for name in names}


_OTHER_SKUS = _skus(
    "UltraPerformance",
    "VpnGw4", "VpnGw5", "VpnGw4AZ", "VpnGw5AZ",
    "ErGw1AZ", "ErGw2AZ", "ErGw3AZ", "ErGwScale",
)  # fmt: skip

VALUES: dict[tuple[type[BaseModel], str], dict[Any, Feature]] = {
    (GatewayProperties, "activeActive"): {True: ACTIVE_ACTIVE},
    (SkuReference, "name"): _OTHER_SKUS,
    (SkuReference, "tier"): _OTHER_SKUS,
    (IpConfigurationProperties, "privateIPAllocationMethod"): {
        "Static": Feature("a private address of the operator's choice", "use Dynamic")
    },
    (VpnClientConfiguration, "vpnAuthenticationTypes"): {"AAD": ENTRA_ID},
}
"""Values of the models' own fields that ask for a feature."""

ABSENT: dict[tuple[type[BaseModel], str], tuple[Any, ...]] = {
    (ConnectionProperties, "dpdTimeoutSeconds"): (0,),
    (ConnectionProperties, "virtualNetworkGateway2"): ({},),
    (VpnClientConfiguration, "radiusServerAddress"): ("",),
}
"""Values besides null that mean that the field was not given: GET returns 0 for the default."""

RESOURCE_TYPES: dict[type[BaseModel], str] = {
    VirtualNetworkGateway: "Microsoft.Network/virtualNetworkGateways",
    Connection: "Microsoft.Network/connections",
    LocalNetworkGateway: "Microsoft.Network/localNetworkGateways",
}

TERRAFORM = (
    "resource_group_name", "ip_configuration", "generation", "bgp_enabled", "custom_route",
    "default_local_network_gateway_id", "edge_zone", "private_ip_address_enabled", "timeouts",
    "remote_vnet_traffic_enabled", "virtual_wan_traffic_enabled", "policy_group",
    "dns_forwarding_enabled", "ip_sec_replay_protection_enabled",
    "bgp_route_translation_for_nat_enabled", "local_network_gateway_id",
    "virtual_network_gateway_id", "peer_virtual_network_gateway_id", "ipsec_policy",
    "address_space", "gateway_address", "gateway_fqdn",
)  # fmt: skip
"""Attributes by which a document of Terraform's azurerm provider is recognised: Azure has no fields
of these names."""

TERRAFORM_CLIENT = ("address_space", "root_certificate", "revoked_certificate", "vpn_auth_types")
"""The same within its vpn_client_configuration."""
