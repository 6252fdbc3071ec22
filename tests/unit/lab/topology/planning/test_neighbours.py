"""Static neighbours by MAC address, computed from the plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from lab.topology.load import load
from lab.topology.planning.neighbours import MESH, Interface, Neighbour, crowded, mac, neighbours
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan

TOPOLOGIES = sorted((Path(__file__).parents[5] / "topologies").glob("*.yaml"))


def plan(nodes: list[NodePlan], links: list[Cable]) -> Plan:
    return Plan("test", "", tuple(nodes), tuple(links), (), (), (), ())


def lan(size: int) -> Plan:
    """A router with a switch, a proxy and as many clients."""
    names = ["proxy", *(f"c{number}" for number in range(size))]
    return plan(
        [
            NodePlan("router", "access", bridges=(Bridge("lan", ("10.0.0.1/16", "fd00::1/64")),)),
            *(NodePlan(name, "proxy" if name == "proxy" else "client") for name in names),
        ],
        [
            Cable(
                End("router", f"p{number}", bridge="lan"),
                End(name, "eth0", (f"10.0.{number >> 8}.{(number & 255) + 2}/16",)),
            )
            for number, name in enumerate(names)
        ],
    )


ROUTER, PROXY = Interface("router", "lan"), Interface("proxy", "eth0")


def test_on_a_small_wire_everybody_knows_everybody_by_both_versions_of_ip() -> None:
    known = neighbours(lan(2))
    assert known[Interface("c0", "eth0")] == (
        Neighbour("10.0.0.1", mac(ROUTER)),
        Neighbour("fd00::1", mac(ROUTER)),
        Neighbour("10.0.0.2", mac(PROXY)),
        Neighbour("10.0.0.4", mac(Interface("c1", "eth0"))),
    )
    assert {len(others) for others in known.values()} == {3, 4}
    assert not crowded(lan(2))


def test_on_a_large_wire_who_serves_many_and_they_know_each_other() -> None:
    size = 300
    known = neighbours(lan(size))
    assert len(known[ROUTER]) == len(known[PROXY]) - 1 == size + 1
    clients = [others for interface, others in known.items() if interface not in (ROUTER, PROXY)]
    assert {tuple(other.mac for other in others) for others in clients} == {
        (mac(ROUTER), mac(ROUTER), mac(PROXY))
    }
    assert crowded(lan(size)) == [f"{size + 2} on router/lan"]
    assert not crowded(lan(MESH - 2))


def test_switches_joined_by_a_cable_are_one_wire_and_a_router_s_two_are_not() -> None:
    sides = [
        NodePlan("left", "vnet", bridges=(Bridge("lan", ("10.0.0.1/24",)),)),
        NodePlan("right", "vnet", bridges=(Bridge("lan"), Bridge("other", ("10.1.0.1/24",)))),
        NodePlan("pc", "host"),
        NodePlan("far", "host"),
    ]
    known = neighbours(
        plan(
            sides,
            [
                Cable(End("left", "p0", bridge="lan"), End("right", "p0", bridge="lan")),
                Cable(End("pc", "eth0", ("10.0.0.3/24",)), End("right", "p1", bridge="lan")),
                Cable(End("far", "eth0", ("10.1.0.3/24",)), End("right", "p2", bridge="other")),
            ],
        )
    )
    met = {interface.node: [other.address for other in known[interface]] for interface in known}
    assert met == {
        "left": ["10.0.0.3"], "pc": ["10.0.0.1"], "right": ["10.1.0.3"], "far": ["10.1.0.1"],
    }  # fmt: skip


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.stem)
def test_every_next_hop_of_every_topology_is_known(file: Path) -> None:
    whole = load(file).plan()
    known = neighbours(whole)
    for node in whole.nodes:
        met = {
            other.address
            for interface, others in known.items()
            for other in others
            if interface.node == node.name
        }
        assert {route.via for route in node.routes} <= met, node.name


def test_mac_addresses_are_one_s_own_and_nobody_s_outside() -> None:
    known = neighbours(lan(5000))
    assert max(Counter(map(mac, known)).values()) == 1
    assert {mac(interface)[:3] for interface in known} == {"02:"}
    assert mac(ROUTER) == mac(Interface("router", "lan"))
    assert neighbours(replace(lan(3), name="other")) == neighbours(lan(3))
