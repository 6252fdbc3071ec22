"""The services of nodes: one module for each role, which starts what a class of the plan's
services (lab.topology.planning.specs) says."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from lab.topology.planning.specs import (
    BgpSpec,
    DirectorySpec,
    DnsSpec,
    EchoSpec,
    HttpSpec,
    InspectionSpec,
    Iperf3Spec,
    PortalSpec,
    ProxySpec,
    RadiusSpec,
    ServiceSpec,
    VpnDeviceSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.nodes.base import Node, Process
    from lab.pki.authority import Credential

ROLES: dict[type[ServiceSpec], str] = {
    DnsSpec: "lab.roles.dns",
    HttpSpec: "lab.roles.http",
    Iperf3Spec: "lab.roles.iperf3",
    EchoSpec: "lab.roles.echo",
    ProxySpec: "lab.roles.proxy",
    PortalSpec: "lab.roles.portal",
    InspectionSpec: "lab.roles.inspection",
    VpnDeviceSpec: "lab.roles.site",
    BgpSpec: "lab.roles.bgp",
    RadiusSpec: "lab.roles.radius_server",
    DirectorySpec: "lab.roles.directory",
}
"""The module whose `start(node, spec, context)` starts such a service."""


@dataclass(frozen=True)
class RoleContext:
    """What exists only at run time, by the names that the plan has for it."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    credentials: Mapping[str, Credential] = field(default_factory=dict)


async def start_role(node: Node, spec: ServiceSpec, context: RoleContext) -> Process:
    """Start a service; it serves when this returns. TimeoutError with the last thing seen."""
    process: Process = await import_module(ROLES[type(spec)]).start(node, spec, context)
    return process
