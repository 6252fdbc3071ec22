"""What the API says of a violation: its place, what to do, and who refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.rules.case import LAB
from tests.unit.gateway.arm.rules.judging import judge, servers
from tests.unit.gateway.arm.test_ipsec import POLICY


@pytest.mark.parametrize(
    ("client", "target", "azures"),
    [
        (
            {"vpnClientIpsecPolicies": [POLICY | {"dhGroup": "DHGroup1"}]},
            "vpnClientIpsecPolicies[0].dhGroup",
            True,
        ),
        (
            {"vpnClientIpsecPolicies": [POLICY], "vpnClientProtocols": ["OpenVPN"]},
            "vpnClientIpsecPolicies",
            False,
        ),
        ({"radiusServers": servers(("192.168.50.10", 1))}, "radiusServers", False),
    ],
)
def test_the_source_of_each_is_told(
    document: Any, client: dict[str, Any], target: str, azures: bool
) -> None:
    (violation,) = judge(document(**client))
    told = violation.detail().document()
    assert told["code"] == "InvalidProperty"
    assert told["target"] == f"properties.vpnClientConfiguration.{target}"
    assert told["message"].endswith(violation.remedy)
    [more] = told["additionalInfo"]
    assert more == {"type": "source", "info": {"source": violation.source}}
    assert (more["info"]["source"] != LAB) is azures
