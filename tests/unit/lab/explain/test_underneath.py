"""Below a tunnel that still counts as up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain import underneath
from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.model import Finding, failure
from lab.explain.underneath import of_client, of_connection
from lab.topology.load import load
from tests.unit.lab.checks.fakes import connection

CAUSES = Path(__file__).parents[3] / "causes"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything comes through, but for what is in `cut`: the last node of a path."""
    plan = load(CAUSES / "89b-onprem-by-design.yaml").plan()
    client = SimpleNamespace(proxy=None, gateway=SimpleNamespace(name="gw"))
    world = SimpleNamespace(plan=plan, addresses=plan.addresses, clients={"alice": client})
    made = SimpleNamespace(world=world, client=client, cut=set(), followed=[])

    async def follow(_: Any, path: Any, protocol: str, address: str, port: int) -> Followed:
        made.followed.append((path[-1], protocol, port))
        seen = [Sighting(node, "wan", leaving=True, at=1.0, text="") for node in path]
        dropped = Dropped("internet", "chain lost", "drop") if path[-1] in made.cut else None
        what = f"{protocol}/{port} to {address}"
        return Followed(what, address, path, 1.0, seen, dropped=dropped)

    monkeypatch.setattr(underneath, "follow", follow)
    return made


async def test_both_ways_of_a_connection(lab: Any) -> None:
    assert await of_connection("app1", "files", lab.world) is None
    assert lab.followed == [("office", "udp", 4500), ("gw", "udp", 4500)]
    lab.cut.add("gw")
    found = await of_connection("app1", "files", lab.world)
    assert found
    assert found.cause.startswith("the tunnel office still counts as up, and carries nothing: udp")
    assert await of_connection("app1", "internet", lab.world) is None


async def test_large_packets_of_a_connection(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def black_hole(path: Any, address: str, _: Any) -> Finding | None:
        asked.append(path[-1])
        return failure("mtu", address, remedy="") if path[-1] == "office" else None

    monkeypatch.setattr(underneath, "black_hole", black_hole)
    assert await of_connection("app1", "files", lab.world) is None
    assert asked == []
    found = await of_connection("app1", "files", lab.world, large=True)
    assert found
    assert asked == ["office", "gw"]
    there = lab.world.addresses["office"]
    assert found.cause == f"the tunnel office carries small packets alone: {there}"


async def test_a_clients_tunnel(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    up, large = connection(), failure("mtu", "large ones are lost", remedy="")
    holes: list[Finding | None] = [large, None]

    async def black_hole(path: Any, address: str, _: Any) -> Finding | None:
        assert (path[-1], address) == ("gw", lab.world.addresses["gw"])
        return holes.pop()

    monkeypatch.setattr(underneath, "black_hole", black_hole)
    assert await of_client("alice", up, lab.world) is None
    found = await of_client("alice", up, lab.world)
    assert found
    assert found.cause == "the tunnel of alice carries small packets alone: large ones are lost"
    lab.cut.add("gw")
    found = await of_client("alice", up, lab.world)
    assert found
    assert "the tunnel of alice still counts as up" in found.cause
