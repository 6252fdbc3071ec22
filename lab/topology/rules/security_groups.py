"""Network security groups: each has a subnet, and its rules differ."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import did_you_mean
from lab.topology.model.security_groups import NetworkSecurityGroup, SecurityRuleProperties
from lab.topology.model.topology import GATEWAY_SUBNET, Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def groups_have_a_subnet(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The subnet exists and is no gateway's (azure-docs vpn-gateway-about-vpn-gateway-settings:
    not supported); its group has rules that differ."""
    for name, vnet in topology.vnets.items():
        for subnet, group in vnet.networkSecurityGroups.items():
            path: Path = ("vnets", name, "networkSecurityGroups", subnet)
            if subnet == GATEWAY_SUBNET:
                yield Problem(
                    path,
                    f"network security groups on {GATEWAY_SUBNET} are not supported by Azure",
                    "give the group to another subnet",
                )
            elif subnet not in vnet.subnets and declared.whole("vnets", name, "subnets"):
                remedy = did_you_mean(subnet, list(vnet.subnets))
                yield Problem(path, f"{name!r} has no subnet {subnet!r}", remedy)
            yield from _rules_differ(path, group)


def _rules_differ(path: Path, group: NetworkSecurityGroup) -> Iterator[Problem]:
    priorities: dict[tuple[str, int], str] = {}
    names: set[str] = set()
    for index, rule in enumerate(group.securityRules):
        at: Path = (*path, "securityRules", index)
        key = (rule.properties.direction, rule.properties.priority)
        if key in priorities:
            yield Problem(
                (*at, "properties", "priority"),
                f"{priorities[key]!r} has the priority {key[1]} already",
                "give each rule of a direction its own",
            )
        if rule.name.casefold() in names:
            yield Problem((*at, "name"), f"{rule.name!r} stands twice", "give each its own name")
        priorities[key] = rule.name
        names.add(rule.name.casefold())
        if _has_ports(rule.properties) and rule.properties.protocol not in ("Tcp", "Udp", "*"):
            yield Problem(
                (*at, "properties", "protocol"),
                f"{rule.properties.protocol} has no ports",
                "use Tcp or Udp, or leave the port ranges out",
            )


def _has_ports(rule: SecurityRuleProperties) -> bool:
    return {rule.sourcePortRange, rule.destinationPortRange} != {"*"}


RULES = (groups_have_a_subnet,)
