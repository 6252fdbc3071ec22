"""A host of another VNet than the one that a client is connected to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.elsewhere import BY_DESIGN, other_vnet
from tests.unit.lab.checks.fakes import connection
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import SOURCE

PLAN = plan_of((SOURCE / "topologies/one-vnet-at-a-time.yaml").read_text())
ROUTE = "10.1.1.4 via 192.168.77.1 dev eth0"


def found(gateway: str, address: str) -> Any:
    world: Any = SimpleNamespace(plan=PLAN, addresses=PLAN.addresses)
    client: Any = SimpleNamespace(
        name="alice", gateway=SimpleNamespace(name=gateway), last_dial=SimpleNamespace(at=1.0)
    )
    return other_vnet(client, address, ROUTE, connection(), world)


def test_the_other_vnet_is_named() -> None:
    finding = found("fabrikam-gw", PLAN.addresses["app1"])
    assert finding.layer == "route"
    assert finding.cause == (
        "app1 is in the VNet contoso of contoso-gw, and alice is connected to the VNet fabrikam by "
        "fabrikam-gw: a client is connected to one VNet at a time. That is by design: "
        f"'{BY_DESIGN}'"
    )
    assert finding.proof[0] == f"ip route get {PLAN.addresses['app1']}: {ROUTE}"
    assert "dialled at 1970-01-01T00:00:01" in finding.proof[1]


@pytest.mark.parametrize("address", ["10.2.1.4", "192.168.50.10"])
def test_an_address_of_the_own_vnet_or_of_none_is_another_matter(address: str) -> None:
    assert found("fabrikam-gw", address) is None
