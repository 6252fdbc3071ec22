"""Every rule refuses its violation, and a valid document passes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.resource import NOT_YET, VirtualNetworkGateway
from gateway.arm.rules.rulebook import RULES, Network, violations
from gateway.arm.sku import SKUS, SkuName
from tests.unit.gateway.arm.rules.judging import (
    dotted,
    judge,
    nameless,
    pool,
    revoked,
    roots,
    servers,
)
from tests.unit.gateway.arm.test_ipsec import POLICY

BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    # rule: (changes of properties, changes of the client configuration, path, words)
    "vpn_gateway_only": ({"gatewayType": "ExpressRoute"}, {}, "gatewayType", NOT_YET),
    "route_based_only": ({"vpnType": "PolicyBased"}, {}, "vpnType", "PolicyBased"),
    "basic_has_no_bgp": (
        {"enableBgp": True, "sku": {"name": "Basic"}},
        {},
        "enableBgp",
        "does not support BGP",
    ),
    "legacy_has_no_ikev2_yet": (
        {"sku": {"name": "Standard"}},
        {"vpnClientProtocols": ["IkeV2"]},
        "vpnClientProtocols.0",
        NOT_YET,
    ),
    "tier_is_name": (
        {"sku": {"name": "VpnGw1", "tier": "VpnGw2"}},
        {},
        "sku.tier",
        "does not match",
    ),
    "stands_in_gateway_subnet": (
        {"ipConfigurations": [{"name": "a", "properties": {"subnet": {"id": "/subnets/app"}}}]},
        {},
        "ipConfigurations.0.properties.subnet.id",
        "not a gateway subnet",
    ),
    "custom_routes_are_prefixes": (
        {"customRoutes": pool("192.168.50.1/24")},
        {},
        "customRoutes.addressPrefixes.0",
        "not a prefix",
    ),
    "has_a_protocol": ({}, {"vpnClientProtocols": []}, "vpnClientProtocols", "no tunnel type"),
    "nothing_named_twice": (
        {},
        {"vpnClientProtocols": ["IkeV2", "IkeV2"]},
        "vpnClientProtocols.1",
        "named twice",
    ),
    "basic_has_no_ikev2": (
        {"sku": {"name": "Basic"}},
        {"vpnClientProtocols": ["IkeV2"]},
        "vpnClientProtocols.0",
        "Basic SKU does not support IkeV2",
    ),
    "basic_has_no_radius": (
        {"sku": {"name": "Basic"}},
        {"vpnAuthenticationTypes": ["Radius"]},
        "vpnAuthenticationTypes",
        "Basic SKU does not support RADIUS",
    ),
    "openvpn_has_no_radius": (
        {},
        {"vpnAuthenticationTypes": ["Radius"]},
        "vpnAuthenticationTypes",
        "OpenVPN is not supported with RADIUS",
    ),
    "no_sstp_beside_openvpn": (
        {},
        {"vpnClientProtocols": ["SSTP", "OpenVPN"]},
        "vpnClientProtocols",
        "SSTP and OpenVPN",
    ),
    "radius_has_a_server": (
        {},
        {"vpnAuthenticationTypes": ["Radius"]},
        "vpnAuthenticationTypes",
        "needs a RADIUS server",
    ),
    "client_policy": (
        {},
        {"vpnClientIpsecPolicies": [POLICY | {"ikeEncryption": "DES"}]},
        "vpnClientIpsecPolicies.0.ikeEncryption",
        "DES is not supported here",
    ),
    "radius_servers_are_used": (
        {},
        {"radiusServerAddress": "10.1.0.9"},
        "radiusServerAddress",
        "no RADIUS authentication is enabled",
    ),
    "radius_stands_alone": (
        {},
        {"vpnAuthenticationTypes": ["Radius", "Certificate"]},
        "vpnAuthenticationTypes",
        "cannot be enabled on one gateway together",
    ),
    "radius_server_addresses": (
        {},
        {"radiusServers": servers(("nps.corp.test", 1))},
        "radiusServers.0.radiusServerAddress",
        "not an IPv4 address",
    ),
    "radius_server_number": (
        {},
        {"radiusServers": servers(("10.1.0.9", 1), ("10.1.0.8", 31))},
        "radiusServers.1.radiusServerScore",
        "a score of 31",
    ),
    "radius_server_secrets": (
        {},
        {"radiusServerAddress": "10.1.0.9"},
        "radiusServerSecret",
        "the shared secret is missing",
    ),
    "certificate_needs_a_root": (
        {},
        {"vpnClientRootCertificates": []},
        "vpnClientRootCertificates",
        "needs a root",
    ),
    "at_most_20_roots": (
        {},
        {"vpnClientRootCertificates": roots(*((f"r{i}", "AAAA") for i in range(21)))},
        "vpnClientRootCertificates",
        "21 root certificates, 20 are allowed",
    ),
    "certificate_names": (
        {},
        {"vpnClientRevokedCertificates": revoked(("a b", "0" * 40))},
        "vpnClientRevokedCertificates.0.name",
        "Resource name a b is invalid",
    ),
    "root_data": (
        {},
        {"vpnClientRootCertificates": roots(("mine", "AAAA"))},
        "vpnClientRootCertificates.0.properties.publicCertData",
        "Data for certificate mine is invalid",
    ),
    "roots_issue_clients": (
        {},
        {"vpnClientRootCertificates": roots(("mine", nameless()))},
        "vpnClientRootCertificates.0.properties.publicCertData",
        "certificate mine is no root: its subject is empty",
    ),
    "thumbprints": (
        {},
        {"vpnClientRevokedCertificates": revoked(("a", "12:34"))},
        "vpnClientRevokedCertificates.0.properties.thumbprint",
        "not a thumbprint",
    ),
    "pool_is_there": (
        {},
        {"vpnClientAddressPool": pool()},
        "vpnClientAddressPool.addressPrefixes",
        "no client address pool",
    ),
    "pool_prefixes": (
        {},
        {"vpnClientAddressPool": pool("224.8.8.0/24")},
        "vpnClientAddressPool.addressPrefixes.0",
        "which no client can have",
    ),
    "pool_overlaps_nothing": (
        {},
        {"vpnClientAddressPool": pool("10.1.7.0/24")},
        "vpnClientAddressPool.addressPrefixes.0",
        "overlaps the virtual network's 10.1.0.0/16",
    ),
}


def test_a_document_that_breaks_no_rule_passes(document: Any) -> None:
    assert judge(document()) == []


@pytest.mark.parametrize(
    ("sku", "protocols"),
    [("VpnGw1", ["SSTP"]), ("VpnGw1", ["IkeV2", "SSTP"]), ("Basic", ["SSTP"])],
)
def test_sstp_is_allowed_alone_with_ikev2_and_on_basic(
    document: Any, sku: str, protocols: list[str]
) -> None:
    assert judge(document({"sku": {"name": sku}}, vpnClientProtocols=protocols)) == []


def test_every_rule_has_a_case_here() -> None:
    classic = {"classic_has_legacy_skus", "classic_has_sstp_only", "classic_has_no_radius"}
    of_changes = {
        "sizes_that_a_gateway_changes_to",
        "connections_fit_the_new_size",
        "vpn_type_stays",
    }
    assert {rule.__name__ for rule in RULES} == set(BROKEN) | classic | of_changes


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_violation_has_the_path_of_its_field(rule: str, document: Any) -> None:
    properties, client, path, words = BROKEN[rule]
    found = judge(document(properties, **client))
    assert any(dotted(v) == path and words in v.message for v in found), found


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_violation_has_a_remedy_and_a_source(rule: str, document: Any) -> None:
    properties, client, _, _ = BROKEN[rule]
    for violation in judge(document(properties, **client)):
        assert violation.remedy
        assert violation.source


def test_all_violations_are_reported_at_once(document: Any) -> None:
    broken = document(
        {"vpnType": "PolicyBased"},
        vpnClientProtocols=[],
        vpnClientRootCertificates=[],
        vpnClientAddressPool=pool("nonsense"),
    )
    assert len(judge(broken)) == 4


def test_a_gateway_without_point_to_site_needs_no_client_configuration(document: Any) -> None:
    assert judge(document({"vpnClientConfiguration": None, "vpnType": "PolicyBased"})) == []


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (
            {"vpnAuthenticationTypes": ["Radius"]},
            "classic deployment model does not support RADIUS",
        ),
        ({"vpnClientProtocols": ["IkeV2"]}, "the classic deployment model does not support IkeV2"),
        ({"vpnClientProtocols": ["OpenVPN"]}, "classic deployment model does not support OpenVPN"),
    ],
)
def test_what_the_classic_model_lacks(client: Any, words: str, document: Any) -> None:
    found = judge(document({"sku": {"name": "Basic"}}, **client), deployment="Classic")
    assert any(words in violation.message for violation in found), found


@pytest.mark.parametrize("sku", SKUS)
def test_the_classic_model_has_the_legacy_skus_only(sku: SkuName, document: Any) -> None:
    found = judge(
        document({"sku": {"name": sku}}, vpnClientProtocols=["SSTP"]), deployment="Classic"
    )
    wanted = [] if SKUS[sku].legacy else ["sku.name"]
    assert [dotted(violation) for violation in found] == wanted


def test_a_classic_static_gateway_has_no_point_to_site(document: Any) -> None:
    static = document(
        {"sku": {"name": "Basic"}, "vpnType": "PolicyBased"}, vpnClientProtocols=["SSTP"]
    )
    (violation,) = judge(static, deployment="Classic")
    assert (dotted(violation), "a dynamic gateway" in violation.remedy) == ("vpnType", True)


@pytest.mark.parametrize(("old", "new"), [(o, n) for o in SKUS for n in SKUS])
def test_a_change_of_the_size_is_judged_by_the_former_document(
    old: SkuName, new: SkuName, document: Any
) -> None:
    def gateway(sku: SkuName) -> VirtualNetworkGateway:
        return VirtualNetworkGateway.model_validate(
            document({"sku": {"name": sku}}, vpnClientProtocols=["SSTP"])
        )

    found = violations(gateway(new), Network(("10.1.0.0/16",)), former=gateway(old))
    assert [dotted(v) for v in found] == ([] if SKUS[old].resizes_to(SKUS[new]) else ["sku.name"])
    assert all("delete the gateway and create it anew" in v.remedy for v in found)
    assert all(v.source.startswith("seed: ") == ("Basic" in (old, new)) for v in found)


def test_a_size_has_room_for_the_connections_that_are_there(document: Any) -> None:
    small = VirtualNetworkGateway.model_validate(
        document({"sku": {"name": "Standard"}}, vpnClientProtocols=["SSTP"])
    )
    judged = [violations(small, Network(("10.1.0.0/16",), connections=n)) for n in (10, 11)]
    assert [[dotted(v) for v in found] for found in judged] == [[], ["sku.name"]]


def test_a_gateway_keeps_its_vpn_type(document: Any) -> None:
    old, new = (
        VirtualNetworkGateway.model_validate(
            document({"vpnType": kind, "vpnClientConfiguration": None})
        )
        for kind in ("PolicyBased", "RouteBased")
    )
    (violation,) = violations(new, Network(("10.1.0.0/16",)), former=old)
    assert dotted(violation) == "vpnType"
