"""What is to be done about a protocol that does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from lab.explain.remedies import forbidden, lacking, remedy
from lab.topology.model.persona import client_system
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import SOURCE

PLAN = plan_of((SOURCE / "topologies/quickstart.yaml").read_text())
NO_OPENVPN = {"OpenVPN": "not with RADIUS"}


def document(**properties: Any) -> dict[str, Any]:
    [plan] = PLAN.gateways
    found = plan.resource.model_dump(mode="json", exclude_none=True)
    found["properties"]["vpnClientConfiguration"] |= properties
    return found


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"vpnClientProtocols": ["IkeV2"]}, {}),
        ({"vpnClientProtocols": ["IkeV2", "SSTP"]}, {"OpenVPN": "SSTP and OpenVPN cannot"}),
        (
            {
                "vpnClientProtocols": ["IkeV2", "SSTP"],
                "vpnAuthenticationTypes": ["Radius"],
                "radiusServerAddress": "10.1.1.10",
            },
            {"OpenVPN": "OpenVPN is not supported with RADIUS"},
        ),
    ],
)
def test_what_a_gateway_may_not_offer_besides(
    changed: dict[str, Any], wanted: dict[str, str]
) -> None:
    [plan] = PLAN.gateways
    found = forbidden(document(**changed), plan)
    assert found.keys() == wanted.keys()
    assert all(found[one].startswith(wanted[one]) for one in wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (("IkeV2", ["OpenVPN"], ["IkeV2", "OpenVPN"], [], {}), "dial OpenVPN"),
        (("IkeV2", ["SSTP"], ["IkeV2", "SSTP"], ["KB1"], {}),
         "install or set what it lacks: KB1, or dial SSTP"),
        (("SSTP", ["IkeV2"], ["SSTP"], [], {}),
         "enable IkeV2 in vpnClientProtocols and take a new profile"),
        (("OpenVPN", ["IkeV2", "OpenVPN"], ["IkeV2", "SSTP"], [], NO_OPENVPN),
         "dial IkeV2; not with RADIUS"),
        (("OpenVPN", ["OpenVPN"], ["IkeV2"], [], NO_OPENVPN),
         "use another operating system or version; not with RADIUS"),
        (("IkeV2", [], ["IkeV2"], [], {}), "use another operating system or version"),
    ],
)  # fmt: skip
def test_the_ways_that_are_left(given: Any, wanted: str) -> None:
    assert remedy(*given) == wanted


@pytest.mark.parametrize(
    ("version", "protocol", "wanted"),
    [("1607", "IkeV2", True), ("10240", "IkeV2", False), ("1607", "SSTP", True)],
)
def test_what_a_computer_lacks_matters_if_it_dials_with_it(
    version: str, protocol: str, *, wanted: bool
) -> None:
    bare = client_system("windows10", version, updates=())
    assert bool(lacking(bare, protocol, radius=False)) == wanted
    assert not lacking(bare.prepared(), protocol, radius=False)
