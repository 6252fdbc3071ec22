"""Which network a node is in, and what leads from one to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.explain.place import behind_gateways, crossing, owner, place_of, private_link
from lab.topology.load import load
from lab.topology.planning.plan import Plan

CAUSES = Path(__file__).parents[3] / "causes"


@pytest.fixture(scope="module")
def site() -> Plan:
    return load(CAUSES / "89b-onprem-by-design.yaml").plan()


@pytest.fixture(scope="module")
def vnets() -> Plan:
    return load(CAUSES / "89c-other-vnet.yaml").plan()


@pytest.mark.parametrize(
    ("node", "place"),
    [
        ("app1", "contoso"), ("gw", "contoso"), ("contoso", "contoso"), ("files", "office"),
        ("office", "office"), ("alice", "home"), ("internet", ""),
    ],
)  # fmt: skip
def test_the_network_of_a_node(node: str, place: str, site: Plan) -> None:
    assert place_of(site, node) == place


@pytest.mark.parametrize(
    ("one", "other", "connection"),
    [
        ("app1", "files", "office"), ("files", "app1", "office"), ("gw", "files", "office"),
        ("app1", "gw", None), ("app1", "internet", None), ("alice", "files", None),
    ],
)  # fmt: skip
def test_the_connection_to_a_site(one: str, other: str, connection: str | None, site: Plan) -> None:
    assert crossing(site, one, other) == connection


@pytest.mark.parametrize(
    ("node", "behind"),
    [("app1", True), ("files", True), ("gw", False), ("office", False), ("internet", False),
     ("alice", False)],
)  # fmt: skip
def test_who_is_behind_gateways(node: str, *, behind: bool, site: Plan) -> None:
    assert behind_gateways(site, node) == behind


def test_of_two_with_one_address_the_connected_one_is_meant() -> None:
    plan = load(CAUSES.parent / "e2e/sites/ways-into-the-lan.yaml").plan()
    for number in "1245":
        assert owner(plan, "192.168.50.10", f"gw{number}") == f"s{number}-radius"
    assert owner(plan, "s1-radius", "gw2") == "s1-radius"
    assert owner(plan, "192.168.50.10", "s4") == "s4-radius"
    assert not owner(plan, "10.99.0.1", "gw1")


def test_the_connection_of_two_vnets(vnets: Plan) -> None:
    assert crossing(vnets, "east1", "west1") == "east-west"
    assert crossing(vnets, "gw", "west1") == "east-west"


@pytest.mark.parametrize(
    ("one", "other", "leads"),
    [("contoso-gw", "files", True), ("files", "app1", True), ("files", "alice", False)],
)
def test_a_private_link_is_between_two_networks(one: str, other: str, *, leads: bool) -> None:
    plan = load(CAUSES.parents[1] / "topologies/expressroute-radius.yaml").plan()
    assert private_link(plan, one, other) == leads


def test_a_connection_is_no_private_link(site: Plan) -> None:
    assert not private_link(site, "gw", "files")
