"""Where nodes are, and which connections lead from one network to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.topology.planning.plan import Plan

NOT_FOR_GATEWAYS = (
    "The private link between them, such as ExpressRoute, is for the VNet's hosts: a VPN gateway "
    "sends nothing of its own over it"
)
_NETWORKS = ("vnet", "site", "access")
"""Kinds of nodes that are a network's router."""


def place_of(plan: Plan, name: str) -> str:
    """The VNet, site or access network to which a node belongs; empty: none."""
    kinds = {node.name: node.kind for node in plan.nodes}
    if kinds.get(name) in _NETWORKS:
        return name
    if kinds.get(name) == "internet":
        return ""
    beside = [cable.b.node for cable in plan.links if cable.a.node == name]
    beside += [cable.a.node for cable in plan.links if cable.b.node == name]
    return next((other for other in beside if kinds[other] in _NETWORKS), "")


def behind_gateways(plan: Plan, name: str) -> bool:
    """Whether others reach a node in a VNet or in a site: gateways and devices have addresses of
    the Internet."""
    kinds = {node.name: node.kind for node in plan.nodes}
    if kinds[name] in ("gateway", "site"):
        return False
    return kinds.get(place_of(plan, name)) in ("vnet", "site")


def crossing(plan: Plan, first: str, second: str) -> str | None:
    """The connection between the networks of two nodes; None: there is none, or they are one."""
    places = {place_of(plan, first), place_of(plan, second)} - {""}
    if len(places) != 2:
        return None
    for gateway in plan.gateways:
        for one in gateway.connections:
            ends = plan.gateways_of(one.name)
            far = one.name if one.name in plan.connected_sites else ""
            reached = {place_of(plan, end) for end in ends} | ({far} if far else set())
            if reached == places:
                return one.name
    return None


def private_link(plan: Plan, first: str, second: str) -> bool:
    """Whether a private link, such as ExpressRoute, leads from the network of one node to that of
    another."""
    ends = {place_of(plan, first), place_of(plan, second)}
    lines = [node.name for node in plan.nodes if node.kind == "link"]
    cables = [{cable.a.node, cable.b.node} for cable in plan.links]
    return any({*ends} == set().union(*(c for c in cables if one in c)) - {one} for one in lines)


def owner(plan: Plan, name: str, near: str) -> str:
    """The node of this name, or that others reach at this address; networks may have the same
    addresses, so it is one that a connection leads to from the node `near`, if there is one.
    Empty: nobody."""
    if name in plan.addresses:
        return name
    found = [node for node, own in plan.addresses.items() if own == name]
    here = place_of(plan, near) if near in plan.addresses else ""
    close = (one for one in found if place_of(plan, one) == here or crossing(plan, near, one))
    return next(close, found[0] if found else "")
