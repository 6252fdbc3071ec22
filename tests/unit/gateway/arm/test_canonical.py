"""Documents as Azure's tools write them come out in one form."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway.arm.canonical import Canonical, canonical, exists, steps, text_of
from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.documents import parse
from gateway.arm.fields import VALUES
from gateway.arm.flaw import fold
from gateway.arm.resource import NOT_YET, GatewayProperties, VirtualNetworkGateway
from gateway.common.errors import InvalidDocumentError
from tests.rigs.azure_documents import (
    CONNECTION,
    GATEWAY,
    JSON,
    LOCAL,
    NAMES,
    RESOURCE,
    SHAPES,
    flat,
    get,
    template,
)

WANTED = {
    "name": "edge",
    "properties": {
        "sku": {"name": "VpnGw2", "tier": "VpnGw2"},
        "gatewayType": "Vpn",
        "vpnType": "RouteBased",
        "activeActive": False,
        "enableBgp": False,
        "bgpSettings": {"asn": 65010, "bgpPeeringAddress": "10.1.255.30"},
        "ipConfigurations": [
            {
                "name": "gwipconfig1",
                "properties": {
                    "privateIPAllocationMethod": "Dynamic",
                    "subnet": {"id": f"{RESOURCE}/virtualNetworks/hub/subnets/GatewaySubnet"},
                    "publicIPAddress": {"id": f"{RESOURCE}/publicIPAddresses/edge-ip"},
                },
            }
        ],
        "vpnClientConfiguration": {
            "vpnClientAddressPool": {"addressPrefixes": ["172.20.0.0/24"]},
            "vpnClientProtocols": ["OpenVPN", "IkeV2"],
            "vpnAuthenticationTypes": ["Certificate"],
            "vpnClientRootCertificates": [
                {"name": "RootA", "properties": {"publicCertData": "MIIB"}}
            ],
            "vpnClientRevokedCertificates": [
                {"name": "gone", "properties": {"thumbprint": "AB" * 20}}
            ],
            "radiusServers": [],
            "vpnClientIpsecPolicies": [],
        },
        "customRoutes": {"addressPrefixes": ["192.168.9.0/24"]},
    },
}


def taken(data: Any, model: type[BaseModel] = VirtualNetworkGateway, **options: Any) -> Canonical:
    found = canonical(model, data, **options)
    assert found.flaws == []
    return found


def flaws(data: Any, **options: Any) -> list[tuple[str, str]]:
    found = canonical(VirtualNetworkGateway, data, **options).flaws
    assert all(flaw.message and flaw.remedy for flaw in found)
    return [(text_of(flaw.path), flaw.message) for flaw in found]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_tools_document_is_the_same_one(shape: str) -> None:
    found = taken(SHAPES[shape](get()))
    assert parse(VirtualNetworkGateway, SHAPES[shape](get())).document() == WANTED
    assert found.unused == ()


def test_the_properties_alone_are_a_document_too() -> None:
    for shape in (get, lambda: flat(get())):
        bare = {k: v for k, v in (shape().get("properties") or shape()).items() if k != "name"}
        expected = WANTED["properties"] | {}
        model = VirtualNetworkGateway.model_validate({"name": "x"} | taken(bare).document)
        assert model.document()["properties"] == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_places_lead_back_to_what_was_given(shape: str) -> None:
    given = SHAPES[shape](get())
    found = taken(given)

    def look(data: Any, path: tuple[Any, ...]) -> Any:
        return look(data[path[0]], path[1:]) if path else data

    for path, place in found.places.items():
        if path and isinstance(path[-1], str) and path[-1] != "properties":
            assert fold(str(place[-1])) == fold(path[-1])
        look(given, place)


@pytest.mark.parametrize(
    ("given", "word"),
    [("openVpn", "OpenVPN"), ("IKEv2", "IkeV2"), ("sstp", "SSTP"), ("IkeV2", "IkeV2")],
)
def test_the_case_of_values_does_not_matter(given: str, word: str) -> None:
    document = taken(get(vpnClientProtocols=[given])).document
    assert document["properties"]["vpnClientConfiguration"]["vpnClientProtocols"] == [word]


def test_keys_that_differ_only_in_case_are_refused() -> None:
    data = get({"VPNType": "PolicyBased"})
    data["properties"]["vpnClientConfiguration"]["VpnclientProtocols"] = ["SSTP"]
    assert flaws(data) == [
        (
            "properties.vpnClientConfiguration.VpnclientProtocols",
            "'vpnClientProtocols' and 'VpnclientProtocols' are one field",
        ),
        ("properties.VPNType", "'vpnType' and 'VPNType' are one field"),
    ]


def test_a_field_beside_properties_and_in_it_is_refused() -> None:
    assert flaws(get() | {"sku": {"name": "Basic"}}) == [("sku", "'sku' is given twice")]


FEATURES: dict[str, tuple[dict[str, Any], str, str]] = {
    # feature: (changes of properties, place, path for ignore)
    "NAT rules": ({"natRules": [{"name": "r"}]}, "natRules", "natRules"),
    "a Generation2 gateway": (
        {"vpnGatewayGeneration": "Generation2"},
        "vpnGatewayGeneration",
        "VpnGatewayGeneration",
    ),
    "forced tunnelling to a default site": (
        {"gatewayDefaultSite": {"id": "/x"}},
        "gatewayDefaultSite",
        "gateway_default_site",
    ),
    "ESP without replay protection": (
        {"disableIPSecReplayProtection": True},
        "disableIPSecReplayProtection",
        "properties.disableIPSecReplayProtection",
    ),
    "user groups with address pools of their own": (
        {"virtualNetworkGatewayPolicyGroups": [{"name": "g"}]},
        "virtualNetworkGatewayPolicyGroups",
        "virtualNetworkGatewayPolicyGroups[0].name",
    ),
    "active-active": ({"activeActive": True}, "activeActive", "active_active"),
    "DNS forwarding": ({"enableDnsForwarding": True}, "enableDnsForwarding", "enableDnsForwarding"),
}


@pytest.mark.parametrize("name", FEATURES)
def test_a_wish_is_refused_by_the_features_name_or_ignored(name: str) -> None:
    change, place, path = FEATURES[name]
    assert flaws(get(change)) == [(f"properties.{place}", f"{name}: not supported by this lab yet")]
    if "[0]" not in path:
        found = taken(get(change), ignore=[path])
        assert found.unused == ()
        assert VirtualNetworkGateway.model_validate(found.document).document() == WANTED


@pytest.mark.parametrize("yes", [True, "true", "True", 1, "yes"])
def test_a_feature_is_switched_on_in_any_form_that_the_models_take(yes: Any) -> None:
    change = {"activeActive": yes, "disableIPSecReplayProtection": yes}
    assert {message.partition(":")[0] for _, message in flaws(get(change))} == {
        "active-active",
        "ESP without replay protection",
    }


@pytest.mark.parametrize("no", [False, "false", "False", 0])
def test_and_switched_off_too(no: Any) -> None:
    taken(get({"activeActive": no, "disableIPSecReplayProtection": no}))


def test_each_feature_is_told_once_and_all_in_one_round() -> None:
    change = {"natRules": [{"name": "r"}], "enableBgpRouteTranslationForNat": True,
              "enablePrivateIpAddress": True}  # fmt: skip
    found = flaws(get(change, aadTenant="t", aadAudience="a", aadIssuer="i"))
    assert sorted(message for _, message in found) == [
        f"Entra ID authentication (aadTenant, aadAudience, aadIssuer): {NOT_YET}",
        "NAT rules (natRules, enableBgpRouteTranslationForNat): not supported by this lab yet",
        "connections to the gateway's private address: not supported by this lab yet",
    ]


ENTRA = {"aadTenant": "t", "aadAudience": "a", "aadIssuer": "i"}
TYPES = "vpnClientConfiguration.vpnAuthenticationTypes"


@pytest.mark.parametrize("path", [TYPES, f"{TYPES}[0]", "vpnClientConfiguration.aadIssuer"])
def test_without_entra_id_the_certificates_of_that_gateway_are_served(path: str) -> None:
    data = get(vpnAuthenticationTypes=["AAD", "Certificate"], **ENTRA)
    found = taken(data, ignore=[path])
    client = found.document["properties"]["vpnClientConfiguration"]
    assert client["vpnAuthenticationTypes"] == ["Certificate"]
    assert client.keys().isdisjoint(ENTRA)
    place = found.place(("properties", "vpnClientConfiguration", "vpnAuthenticationTypes", 0))
    assert place[-1] == 1


@pytest.mark.parametrize(
    "client",
    [
        {"vpnAuthenticationTypes": ["AAD"]},
        {"vpnAuthenticationTypes": ["aad"], **ENTRA},
        {"vpnAuthenticationTypes": [], **ENTRA},
        {"vpnAuthenticationTypes": None, **ENTRA},
    ],
)
def test_a_gateway_of_entra_id_alone_is_not_opened_to_certificates(client: dict[str, Any]) -> None:
    path = "vpnClientConfiguration"
    [(_, message)] = flaws(get(**client), ignore=[path])
    assert "nobody could connect" in message


def test_the_keys_of_bgps_addresses_are_known() -> None:
    data = get()
    data["properties"]["bgpSettings"]["bgpPeeringAddresses"][0]["size"] = 2
    assert flaws(data) == [
        ("properties.bgpSettings.bgpPeeringAddresses[0].size", "unknown key 'size'"),
    ]


def test_an_unknown_field_stays_to_be_refused_unless_it_is_null_or_ignored() -> None:
    data = get({"newThing": {"on": True}, "newerThing": None})
    document = canonical(VirtualNetworkGateway, data).document
    assert document["properties"]["newThing"] == {"on": True}
    assert "newerThing" not in document["properties"]
    assert "newThing" not in taken(data, ignore=["newThing"]).document["properties"]


def test_all_fields_of_a_feature_may_be_named() -> None:
    client = "vpnClientConfiguration"
    paths = [f"{client}.{name}" for name in ("vpnAuthenticationTypes", *ENTRA)]
    data = get(vpnAuthenticationTypes=["Certificate", "AAD"], **ENTRA)
    assert taken(data, ignore=paths).unused == ()


@pytest.mark.parametrize("path", ["", ".", "properties", "[\u00b2]", "9" * 5000])
def test_a_path_that_names_nothing_ignores_nothing(path: str) -> None:
    found = canonical(VirtualNetworkGateway, get({"natRules": [{"name": "n"}]}), ignore=[path])
    assert (len(found.flaws), found.unused) == (1, (path,))


@pytest.mark.parametrize("path", ["natRules", "vpnClientConfiguration.aadTenant", "nowhere", ""])
def test_a_path_without_effect_is_told(path: str) -> None:
    found = canonical(VirtualNetworkGateway, get(), ignore=[path])
    assert found.unused == (path,)
    assert exists(get(), steps(path)) == (path in ("natRules", ""))


def test_ignoring_leaves_what_the_lab_carries_out() -> None:
    found = canonical(VirtualNetworkGateway, get(), ignore=["vpnClientConfiguration", "sku"])
    assert found.document == taken(get()).document
    assert len(found.unused) == 2


def test_an_expression_of_a_template_is_told_where_it_matters() -> None:
    data = template(get())
    data["name"] = "[parameters('gatewayName')]"
    ip = data["properties"]["ipConfigurations"][0]["properties"]
    ip["publicIPAddress"]["id"] = "[parameters('ipId')]"
    data["properties"]["sku"]["name"] = "[variables('sku')]"
    data["properties"]["vpnClientConfiguration"]["vpnClientProtocols"] = ["[parameters('p')]"]
    data["properties"]["customRoutes"]["addressPrefixes"] = ["[[literal]"]
    assert [path for path, message in flaws(data) if "an expression" in message] == [
        "properties.ipConfigurations[0].properties.publicIPAddress.id",
        "properties.sku.name",
        "properties.vpnClientConfiguration.vpnClientProtocols[0]",
    ]
    ignore = ["ipConfigurations", "sku", "vpnClientConfiguration.vpnClientProtocols"]
    found = taken(data, ignore=ignore).document["properties"]
    assert found["vpnClientConfiguration"]["vpnClientProtocols"] == []
    assert found["sku"] == {"tier": "VpnGw2"}


def test_old_documents_choose_radius_by_naming_a_server() -> None:
    for client in ({"radiusServerAddress": "10.1.1.9"}, {"radiusServers": [{}]}):
        bare = {"vpnAuthenticationTypes": None, "vpnClientRootCertificates": [], **client}
        found = taken(get(**bare)).document["properties"]["vpnClientConfiguration"]
        assert found["vpnAuthenticationTypes"] == ["Radius"]
    both = taken(get(vpnAuthenticationTypes=[], radiusServerAddress="10.1.1.9")).document
    found = both["properties"]["vpnClientConfiguration"]
    assert found["vpnAuthenticationTypes"] == ["Certificate", "Radius"]


def test_basic_has_sstp_where_no_tunnel_type_is_named() -> None:
    found = taken(get({"sku": {"name": "basic"}}, vpnClientProtocols=None)).document
    assert found["properties"]["vpnClientConfiguration"]["vpnClientProtocols"] == ["SSTP"]
    other = taken(get(vpnClientProtocols=None)).document
    assert "vpnClientProtocols" not in other["properties"]["vpnClientConfiguration"]


def test_null_takes_a_key_away_in_a_patch_alone() -> None:
    data = {
        "VpnClientConfiguration": None,
        "natRules": None,
        "customRoutes": {"addressPrefixes": []},
    }
    left = {"customRoutes": {"addressPrefixes": []}}
    assert taken(data).document == {"properties": left}
    patch = taken(data, patch=True).document
    assert patch == {"properties": {"vpnClientConfiguration": None, **left}}


def test_skus_of_azures_that_the_lab_has_not_are_told_as_such() -> None:
    found = flaws(get({"sku": {"name": "vpngw5", "tier": "VpnGw5"}}))
    assert [message for _, message in found] == [
        "the VpnGw5 SKU (name, tier): not supported by this lab yet"
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_connections_and_local_network_gateways_are_taken_too(shape: str) -> None:
    connection = parse(Connection, SHAPES[shape](CONNECTION)).document()["properties"]
    assert connection == {
        "virtualNetworkGateway1": {"id": GATEWAY},
        "localNetworkGateway2": {"id": f"{RESOURCE}/localNetworkGateways/branch"},
        "connectionType": "IPsec",
        "connectionProtocol": "IKEv2",
        "connectionMode": "Default",
        "dpdTimeoutSeconds": 45,
        "enableBgp": False,
        "ipsecPolicies": [],
        "usePolicyBasedTrafficSelectors": False,
    }
    local = parse(LocalNetworkGateway, SHAPES[shape](LOCAL)).document()["properties"]
    assert local == {
        "localNetworkAddressSpace": {"addressPrefixes": ["192.168.70.0/24"]},
        "gatewayIpAddress": "203.0.113.70",
        "bgpSettings": {"asn": 65070, "bgpPeeringAddress": "192.168.70.1"},
    }


def test_a_connections_wishes_are_refused_by_name() -> None:
    properties = CONNECTION["properties"] | {
        "authenticationType": "Certificate",
        "certificateAuthentication": {"outboundAuthCertificate": "https://vault"},
        "routingWeight": 3,
        "trafficSelectorPolicies": [{"localAddressRanges": ["10.0.0.0/8"]}],
    }
    found = canonical(Connection, CONNECTION | {"properties": properties}).flaws
    assert [flaw.message.partition(":")[0] for flaw in found] == [
        "weights of connections",
        "certificates between gateways (authenticationType, certificateAuthentication)",
        "traffic selectors of one's own",
    ]


# -------------------------------------------------------------------------------- whatever comes


@settings(max_examples=300, deadline=None)
@given(data=JSON, ignore=st.lists(NAMES | st.just("natRules[0].name"), max_size=2))
def test_any_json_is_a_document_or_told_what_is_wrong(data: Any, ignore: list[str]) -> None:
    for model in (VirtualNetworkGateway, Connection, LocalNetworkGateway):
        for patch in (False, True):
            found = canonical(model, data, ignore=ignore, patch=patch)
            assert all(flaw.message and flaw.remedy for flaw in found.flaws)
        with suppress(InvalidDocumentError):
            parse(model, data)


def test_values_of_fields_are_fields() -> None:
    assert all(name in model.model_fields for model, name in VALUES)
    assert GatewayProperties.model_fields.keys() >= {"enableBgp"}
