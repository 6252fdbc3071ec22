"""Each remedy, followed to the letter: the document is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.gateway.arm.rules.judging import dotted, judge, pool, revoked, roots, servers
from tests.unit.gateway.arm.rules.test_rulebook import BROKEN
from tests.unit.gateway.arm.test_ipsec import POLICY

DIGITS = "0123456789abcdef0123456789ABCDEF01234567"
RADIUS: dict[str, Any] = {
    "vpnAuthenticationTypes": ["Radius"],
    "vpnClientProtocols": ["IkeV2"],
    "vpnClientRootCertificates": [],
    "radiusServerAddress": "10.1.0.9",
    "radiusServerSecret": "x",
}
SSTP = {"vpnClientProtocols": ["SSTP"]}

MENDED: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    # rule: what the document of test_rulebook's BROKEN becomes, for each way that the remedy names
    "vpn_gateway_only": [({"gatewayType": "Vpn"}, {})],
    "route_based_only": [({"vpnType": "RouteBased"}, {})],
    "basic_has_no_bgp": [({"sku": {"name": "Basic"}}, SSTP)],
    "tier_is_name": [({"sku": {"name": "VpnGw1", "tier": "VpnGw1"}}, {}),
                     ({"sku": {"name": "VpnGw1"}}, {})],
    "stands_in_gateway_subnet": [
        ({"ipConfigurations": [{"name": "a", "properties": {
            "subnet": {"id": "/subnets/GatewaySubnet"}}}]}, {}),
    ],
    "custom_routes_are_prefixes": [({"customRoutes": pool("192.168.50.0/24")}, {})],
    "has_a_protocol": [({}, {"vpnClientProtocols": [one]}) for one in ("IkeV2", "SSTP", "OpenVPN")],
    "nothing_named_twice": [({}, {"vpnClientProtocols": ["IkeV2"]})],
    "basic_has_no_ikev2": [({"sku": {"name": "VpnGw1"}}, {"vpnClientProtocols": ["IkeV2"]})],
    "legacy_has_no_ikev2_yet": [
        ({"sku": {"name": "Standard"}}, SSTP),
        ({"sku": {"name": "VpnGw1"}}, {"vpnClientProtocols": ["IkeV2"]}),
    ],
    "basic_has_no_radius": [({"sku": {"name": "VpnGw1"}}, RADIUS)],
    "openvpn_has_no_radius": [
        *(({}, RADIUS | {"vpnClientProtocols": [one]}) for one in ("IkeV2", "SSTP")),
        ({}, {"vpnAuthenticationTypes": ["Certificate"], "vpnClientProtocols": ["OpenVPN"]}),
    ],
    "no_sstp_beside_openvpn": [
        ({}, {"vpnClientProtocols": ["SSTP"]}),
        ({}, {"vpnClientProtocols": ["IkeV2", "OpenVPN"]}),
    ],
    "radius_has_a_server": [
        ({}, RADIUS),
        ({}, {**RADIUS, "radiusServerAddress": None, "radiusServerSecret": None,
              "radiusServers": servers(("10.1.0.9", 30))}),
    ],
    "radius_servers_are_used": [({}, {}), ({}, RADIUS)],
    "client_policy": [({}, {"vpnClientIpsecPolicies": [POLICY]})],
    "roots_issue_clients": [({}, {})],
    "radius_stands_alone": [({}, {"vpnAuthenticationTypes": ["Certificate"]}), ({}, RADIUS)],
    "radius_server_addresses": [({}, RADIUS | {"radiusServerAddress": "192.168.50.10"})],
    "radius_server_number": [
        ({}, {**RADIUS, "radiusServerAddress": None, "radiusServerSecret": None,
              "radiusServers": servers(("10.1.0.9", 1), ("10.1.0.8", 30))}),
    ],
    "radius_server_secrets": [({}, RADIUS | {"radiusServerSecret": "x" * 128})],
    "certificate_needs_a_root": [({}, {})],
    "certificate_names": [({}, {"vpnClientRevokedCertificates": revoked(("a-b", DIGITS))})],
    "root_data": [({}, {"vpnClientRootCertificates": roots(("mine", "${mine.publicCertData}"))})],
    "thumbprints": [({}, {"vpnClientRevokedCertificates": revoked(("a", DIGITS))})],
    "pool_is_there": [({}, {"vpnClientAddressPool": pool("172.16.201.0/24")})],
    "pool_prefixes": [({}, {"vpnClientAddressPool": pool(one)})
                      for one in ("10.2.0.0/29", "172.31.255.0/24", "192.168.0.0/24")],
    "pool_overlaps_nothing": [({}, {"vpnClientAddressPool": pool("10.2.7.0/24")})],
    "at_most_20_roots": [
        ({}, {"vpnClientRootCertificates":
              roots(*((f"r{n}", "${mine.publicCertData}") for n in range(20)))}),
    ],
}  # fmt: skip


def test_every_rule_has_its_remedies_here() -> None:
    assert set(MENDED) == set(BROKEN)


@pytest.mark.parametrize(
    ("rule", "way"), [(rule, n) for rule, ways in MENDED.items() for n in range(len(ways))]
)
def test_the_remedy_helps(rule: str, way: int, document: Any) -> None:
    properties, client = MENDED[rule][way]
    found = judge(document(properties, **client), placeholders=True)
    assert [(dotted(one), one.message) for one in found] == []


@pytest.mark.parametrize("model", ["classic_has_sstp_only", "classic_has_no_radius"])
def test_what_the_classic_model_lacks_the_other_has(model: str, document: Any) -> None:
    client = RADIUS if model == "classic_has_no_radius" else {}
    assert judge(document({}, **client), deployment="Classic")
    assert judge(document({}, **client), deployment="ResourceManager") == []
