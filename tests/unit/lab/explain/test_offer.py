"""A protocol that the computer does not dial, or the gateway does not offer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.explain.offer import without_clients
from lab.world import Changed, Deed
from tests.unit.lab.explain.test_dial import attempt, broken, document


def test_a_change_of_the_protocols_has_its_moment() -> None:
    path, change = "vpnClientConfiguration.vpnClientProtocols", (["SSTP", "OpenVPN"], ["SSTP"])
    changed = Changed("gw", {path: change})
    deed = Deed(0.0, "update", "gw", "update gw", "accepted", changed=changed)
    one = attempt(protocol="OpenVPN", reason="no-protocol", dialled=False, deeds=(deed,),
                  document=document(vpnClientProtocols=["SSTP"]))  # fmt: skip
    assert broken(one).layer == "profile-stale"
    assert "changed at 1970-01-01T00:00:00.000+00:00" in broken(one).cause
    other = replace(deed, text="vpnClientProtocols", changed=Changed("gw2", {path: change}))
    assert "changed" not in broken(replace(one, deeds=(other,))).cause


@pytest.mark.parametrize("reason", ["system", "administrator"])
def test_a_computer_that_cannot_dial_says_why(reason: str) -> None:
    said = "windows10 1607 dials no IkeV2 without KB4057142"
    offers = document(vpnClientProtocols=["SSTP"])
    one = attempt(reason=reason, message=said, dialled=False, able=("SSTP",), document=offers)
    found = broken(replace(one, lacks=("KB4057142",)))
    assert found.layer == "client-policy"
    assert found.cause.startswith(said)
    assert (
        found.remedy
        == {
            "system": "install or set what it lacks: KB4057142, or dial SSTP",
            "administrator": "let an administrator dial",
        }[reason]
    )


def test_a_gateway_that_offers_nothing_that_the_system_dials() -> None:
    one = attempt(reason="no-protocol", dialled=False, system="macos 15", able=("IkeV2", "OpenVPN"),
                  document=document(vpnClientProtocols=["SSTP"]))  # fmt: skip
    assert broken(one).layer == "client-policy"
    assert "macos 15 dials IkeV2 and OpenVPN, and the gateway offers SSTP" in broken(one).cause
    assert broken(one).remedy.startswith("enable IkeV2 or OpenVPN in vpnClientProtocols")


def test_a_protocol_that_the_gateway_has_never_offered() -> None:
    one = attempt(reason="no-protocol", dialled=False, able=("IkeV2", "SSTP"),
                  document=document(vpnClientProtocols=["SSTP"]))  # fmt: skip
    assert broken(one).layer == "client-policy"
    assert broken(one).cause == "IkeV2 is not offered by the gateway: it offers SSTP"
    assert broken(one).remedy == (
        "dial SSTP, or enable IkeV2 in vpnClientProtocols and take a new profile"
    )


def test_a_gateway_without_point_to_site() -> None:
    deed = Deed(0.0, "update", "gw", "update gw", "accepted")
    other = replace(deed, subject="gw2")
    found = without_clients({"properties": {}}, "gw", [deed, other])
    assert found
    assert found.layer == "gateway-down"
    assert found.cause.startswith("the gateway gw has no vpnClientConfiguration since an update at")
    assert len(found.proof) == 2
    assert without_clients(document(vpnClientProtocols=["SSTP"]), "gw", [deed]) is None
