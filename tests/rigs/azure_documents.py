"""Documents of gateways and connections in the forms that Azure's tools write."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

RESOURCE = "/subscriptions/s/resourceGroups/fabrikam/providers/Microsoft.Network"
GATEWAY = f"{RESOURCE}/virtualNetworkGateways/edge"
ETAG = 'W/"0b5b7d4c-1111-4a53-8c0e-d5b3c7e2f001"'


def part(kind: str, name: str, **properties: Any) -> dict[str, Any]:
    """An entry of a list as GET returns it."""
    return {
        "name": name,
        "id": f"{GATEWAY}/{kind}/{name}",
        "etag": ETAG,
        "properties": {"provisioningState": "Succeeded", **properties},
        "type": f"Microsoft.Network/virtualNetworkGateways/{kind}",
    }


def get(properties: dict[str, Any] | None = None, **client: Any) -> dict[str, Any]:
    """A gateway as GET returns it (azure-rest-api-specs, VirtualNetworkGatewayGet)."""
    return {
        "name": "edge",
        "id": GATEWAY,
        "etag": ETAG,
        "type": "Microsoft.Network/virtualNetworkGateways",
        "location": "northeurope",
        "tags": {"owner": "networks"},
        "identity": {"type": "None"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": "0b5b7d4c-2222-4a53-8c0e-d5b3c7e2f001",
            "packetCaptureDiagnosticState": "None",
            "isMigrateToCSES": False,
            "virtualNetworkGatewayMigrationStatus": {"state": "None", "phase": "None"},
            "enablePrivateIpAddress": False,
            "ipConfigurations": [
                part(
                    "ipConfigurations",
                    "gwipconfig1",
                    privateIPAllocationMethod="Dynamic",
                    privateIPAddress="10.1.255.4",
                    publicIPAddress={"id": f"{RESOURCE}/publicIPAddresses/edge-ip"},
                    subnet={"id": f"{RESOURCE}/virtualNetworks/hub/subnets/GatewaySubnet"},
                )
            ],
            "natRules": [],
            "virtualNetworkGatewayPolicyGroups": [],
            "enableBgpRouteTranslationForNat": False,
            "disableIPSecReplayProtection": False,
            "sku": {"name": "VpnGw2", "tier": "VpnGw2", "capacity": 2},
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "enableBgp": False,
            "activeActive": False,
            "vpnGatewayGeneration": "Generation1",
            "adminState": "Enabled",
            "vpnClientConfiguration": {
                "vpnClientAddressPool": {
                    "addressPrefixes": ["172.20.0.0/24"],
                    "ipamPoolPrefixAllocations": [],
                },
                "vpnClientProtocols": ["OpenVPN", "IkeV2"],
                "vpnAuthenticationTypes": ["Certificate"],
                "vpnClientRootCertificates": [
                    part("vpnClientRootCertificates", "RootA", publicCertData="MIIB")
                ],
                "vpnClientRevokedCertificates": [
                    part("vpnClientRevokedCertificates", "gone", thumbprint="AB" * 20)
                ],
                "vngClientConnectionConfigurations": [],
                "radiusServers": [],
                "vpnClientIpsecPolicies": [],
                **client,
            },
            "bgpSettings": {
                "asn": 65010,
                "bgpPeeringAddress": "10.1.255.30",
                "peerWeight": 0,
                "bgpPeeringAddresses": [
                    {
                        "ipconfigurationId": f"{GATEWAY}/ipConfigurations/gwipconfig1",
                        "defaultBgpIpAddresses": ["10.1.255.30"],
                        "customBgpIpAddresses": [],
                        "tunnelIpAddresses": ["203.0.113.7"],
                    }
                ],
            },
            "customRoutes": {"addressPrefixes": ["192.168.9.0/24"]},
            "allowRemoteVnetTraffic": False,
            "allowVirtualWanTraffic": False,
            **(properties or {}),
        },
    }


Change = Callable[[Any], Any]


def keys(data: Any, change: Callable[[str], str]) -> Any:
    """The document with its keys changed."""
    if isinstance(data, dict):
        return {change(key): keys(value, change) for key, value in data.items()}
    return [keys(one, change) for one in data] if isinstance(data, list) else data


def flat(data: Any) -> Any:
    """As az prints it: inner `properties` beside the other fields, and resourceGroup."""
    if isinstance(data, list):
        return [flat(one) for one in data]
    if not isinstance(data, dict):
        return data
    inner = data.get("properties", {})
    own = {key: flat(value) for key, value in data.items() if key != "properties"}
    group = {"resourceGroup": "fabrikam"} if "id" in data else {}
    return own | {key: flat(value) for key, value in inner.items()} | group


def snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()


def pascal(key: str) -> str:
    return key[0].upper() + key[1:]


def powershell(data: Any) -> Any:
    """Azure PowerShell prints what is no text a second time."""
    shown = keys(flat(data), pascal)
    texts = {f"{key}Text": "{}" for key, value in shown.items() if isinstance(value, dict | list)}
    return shown | texts | {"ResourceGroupName": "fabrikam", "TagsTable": "", "Tag": None}


def template(data: Any) -> Any:
    return data | {"apiVersion": "2019-11-01", "dependsOn": ["[resourceId('a', 'b')]"],
                   "location": "[resourceGroup().location]"}  # fmt: skip


SHAPES: dict[str, Change] = {
    "GET": lambda data: data,
    "az": flat,
    "the SDK's as_dict": lambda data: keys(flat(data), snake),
    "the SDK's as_dict, nested": lambda data: keys(data, snake),
    "PowerShell": powershell,
    "capitals": lambda data: keys(data, str.upper),
    "small letters": lambda data: keys(data, str.lower),
    "one resource of a template": template,
}


CONNECTION = {
    "name": "to-branch",
    "id": f"{RESOURCE}/connections/to-branch",
    "etag": ETAG,
    "type": "Microsoft.Network/connections",
    "location": "northeurope",
    "properties": {
        "provisioningState": "Succeeded",
        "resourceGuid": "0b5b7d4c-3333-4a53-8c0e-d5b3c7e2f001",
        "packetCaptureDiagnosticState": "None",
        "virtualNetworkGateway1": {"id": GATEWAY, "location": "northeurope", "properties": {}},
        "localNetworkGateway2": {"id": f"{RESOURCE}/localNetworkGateways/branch", "tags": {}},
        "ingressNatRules": [],
        "egressNatRules": [],
        "connectionType": "IPSec",
        "connectionProtocol": "ikev2",
        "routingWeight": 10,
        "dpdTimeoutSeconds": 0,
        "enableBgp": False,
        "gatewayCustomBgpIpAddresses": [],
        "tunnelProperties": [],
        "authenticationType": "PSK",
        "peer": None,
        "useLocalAzureIpAddress": False,
        "usePolicyBasedTrafficSelectors": False,
        "expressRouteGatewayBypass": False,
        "enablePrivateLinkFastPath": False,
        "ipsecPolicies": [],
        "trafficSelectorPolicies": [],
        "connectionStatus": "Connected",
        "tunnelConnectionStatus": [{"tunnel": "t"}],
        "ingressBytesTransferred": 1,
        "egressBytesTransferred": 2,
        "connectionMode": "Default",
        "sharedKey": "not-a-secret",
    },
}
LOCAL = {
    "name": "branch",
    "id": f"{RESOURCE}/localNetworkGateways/branch",
    "etag": ETAG,
    "type": "Microsoft.Network/localNetworkGateways",
    "location": "northeurope",
    "properties": {
        "provisioningState": "Succeeded",
        "resourceGuid": "0b5b7d4c-4444-4a53-8c0e-d5b3c7e2f001",
        "localNetworkAddressSpace": {"addressPrefixes": ["192.168.70.0/24"]},
        "gatewayIpAddress": "203.0.113.70",
        "fqdn": "",
        "bgpSettings": {"asn": 65070, "bgpPeeringAddress": "192.168.70.1", "peerWeight": 0},
    },
}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
NAMES = st.sampled_from([
    "properties", "Properties", "name", "sku", "SKU", "tier", "vpnClientConfiguration", "id",
    "vpn_client_configuration", "vpnClientProtocols", "vpnAuthenticationTypes", "natRules", "type",
    "radiusServers", "radiusServerAddress", "bgpSettings", "bgpPeeringAddresses", "value",
    "aadTenant",
    "resources", "$schema", "ipConfigurations", "subnet", "virtualNetworkGateway1", "enableBgp",
    "vpnClientRootCertificates", "customRoutes", "addressPrefixes", "localNetworkAddressSpace",
]) | st.text(max_size=5)  # fmt: skip
JSON = st.recursive(
    SCALARS | st.sampled_from(["AAD", "[parameters('x')]", "Basic", "VpnGw1", "ikev2"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)
