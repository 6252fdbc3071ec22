"""A gateway's number of connections is reached."""

from __future__ import annotations

from lab.explain.limit import limited
from lab.world import Deed


def test_the_size_stands_beside_those_who_are_connected() -> None:
    deed = Deed(0.0, "update", "gw", 'update gw properties {"sku": {"name": "VpnGw1"}}', "accepted")
    other = Deed(9.0, "update", "gw", 'update gw properties {"customRoutes": {}}', "accepted")
    sessions = ["SSTP", "IkeV2", "SSTP"]
    why = "the SKU allows 128 SSTP connections"
    found = limited(why, "VpnGw1", sessions, (deed, other), "now")
    assert found.layer == "limit"
    assert "VpnGw1 since it was resized at 1970-01-01T00:00:00.000+00:00" in found.cause
    assert "its sessions now: 2 SSTP, 1 IkeV2" in found.proof
    assert found.proof[-1] == f"the gateway's log at now: {why}"
    assert why in found.cause
    assert "resized" not in limited(why, "VpnGw1", (), (other,), "now").cause
