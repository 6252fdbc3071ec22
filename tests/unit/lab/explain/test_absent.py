"""Gateways that are not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import LabError
from lab.explain import absent as module
from lab.explain.absent import absent, was_absent
from lab.world import Deed
from tests.unit.lab.checks.fakes import FakeGateway, FakeNode

RULES = """table inet fault-{fault} {{
	chain lost {{
		iifname != "lo" drop
	}}
}}
"""


def world_with(gateway: FakeGateway, *deeds: Deed) -> Any:
    return SimpleNamespace(gateways={"gw": gateway}, nodes={"gw": FakeNode("gw")}, past=[*deeds])


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The faults whose tables the gateway's kernel has."""
    there: list[str] = []

    def run(commands: str) -> str:
        fault = commands.strip().rpartition("fault-")[2]
        if fault not in there:
            raise LabError("No such file or directory")
        return RULES.format(fault=fault)

    monkeypatch.setattr(module.nft, "run", run)
    return there


async def test_one_that_is_there(tables: list[str]) -> None:
    gateway = FakeGateway()
    gateway.resource["properties"]["sku"] = {"name": "VpnGw1"}
    assert not tables
    assert await absent("gw", world_with(gateway)) is None


async def test_one_whose_zone_failed(tables: list[str]) -> None:
    gateway = FakeGateway()
    gateway.resource["properties"]["sku"] = {"name": "VpnGw2"}
    tables.append("zone-down")
    mine, others = (Deed(1.0, "fault", "zone-down", "fault zone-down", "x", place) for place in
                    ("gw", "gw2"))  # fmt: skip
    found = await absent("gw", world_with(gateway, mine))
    assert found
    assert found.layer == "gateway-down"
    assert "VpnGw2 is not zone-redundant" in found.cause
    assert 'gw, table inet fault-zone-down: iifname != "lo" drop' in found.proof
    assert any("fault zone-down: x" in line for line in found.proof)
    other = await absent("gw", world_with(gateway, others))
    assert other
    assert not any("fault zone-down: x" in line for line in other.proof)


@pytest.mark.parametrize(
    ("sku", "fault", "place", "at", "away"),
    [
        ("VpnGw1", "gateway-down", "", 5.0, True),
        ("VpnGw1AZ", "gateway-down", "gw", 5.0, True),
        ("VpnGw1", "gateway-down", "gw2", 5.0, False),
        ("VpnGw1", "gateway-down", "", 15.0, False),
        ("VpnGw1", "gateway-down", "", 0.5, False),
        ("VpnGw1", "zone-down", "", 5.0, True),
        ("VpnGw1AZ", "zone-down", "", 5.0, False),
        ("VpnGw1", "s2s-cut", "", 5.0, False),
    ],
)
async def test_one_that_was_away_when_it_was_dialled(
    sku: str, fault: str, place: str, at: float, *, away: bool
) -> None:
    gateway = FakeGateway()
    gateway.resource["properties"]["sku"] = {"name": sku}
    begun = Deed(1.0, "fault", fault, f"fault {fault}", "gone", place)
    ended = Deed(10.0, "endFault", fault, f"end fault {fault}", "ended")
    found = await was_absent("gw", at, world_with(gateway, begun, ended))
    assert (found is not None) == away


async def test_one_that_is_switched_off(tables: list[str]) -> None:
    class Off(FakeGateway):
        async def exists(self) -> bool:
            raise FileNotFoundError(2, "No such file or directory")

    tables.append("gateway-down")
    found = await absent("gw", world_with(Off()))
    assert found
    assert "gw is switched off" in found.cause
    assert found.proof[0] == "gw: its API: No such file or directory"
    assert "fault gateway-down --end" in found.remedy
    tables.clear()
    crashed = await absent("gw", world_with(Off()))
    assert crashed
    assert "logs gw" in crashed.remedy
