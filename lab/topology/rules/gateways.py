"""Azure's own rules (gateway/arm/rules/rulebook.py), and placeholders without a certificate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gateway.arm.fields import VALUES
from gateway.arm.resource import GatewayProperties, VirtualNetworkGateway
from gateway.arm.rules.case import LAB
from gateway.arm.rules.rulebook import Network, violations
from lab.choices import did_you_mean
from lab.topology.model.topology import Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_PLACEHOLDER = re.compile(r"\$\{(?P<name>[^}.]*)(\.(?P<what>[^}]*))?\}")
_OPTIONAL = {
    (name,)
    for (model, name), features in VALUES.items()
    if model is GatewayProperties and any(feature.optional for feature in features.values())
}
"""Fields whose value a rule refuses, and that a topology may ignore."""
_ATTRIBUTES = ("publicCertData", "thumbprint")


def azure_accepts_the_document(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Placeholders name a certificate; valid documents also follow Azure's rules."""
    known = certificate_names(topology, declared)
    for name, gateway in topology.gateways.items():
        path: Path = ("gateways", name, "properties")
        document = gateway.properties.model_dump(mode="json", exclude_none=True)
        unknown = list(unknown_placeholders(document, path, known))
        yield from unknown
        if declared.whole("gateways", name):
            reported = {problem.path for problem in unknown}
            for problem in refusals(topology, name, gateway.properties, path):
                if problem.path not in reported:
                    yield problem


def refusals(
    topology: Topology,
    name: str,
    properties: GatewayProperties,
    path: Path,
    *,
    former: GatewayProperties | None = None,
    prefixes: tuple[str, ...] = (),
    connections: int = 0,
) -> Iterator[Problem]:
    """Violations of Azure's rules in the gateway document at the path.

    `former` is the document that it replaces; the gateway keeps that many connections, which lead
    to the prefixes.
    """
    gateway = topology.gateways[name]
    resource = VirtualNetworkGateway(name=name, properties=properties)
    vnet = topology.vnets.get(gateway.vnet)
    own = tuple(map(str, vnet.addressSpace)) if vnet else ()
    before = VirtualNetworkGateway(name=name, properties=former) if former else None
    found = violations(
        resource,
        Network(own, prefixes, connections),
        placeholders=True,
        deployment=gateway.deploymentModel,
        former=before,
    )
    for violation in found:
        source = f" ({violation.source})" if violation.source.startswith("seed: ") else ""
        remedy = violation.remedy + source
        if violation.source == LAB and violation.path in _OPTIONAL and path[0] == "gateways":
            remedy += f", or go on without it: `ignore: [{violation.path[0]}]`"
        yield Problem((*path, *violation.path), violation.message, remedy)


def certificate_names(topology: Topology, declared: Declared) -> frozenset[str]:
    """All authorities, and all clients except those known to have no certificate."""
    without_certificate = {
        name
        for name, client in topology.clients.items()
        if client.certificate is None and declared.whole("clients", name)
    }
    return declared.pki | (declared.clients - without_certificate)


def unknown_placeholders(node: Any, path: Path, known: frozenset[str]) -> Iterator[Problem]:
    """Invalid placeholders in any text of the document at the path."""
    if isinstance(node, dict | list):
        parts = node.items() if isinstance(node, dict) else enumerate(node)
        for part, value in parts:
            yield from unknown_placeholders(value, (*path, part), known)
    elif isinstance(node, str):
        for found in _PLACEHOLDER.finditer(node):
            if found["what"] not in _ATTRIBUTES:
                yield Problem(path, f"{found[0]} is not a valid placeholder",
                              "write ${NAME.publicCertData} or ${NAME.thumbprint}")  # fmt: skip
            elif found["name"] not in known:
                yield Problem(path, f"{found[0]}: there is no certificate {found['name']!r}",
                              did_you_mean(found["name"], known))  # fmt: skip


RULES = (azure_accepts_the_document,)
