"""Which RADIUS servers a document names, and which of them are exceptions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.arm.placement import Placement
from gateway.arm.resource import VpnClientConfiguration
from gateway.policy.radius_path import RadiusPath, servers_of

PLACEMENT: dict[str, Any] = {
    "name": "gw",
    "gatewayId": "id",
    "fqdn": "gw.test",
    "publicIPAddress": "203.0.113.2",
    "privateIPAddress": "127.0.0.1",
    "virtualNetwork": {"name": "v", "addressPrefixes": ["10.1.0.0/16"]},
    "interfaces": {"public": "wan", "private": "lan"},
    "serverCertificate": dict.fromkeys(("certificate", "privateKey", "root"), Path("x")),
}
DOCUMENT = VpnClientConfiguration.model_validate(
    {
        "vpnAuthenticationTypes": ["Radius"],
        "radiusServers": [
            {"radiusServerAddress": "10.1.1.9", "radiusServerScore": 1, "radiusServerSecret": "s"},
            {"radiusServerAddress": "10.1.1.10", "radiusServerScore": 9, "radiusServerSecret": "s"},
        ],
    }
)


@pytest.mark.parametrize("excepted", [[], ["10.1.1.9"]])
async def test_only_a_server_that_the_placement_names_may_leave_the_signature_out(
    excepted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    placement = Placement.model_validate(PLACEMENT | {"radiusServersThatDoNotSignAll": excepted})
    sites: Any = None
    path = RadiusPath(placement, sites, lambda *_: None)
    await path.configure(DOCUMENT)
    path.close()
    said = [line for line in capsys.readouterr().err.splitlines() if "CVE-2024-3596" in line]
    assert [
        address for address in ("10.1.1.9", "10.1.1.10") if any(address in s for s in said)
    ] == (excepted)


def test_servers_are_those_of_the_list_or_the_single_one() -> None:
    assert [(s.address, s.score, s.secret) for s in servers_of(DOCUMENT)] == [
        ("10.1.1.9", 1, b"s"),
        ("10.1.1.10", 9, b"s"),
    ]
    single = {"radiusServerAddress": "10.1.1.9", "radiusServerSecret": "s"}
    document = {"vpnAuthenticationTypes": ["Radius"], **single}
    assert [(s.address, s.score) for s in servers_of(_configuration(document))] == [("10.1.1.9", 0)]
    certificates = document | {"vpnAuthenticationTypes": ["Certificate"]}
    assert servers_of(_configuration(certificates)) == ()


def _configuration(document: dict[str, Any]) -> VpnClientConfiguration:
    return VpnClientConfiguration.model_validate(document)
