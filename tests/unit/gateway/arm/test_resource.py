"""The document: no field is ignored, no secret returned."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.arm.documents import parse
from gateway.arm.resource import GatewayProperties, VirtualNetworkGateway
from gateway.arm.secrets import secrets_in, with_secrets
from gateway.arm.sku import SKUS, SkuName, more_tunnels
from gateway.common.errors import InvalidDocumentError


def errors(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        VirtualNetworkGateway.model_validate(document)
    return {".".join(map(str, e["loc"])): e["msg"] for e in caught.value.errors()}


def test_a_field_unknown_to_arm_is_refused(document: Any) -> None:
    assert "Extra inputs" in errors(document({"colour": "red"}))["properties.colour"]


def test_removing_point_to_site_is_setting_it_to_null(document: Any) -> None:
    gateway = VirtualNetworkGateway.model_validate(document({"vpnClientConfiguration": None}))
    assert "vpnClientConfiguration" not in gateway.document()["properties"]


def test_secrets_do_not_come_back(document: Any) -> None:
    gateway = VirtualNetworkGateway.model_validate(
        document(
            radiusServerAddress="192.168.50.10",
            radiusServerSecret="lab-secret",
            radiusServers=[{"radiusServerAddress": "a", "radiusServerSecret": "lab-secret-2"}],
        )
    )
    assert "lab-secret" not in repr(gateway)
    assert "lab-secret" not in str(gateway.document())
    assert "radiusServerSecret" not in str(gateway.document())


def test_what_get_returns_can_be_put_again(document: Any) -> None:
    gateway = VirtualNetworkGateway.model_validate(document())
    again = gateway.document()
    again["properties"]["provisioningState"] = "Succeeded"
    assert parse(VirtualNetworkGateway, again).document() == gateway.document()


def test_the_schema_names_azures_protocols() -> None:
    schema = GatewayProperties.model_json_schema()
    assert "IkeV2" in str(schema["$defs"]["VpnClientConfiguration"])


def test_the_seeds_table() -> None:
    assert {name: s.ikev2_openvpn_connections for name, s in SKUS.items()} == {
        "Basic": 0,
        "Standard": 0,
        "HighPerformance": 0,
        "VpnGw1": 250,
        "VpnGw2": 500,
        "VpnGw3": 1000,
        "VpnGw1AZ": 250,
        "VpnGw2AZ": 500,
        "VpnGw3AZ": 1000,
    }
    assert {s.sstp_connections for s in SKUS.values()} == {128}
    assert {name: s.aggregate_mbps for name, s in SKUS.items()} == {
        "Basic": 100,
        "Standard": 100,
        "HighPerformance": 200,
        "VpnGw1": 650,
        "VpnGw2": 1000,
        "VpnGw3": 1250,
        "VpnGw1AZ": 650,
        "VpnGw2AZ": 1000,
        "VpnGw3AZ": 1250,
    }
    assert [s.site_to_site_tunnels for s in SKUS.values()] == [10, 10] + [30] * 7
    assert [s.zone_redundant for s in SKUS.values()] == [False] * 6 + [True] * 3
    assert [s.bgp for s in SKUS.values()] == [False] + [True] * 8


@pytest.mark.parametrize("old", SKUS)
def test_a_gateway_is_resized_within_its_family(old: SkuName) -> None:
    families: tuple[tuple[SkuName, ...], ...] = (
        ("Basic",),
        ("Standard", "HighPerformance"),
        ("VpnGw1", "VpnGw2", "VpnGw3", "VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ"),
    )
    (own,) = (family for family in families if old in family)
    assert [name for name, sku in SKUS.items() if SKUS[old].resizes_to(sku)] == list(own)


def test_virtual_wan_is_named_where_no_size_has_more_tunnels() -> None:
    words = {name: more_tunnels(sku) for name, sku in SKUS.items()}
    named = [name for name, said in words.items() if "Virtual WAN" in said]
    assert named == [name for name in SKUS if name not in ("Basic", "Standard")]
    assert "delete it and create it anew" in words["Basic"]
    assert words["Standard"] == "resize the gateway to HighPerformance, which has 30"


def test_the_seeds_tunnels() -> None:
    of_new = {s.site_to_site_tunnels for name, s in SKUS.items() if name.startswith("VpnGw")}
    assert (SKUS["Basic"].site_to_site_tunnels, of_new) == (10, {30})


def test_a_secret_that_is_left_out_is_kept_for_the_server_that_had_it(document: Any) -> None:
    def gateway(*servers: tuple[str, str | None]) -> VirtualNetworkGateway:
        rows = [{"radiusServerAddress": a, "radiusServerSecret": s} for a, s in servers]
        return VirtualNetworkGateway.model_validate(document(radiusServers=rows))

    old = gateway(("10.1.0.9", "one"), ("10.1.0.8", "two"))
    new = gateway(("10.1.0.8", None), ("10.1.0.9", "three"), ("10.1.0.7", None))
    found = dict(secrets_in(new.with_secrets_of(old)))
    assert [secret.get_secret_value() for secret in found.values()] == ["two", "three"]
    assert [path[-2:] for path in found] == [(0, "radiusServerSecret"), (1, "radiusServerSecret")]


def test_the_one_servers_secret_is_kept_only_while_its_address_stays(document: Any) -> None:
    def gateway(address: str, secret: str | None) -> VirtualNetworkGateway:
        return VirtualNetworkGateway.model_validate(
            document(radiusServerAddress=address, radiusServerSecret=secret)
        )

    old = gateway("10.1.0.9", "one")
    assert len(list(secrets_in(gateway("10.1.0.9", None).with_secrets_of(old)))) == 1
    assert list(secrets_in(gateway("10.1.0.8", None).with_secrets_of(old))) == []


def test_secrets_go_back_to_their_places(document: Any) -> None:
    gateway = VirtualNetworkGateway.model_validate(
        document(radiusServerAddress="10.1.0.9", radiusServerSecret="lab-secret")
    )
    shown = gateway.document()
    sent = with_secrets(shown, secrets_in(gateway))
    assert "lab-secret" not in str(shown)
    assert sent["properties"]["vpnClientConfiguration"]["radiusServerSecret"] == "lab-secret"


@pytest.mark.parametrize(
    ("properties", "target", "words"),
    [
        ({"colour": "red"}, "properties.colour", "there is no such property"),
        ({"sku": "VpnGw2"}, "properties.sku", "must be an object, such as {...}"),
    ],
)
def test_a_refusal_is_not_in_the_words_of_python(
    properties: dict[str, Any], target: str, words: str, document: Any
) -> None:
    with pytest.raises(InvalidDocumentError) as refused:
        parse(VirtualNetworkGateway, document(properties))
    assert [(d.target, d.message) for d in refused.value.details] == [(target, words)]
