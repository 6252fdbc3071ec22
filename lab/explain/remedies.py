"""What is to be done about a protocol that a computer does not dial, or its gateway not offer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.arm.documents import parse
from gateway.arm.resource import VirtualNetworkGateway
from gateway.arm.rules.rulebook import Network, violations
from gateway.policy.protocols import PROTOCOLS
from lab.explain.document import protocols_of
from lab.merge import merge

if TYPE_CHECKING:
    from lab.topology.model.persona import ClientSystem
    from lab.topology.planning.plan import GatewayPlan

KEY = "vpnClientProtocols"


def lacking(system: ClientSystem, protocol: Any, *, radius: bool) -> tuple[str, ...]:
    """The updates and registry values that a computer lacks, if it dials the protocol with them."""
    return () if system.prepared().why_not(protocol, radius=radius) else system.missing()


def forbidden(document: dict[str, Any], plan: GatewayPlan) -> dict[str, str]:
    """The protocols that a gateway may not offer beside those of its document, and why."""
    offered = protocols_of(document)
    now = _objections(document, plan)
    found: dict[str, str] = {}
    for protocol in PROTOCOLS:
        if protocol not in offered:
            more = {"properties": {"vpnClientConfiguration": {KEY: [*offered, protocol]}}}
            objections = (one for one in _objections(merge(document, more), plan) if one not in now)
            if first := next(objections, ""):
                found[protocol] = first
    return found


def _objections(document: dict[str, Any], plan: GatewayPlan) -> list[str]:
    placement = plan.placement
    network = Network(tuple(map(str, placement.virtualNetwork.addressPrefixes)))
    gateway = parse(VirtualNetworkGateway, document)
    found = violations(gateway, network, deployment=placement.deploymentModel)
    return [one.message for one in found]


def prepare(lacks: Sequence[str]) -> str:
    """To give a computer what it lacks."""
    return f"install or set what it lacks: {', '.join(lacks)}"


def remedy(
    protocol: str,
    able: Sequence[str],
    offered: Collection[str],
    lacks: Sequence[str],
    forbidden: Mapping[str, str],
) -> str:
    """`able`: the protocols that the computer dials as it is."""
    ways = [prepare(lacks)] if lacks else []
    common = [one for one in able if one in offered]
    if common:
        ways.append(f"dial {' or '.join(common)}")
    wanted = [one for one in able if one == protocol or not common]
    if allowed := [one for one in wanted if one not in forbidden]:
        ways.append(f"enable {' or '.join(allowed)} in {KEY} and take a new profile")
    found = ", or ".join(ways or ["use another operating system or version"])
    return "; ".join([found, *dict.fromkeys(forbidden[one] for one in wanted if one in forbidden)])
