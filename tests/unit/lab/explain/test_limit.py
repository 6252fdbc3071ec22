"""A gateway's number of connections is reached."""

from __future__ import annotations

from lab.explain.limit import limited
from lab.merge import Change
from lab.world import Changed, Deed

GATEWAY = {"name": "gw", "properties": {"sku": {"name": "VpnGw1"}}}


def update(at: float, gateway: str, path: str, change: Change) -> Deed:
    """An operator's."""
    changed = Changed(gateway, {path: change})
    return Deed(at, "update", gateway, f"update {gateway}", "accepted", changed=changed)


def test_the_size_stands_beside_those_who_are_connected() -> None:
    deed = update(0.0, "gw", "sku.name", ("VpnGw2", "VpnGw1"))
    others = (
        update(8.0, "gw2", "sku.name", ("VpnGw3", "VpnGw2")),
        update(9.0, "gw", "customRoutes.addressPrefixes", (None, ["10.9.0.0/16"])),
    )
    sessions = ["SSTP", "IkeV2", "SSTP"]
    why = "the SKU allows 128 SSTP connections"
    found = limited(why, GATEWAY, sessions, (deed, *others), "now")
    assert found.layer == "limit"
    assert "VpnGw1 since it was resized from VpnGw2 at 1970-01-01T00:00:00.000+00:00" in found.cause
    assert "its sessions now: 2 SSTP, 1 IkeV2" in found.proof
    assert "at 1970-01-01T00:00:00.000+00:00: update gw: accepted" in found.proof
    assert found.proof[-1] == f"the gateway's log at now: {why}"
    assert why in found.cause
    assert "resized" not in limited(why, GATEWAY, (), others, "now").cause
