"""A user-defined route that leads packets astray."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.user_routes import Way, astray
from lab.nodes.base import Completed
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import SOURCE

PLAN = plan_of((SOURCE / "tests/e2e/sites/route-tables.yaml").read_text())
ALICE = "172.16.201.130"


class Node:
    def __init__(self, forwards: str = "1") -> None:
        self.forwards = forwards

    async def run(self, argv: list[str]) -> Completed:
        return Completed(0, f"asked {' '.join(argv)}", "")

    async def call(self, _: object) -> str:
        return f"{self.forwards}\n"


async def found(source: str, target: str, *, forwards: str = "1") -> Any:
    addresses = {ALICE: ALICE, **PLAN.addresses}
    nodes = {node.name: Node(forwards) for node in PLAN.nodes}
    world: Any = SimpleNamespace(plan=PLAN, addresses=PLAN.addresses, nodes=nodes)
    return await astray(world, Way(addresses[source], addresses[target], "packets"))


@pytest.mark.parametrize(
    ("source", "target", "route", "subnet"),
    [
        ("app1", "printer", "not-the-office", "app"),
        ("lost1", "app1", "nowhere", "lost"),
        ("lost1", ALICE, "no-clients", "lost"),
    ],
)
async def test_a_route_to_none_is_named(source: str, target: str, route: str, subnet: str) -> None:
    finding = await found(source, target)
    assert finding.layer == "route"
    assert f"the route {route} of {subnet}'s route table in the VNet contoso" in finding.cause
    assert finding.cause.endswith("packets are dropped")
    assert finding.proof[1].startswith("contoso: ip route get")


@pytest.mark.parametrize(
    ("source", "target"),
    [("app1", "files"), ("lost1", "web1"), ("web1", "printer"), (ALICE, "app1")],
)
async def test_longer_prefixes_and_other_subnets_are_no_cause(source: str, target: str) -> None:
    assert await found(source, target) is None


async def test_an_appliance_must_forward() -> None:
    assert await found(ALICE, "web1") is None
    finding = await found(ALICE, "web1", forwards="0")
    assert "the appliance nva (10.1.3.4), which does not forward" in finding.cause
