"""Where a probe ended, and whose rule dropped it, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from gateway.arm.rules.addresses import PRIVATE
from lab.explain.follow import Dropped, Followed
from lab.explain.model import Finding, failure, stamp
from lab.topology.planning.wiring import INTERNET

_COMMENT = re.compile(r'comment "([^"]*)"')
_FAULT = "fault-"
_GROUP, _GATEWAY = "network_security_group", "p2slab_gateway"
_COMPUTERS = ("host", "radius", "directory")
"""Kinds of nodes with a firewall of their own, which is nobody's else."""


def ended(followed: Followed) -> Finding | None:
    """Why it did not arrive; None: it did."""
    if followed.dropped:
        return blocked(followed)
    return None if followed.arrived else lost(followed)


def blocked(followed: Followed) -> Finding:
    """A rule or policy of a node on the way dropped the probe."""
    dropped = followed.dropped
    assert dropped
    service = followed.what.partition(" ")[0]
    proof = (rule_of(dropped), followed.way)
    at = stamp(followed.at)
    source = _untranslated(followed)
    if source:
        cause = (
            f"{followed.what} comes to {dropped.node} from {source}, a private address: no router "
            "on the way translates it (NAT), and the gateway drops private sources from the "
            "Internet"
        )
        remedy = "let the access network's router translate addresses"
        ends = [f"{one.node}: {one.text}" for one in followed.sightings if one.node == INTERNET]
        return failure("nat", cause, *ends[-1:], *proof, remedy=remedy, at=at)
    answers = ", ".join(followed.answers)
    verb, told = ("rejected", f" and answered: {answers}") if answers else ("dropped", "")
    cause = f"{followed.what} is {verb} by {whose(dropped)}{told}"
    return failure("firewall", cause, *proof, remedy=_remedy(dropped, service), at=at)


def all_blocked(ways: Sequence[Followed]) -> Finding:
    """Of several probes, each dropped somewhere: who opens one way only is stopped at the next."""
    found = [*map(blocked, ways)]
    causes = dict.fromkeys(one.cause for one in found)
    remedies = dict.fromkeys(one.remedy for one in found)
    proof = tuple(dict.fromkeys(line for one in found for line in one.proof))
    return replace(found[0], cause="; ".join(causes), remedy="; ".join(remedies), proof=proof)


def lost(followed: Followed) -> Finding:
    """It did not leave its node, or left one and did not come to the next."""
    at, way = stamp(followed.at), walk(followed)
    if not followed.last:
        cause = f"no packet of {followed.what} left {followed.path[0]}: {followed.result}"
        return failure("underlay", cause, way, remedy="see its routes", at=at)
    following = followed.path[[*followed.path].index(followed.last) + 1]
    cause = f"{followed.what} was seen at {followed.last} and did not arrive at {following}"
    remedy = f"see routes and cables between {followed.last} and {following}"
    return failure("underlay", cause, way, remedy=remedy, at=at)


def walk(followed: Followed) -> str:
    """A probe's way in a line."""
    if followed.dropped:
        return f"{followed.what}: dropped at {rule_of(followed.dropped)}"
    return f"{followed.way}; {followed.told}"


def rule_of(dropped: Dropped) -> str:
    """The rule with its place, in a line."""
    return f"{dropped.node}, {dropped.chain}: {dropped.rule}"


def whose(dropped: Dropped) -> str:
    """Who dropped: `the firewall of hotel`."""
    node = dropped.node
    if dropped.table == _GROUP:
        named = _COMMENT.search(dropped.rule)
        rule = f"the rule {named[1]!r}" if named else "the default rule DenyAllInBound"
        return f"{rule} of the network security group of {node}'s subnet"
    if dropped.table.startswith(_FAULT):
        fault = dropped.table.removeprefix(_FAULT)
        return f"the firewall of {node}, because of the fault {fault}"
    if dropped.table == _GATEWAY:
        return f"the gateway {node}, whose rules forward nothing else"
    if dropped.kind in _COMPUTERS:
        return f"{node}'s own firewall"
    return f"the firewall of {node}"


def _remedy(dropped: Dropped, service: str) -> str:
    if dropped.table == _GROUP:
        return "change that rule, or put one that allows it before it, with a lower priority number"
    if dropped.table.startswith(_FAULT):
        return f"end the fault: p2slab fault {dropped.table.removeprefix(_FAULT)} --end"
    return f"let {service} through at {dropped.node}"


def _untranslated(followed: Followed) -> str:
    """The private source with which a probe that a gateway drops crossed the Internet."""
    assert followed.dropped
    if followed.dropped.kind != "gateway":
        return ""
    crossed = [one.source for one in followed.sightings if one.node == INTERNET and one.source]
    private = crossed and any(ip_address(crossed[-1]) in prefix for prefix in PRIVATE)
    return crossed[-1] if private else ""
