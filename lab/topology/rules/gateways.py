"""Azure's own rules (gateway/arm/rules/rulebook.py), and placeholders without a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from gateway.arm.fields import VALUES
from gateway.arm.resource import GatewayProperties, VirtualNetworkGateway
from gateway.arm.rules.case import LAB
from gateway.arm.rules.certificates import ROOTS
from gateway.arm.rules.rulebook import Network, violations
from lab.choices import did_you_mean
from lab.topology.model.topology import Topology
from lab.topology.planning.addressing import GATEWAY_PUBLIC, NoRoomError, pairs
from lab.topology.planning.spelling import PLACEHOLDER
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

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
        parts = declared.unknown_of(name)
        if parts is not None:
            reported = {problem.path for problem in unknown}
            for problem in refusals(topology, name, gateway.properties, path, unknown=parts):
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
    unknown: frozenset[Path] = frozenset(),
) -> Iterator[Problem]:
    """Violations of Azure's rules in the gateway document at the path.

    `former` is the document that it replaces; the gateway keeps that many connections, which lead
    to the prefixes. `unknown`: what is wrong with the document itself
    (gateway.arm.rules.rulebook.violations).
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
        unknown=unknown,
    )
    yield from _no_roots(topology, properties, path)
    for violation in found:
        source = f" ({violation.source})" if violation.source.startswith("seed: ") else ""
        remedy = violation.remedy + source
        if violation.source == LAB and violation.path in _OPTIONAL and path[0] == "gateways":
            remedy += f", or go on without it: `ignore: [{violation.path[0]}]`"
        yield Problem((*path, *violation.path), violation.message, remedy)


def _no_roots(topology: Topology, properties: GatewayProperties, path: Path) -> Iterator[Problem]:
    """Placeholders in place of a root that name a client or an intermediate authority."""
    for index, name in _uploaded(properties):
        place = (*path, *ROOTS, index, "properties", "publicCertData")
        authority, client = topology.pki.get(name), topology.clients.get(name)
        if authority and authority.issuer and (top := _top(topology, name)):
            yield Problem(
                place,
                f"{name!r} is no root: it is an intermediate authority, issued by "
                f"{authority.issuer!r}",
                f"upload its root: ${{{top}.publicCertData}}; clients send the intermediates along",
            )
        elif client and client.certificate:
            top = _top(topology, client.certificate.issuer) or "NAME"
            yield Problem(
                place,
                f"{name!r} is no root: it is a client certificate",
                f"upload the root that it leads to: ${{{top}.publicCertData}}",
            )


def _uploaded(properties: GatewayProperties) -> Iterator[tuple[int, str]]:
    """The names of certificates that stand for roots in a document, each with its index."""
    client = properties.vpnClientConfiguration
    for index, root in enumerate(client.vpnClientRootCertificates if client else ()):
        found = PLACEHOLDER.fullmatch(root.properties.publicCertData)
        if found and found["what"] == "publicCertData":
            yield index, found["name"]


def _top(topology: Topology, name: str | None) -> str | None:
    """The root above an authority; None if there is none (an issuer is unknown, or in a circle)."""
    for _ in topology.pki:
        authority = topology.pki.get(name or "")
        if authority is None or authority.issuer is None:
            return name if authority else None
        name = authority.issuer
    return None


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
        for found in PLACEHOLDER.finditer(node):
            if found["what"] not in _ATTRIBUTES:
                yield Problem(path, f"{found[0]} is not a valid placeholder",
                              "write ${NAME.publicCertData} or ${NAME.thumbprint}")  # fmt: skip
            elif found["name"] not in known:
                yield Problem(path, f"{found[0]}: there is no certificate {found['name']!r}",
                              did_you_mean(found["name"], known))  # fmt: skip


def public_names_lead_elsewhere(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """An old record has another address than the gateway, of the same kind."""
    all_known = declared.gateways == set(topology.gateways)  # their order gives addresses
    with suppress(NoRoomError):  # lab.topology.rules.prefixes says so
        own = pairs(GATEWAY_PUBLIC, topology.gateways)
        for name, gateway in topology.gateways.items():
            if gateway.publicName is None:
                continue
            path: Path = ("gateways", name, "publicName", "to")
            to = gateway.publicName.to
            if to.version != 4:
                message = f"{to} is IPv6, and the lab's Internet routes IPv4 alone"
                yield Problem(path, message, "such as 198.51.100.77")
            elif all_known and to == own[name].device:
                message = f"{to} is the address of {name!r}, which is right"
                yield Problem(path, message, "leave publicName out, or say another address")


RULES = (azure_accepts_the_document, public_names_lead_elsewhere)
