"""Plans of topologies that are given as text, and what must hold of every plan."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_interface, ip_network

from lab.topology.planning.plan import NodePlan, Plan
from lab.topology.planning.planner import make_plan
from tests.unit.lab.topology.spoiling import SOUND, SOURCE, check

LONGEST_INTERFACE_NAME = 15  # IFNAMSIZ - 1


def plan_of(text: str = SOUND) -> Plan:
    return make_plan(check(text), SOURCE)


def node(plan: Plan, name: str) -> NodePlan:
    return next(node for node in plan.nodes if node.name == name)


def interfaces(plan: Plan, name: str) -> dict[str, list[str]]:
    """Interface name to addresses, of a node."""
    found = {bridge.name: list(bridge.addresses) for bridge in node(plan, name).bridges}
    for link in plan.links:
        for end in (link.a, link.b):
            if end.node == name:
                assert end.interface not in found
                found[end.interface] = list(end.addresses)
    return found


def assert_hangs_together(plan: Plan) -> None:
    names = [node.name for node in plan.nodes]
    assert len(set(names)) == len(names)
    for link in plan.links:
        for end in (link.a, link.b):
            assert end.node in names
            assert len(end.interface) <= LONGEST_INTERFACE_NAME
            if end.bridge:
                assert end.bridge in {bridge.name for bridge in node(plan, end.node).bridges}
                assert not end.addresses
    for name in names:
        _assert_routes_are_on_link(plan, name)
    _assert_segments_hold_each_address_once(plan)
    assert set(plan.addresses) >= {client.name for client in plan.clients}
    issued = {certificate.name for certificate in plan.certificates}
    before: set[str | None] = {None}
    for certificate in plan.certificates:
        assert certificate.issuer in before, "an issuer stands before what it issues"
        before.add(certificate.name)
    for client in plan.clients:
        assert client.certificate is None or client.certificate in issued
        assert client.access in names
        assert client.gateway in names


def _assert_routes_are_on_link(plan: Plan, name: str) -> None:
    networks = [
        ip_interface(address).network
        for addresses in interfaces(plan, name).values()
        for address in addresses
    ]
    for route in node(plan, name).routes:
        assert any(ip_address(route.via) in network for network in networks), (name, route)
        assert route.destination == "default" or ip_network(route.destination)


def _assert_segments_hold_each_address_once(plan: Plan) -> None:
    """A segment is a cable, or a bridge and all that is plugged into it."""
    segments: dict[object, list[str]] = {}
    for computer in plan.nodes:
        for bridge in computer.bridges:
            segments[computer.name, bridge.name] = list(bridge.addresses)
    for link in plan.links:
        switch = next(((end.node, end.bridge) for end in (link.a, link.b) if end.bridge), link)
        segments.setdefault(switch, []).extend([*link.a.addresses, *link.b.addresses])
    for addresses in segments.values():
        assert not [address for address, count in Counter(addresses).items() if count > 1]
        assert len({ip_interface(address).network for address in addresses}) == 1
    public = [str(ip_interface(a).ip) for link in plan.links for a in link.b.addresses
              if link.b.interface == "wan"]  # fmt: skip
    assert len(public) == len(set(public))
