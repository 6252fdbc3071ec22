"""The document: nothing ignored, no secret returned."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.resource import NOT_YET, GatewayProperties, VirtualNetworkGateway
from gateway.sku import SKUS


def errors(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        VirtualNetworkGateway.model_validate(document)
    return {".".join(map(str, e["loc"])): e["msg"] for e in caught.value.errors()}


def test_a_field_unknown_to_arm_is_refused(document: Any) -> None:
    assert "Extra inputs" in errors(document({"colour": "red"}))["properties.colour"]


def test_a_field_of_arm_that_the_lab_lacks_is_refused_and_says_so(document: Any) -> None:
    found = errors(document({"natRules": []}, aadTenant="x", vpnClientIpsecPolicies=[]))
    assert set(found.values()) == {NOT_YET}
    assert len(found) == 3


def test_null_is_absent_as_arm_has_it(document: Any) -> None:
    VirtualNetworkGateway.model_validate(document({"natRules": None, "bgpSettings": None}))


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
    assert VirtualNetworkGateway.model_validate(again).document() == gateway.document()


def test_the_schema_names_azures_protocols() -> None:
    schema = GatewayProperties.model_json_schema()
    assert "IkeV2" in str(schema["$defs"]["VpnClientConfiguration"])


def test_the_seeds_table() -> None:
    assert {name: s.ikev2_openvpn_connections for name, s in SKUS.items()} == {
        "Basic": 0,
        "VpnGw1": 250,
        "VpnGw2": 500,
        "VpnGw3": 1000,
        "VpnGw1AZ": 250,
        "VpnGw2AZ": 500,
        "VpnGw3AZ": 1000,
    }
    assert {s.sstp_connections for s in SKUS.values()} == {128}
    assert [s.zone_redundant for s in SKUS.values()] == [False] * 4 + [True] * 3
    assert [s.bgp for s in SKUS.values()] == [False] + [True] * 6
