"""A host of another VNet than the one that a client is connected to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.elsewhere import BY_DESIGN, other_vnet
from lab.topology.planning.plan import Plan
from tests.unit.lab.checks.fakes import FakeGateway, FakeNode, connection
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import SOURCE

PLAN = plan_of((SOURCE / "topologies/one-vnet-at-a-time.yaml").read_text())
CONNECTED = plan_of((SOURCE / "topologies/vnet-to-vnet.yaml").read_text())
ROUTE = "10.1.1.4 via 192.168.77.1 dev eth0"


async def found(gateway: str, address: str, plan: Plan = PLAN, away: str = "") -> Any:
    gateways = {}
    for one in plan.gateways:
        gateways[one.name] = FakeGateway()
        gateways[one.name].resource = one.resource.model_dump(mode="json", exclude_none=True)
    if away:
        await gateways[away].delete_gateway()
    nodes = {name: FakeNode(name) for name in gateways}
    world: Any = SimpleNamespace(
        plan=plan, addresses=plan.addresses, gateways=gateways, nodes=nodes, past=[]
    )
    client: Any = SimpleNamespace(
        name="alice", gateway=SimpleNamespace(name=gateway), last_dial=SimpleNamespace(at=1.0)
    )
    return await other_vnet(client, address, ROUTE, connection(), world)


async def test_the_other_vnet_is_named() -> None:
    finding = await found("fabrikam-gw", PLAN.addresses["app1"])
    assert finding.layer == "route"
    assert finding.cause == (
        "app1 is in the VNet contoso of contoso-gw, and alice is connected to the VNet fabrikam by "
        "fabrikam-gw: a client is connected to one VNet at a time. That is by design: "
        f"'{BY_DESIGN}'"
    )
    assert finding.proof[0] == f"ip route get {PLAN.addresses['app1']}: {ROUTE}"
    assert "dialled at 1970-01-01T00:00:01" in finding.proof[1]


@pytest.mark.parametrize("address", ["10.2.1.4", "192.168.50.10"])
async def test_an_address_of_the_own_vnet_or_of_none_is_another_matter(address: str) -> None:
    assert await found("fabrikam-gw", address) is None


@pytest.mark.parametrize("away", ["", "contoso-gw"])
async def test_a_gateway_that_serves_clients_can_be_dialled(away: str) -> None:
    finding = await found("fabrikam-gw", PLAN.addresses["app1"], away=away)
    assert finding.remedy == "dial contoso-gw; the tunnel to fabrikam-gw then ends"


@pytest.mark.parametrize("away", ["", "west-gw"])
async def test_one_that_serves_none_cannot_whatever_connection_there_is(away: str) -> None:
    finding = await found("east-gw", CONNECTED.addresses["west1"], CONNECTED, away)
    assert finding.cause.endswith("The connection east-west carries packets of the VNets' own "
                                  "hosts alone.")  # fmt: skip
    assert finding.remedy.startswith("west-gw has no vpnClientConfiguration")
