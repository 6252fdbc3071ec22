"""The steps of `expect:`: they name existing nodes and ask only for what is possible."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.arm.canonical import canonical
from gateway.arm.resource import GatewayProperties, VirtualNetworkGateway
from gateway.arm.secrets import secrets_in, with_secrets
from lab.choices import did_you_mean
from lab.merge import merge
from lab.topology.model import steps
from lab.topology.model.topology import Client, Topology
from lab.topology.planning.addressing import link_name, proxy_name
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.planning.wiring import INTERNET
from lab.topology.reading.error_text import problem_of
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared
from lab.topology.rules.gateways import certificate_names, refusals, unknown_placeholders
from lab.topology.rules.sites import connection_refusals
from radius.reasons import bare

_Reach = steps.Reaches | steps.CannotReach
_ANY_NODE = (steps.Reaches, steps.CannotReach, steps.Resolves)
_GATEWAY = (steps.Update, steps.Delete, steps.Create)
_AT_A_GATEWAY = (steps.Connects, steps.Revoke, steps.Reinstate, steps.Disconnect,
                 steps.RadiusInTunnel)  # fmt: skip
"""Steps of a client that ask the gateway for something."""
_CHANGES = (steps.Update, steps.Create)
_PEERS = (steps.Reaches, steps.CannotReach, steps.NoCleartext, steps.SurvivesRekey)


def steps_name_existing_nodes(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Subject and peer of each step exist."""
    nodes = _all_nodes(topology, declared)
    for index, step in enumerate(topology.expect):
        verb = steps.verb_of(step) or ""
        if isinstance(step, (steps.Fault, steps.EndFault, *steps.SECOND_FACTOR)):
            continue
        kind, known = _subjects(step, nodes, declared)
        yield from _unknown(("expect", index, verb), kind, getattr(step, verb), known)
        if isinstance(step, steps.Connects) and step.radius is not None:
            servers = frozenset(node.node for node in radius_nodes(topology))
            yield from _unknown(("expect", index, "radius"), "RADIUS server", step.radius, servers)
        if isinstance(step, _PEERS) and step.host is not None:
            peers = nodes - frozenset(declared.vnets)  # a VNet has no address of its own
            yield from _unknown(("expect", index, "host"), "node", step.host, peers)


def _subjects(
    step: BaseModel, nodes: frozenset[str], declared: Declared
) -> tuple[str, frozenset[str]]:
    if isinstance(step, _ANY_NODE):
        return "node", nodes
    if isinstance(step, _GATEWAY):
        return "gateway", declared.gateways
    if isinstance(step, steps.Tunnel):
        return "site or connection", declared.sites | declared.connections
    return "client", declared.clients


def _all_nodes(topology: Topology, declared: Declared) -> frozenset[str]:
    proxies = {proxy_name(name) for name, access in topology.access.items() if access.proxy}
    links = {link_name(name) for name, site in topology.sites.items() if site.privateLink}
    servers = {node.node for node in radius_nodes(topology)}
    return frozenset().union(
        {INTERNET},
        proxies,
        links,
        servers,
        declared.vnets,
        declared.hosts,
        declared.gateways,
        declared.sites,
        declared.access,
        declared.clients,
    )


def _unknown(path: Path, kind: str, name: str, known: frozenset[str]) -> Iterator[Problem]:
    if name not in known:
        yield Problem(path, f"there is no {kind} {name!r}", did_you_mean(name, known))


def clients_dial_what_they_can(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The client's operating system can dial the protocol, and the gateway offers it."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.Connects | steps.Refused):
            continue
        name = step.connects if isinstance(step, steps.Connects) else step.refused
        client = topology.clients.get(name)
        if client is None:
            continue
        yield from _cannot_dial(("expect", index), name, client, step)
        if isinstance(step, steps.Connects):
            yield from _not_offered(("expect", index, "over"), topology, client, step)
            yield from _wrong_order(("expect", index, "after"), name, client, step)


def _cannot_dial(
    path: Path, name: str, client: Client, step: steps.Connects | steps.Refused
) -> Iterator[Problem]:
    asked = {"over": step.over, "after": step.after if isinstance(step, steps.Connects) else None}
    for key, protocol in asked.items():
        if protocol and protocol not in client.dials:
            yield Problem(
                (*path, key),
                f"{name!r} cannot dial {protocol}",
                f"{client.os} dials {', '.join(client.dials)}",
            )


def _not_offered(
    path: Path, topology: Topology, client: Client, step: steps.Connects
) -> Iterator[Problem]:
    only = next(iter(topology.gateways)) if len(topology.gateways) == 1 else ""
    gateway = topology.gateways.get(client.gateway or only)
    if gateway is None or any(isinstance(other, _CHANGES) for other in topology.expect):
        return  # a change may enable it later
    configuration = gateway.properties.vpnClientConfiguration
    offered = configuration.vpnClientProtocols if configuration else ()
    if step.over in client.dials and step.over not in offered:
        yield Problem(
            path,
            f"the gateway does not offer {step.over}",
            f"it offers {', '.join(offered) or 'nothing'}: see its vpnClientProtocols",
        )


def _wrong_order(path: Path, name: str, client: Client, step: steps.Connects) -> Iterator[Problem]:
    order = client.dials
    dialled = step.over in order and step.after in order
    if dialled and order.index(step.after) >= order.index(step.over):
        yield Problem(
            path,
            f"{name!r} does not try {step.after} before {step.over}",
            f"its order is {', '.join(order)}",
        )


def reaching_needs_a_target(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A step names a host or an address, and a port if the protocol has ports."""
    for index, step in enumerate(topology.expect):
        path: Path = ("expect", index)
        if not isinstance(step, _Reach) or not declared.whole(*path):
            continue
        if (step.host is None) == (step.address is None):
            given = "both `host` and `address`" if step.host else "neither `host` nor `address`"
            yield Problem(path, f"{given} given", "give one: a node's name, or any address or name")
        if step.protocol == "icmp" and step.port is not None:
            yield Problem((*path, "port"), "ICMP has no ports", "leave it out")
        if step.protocol != "icmp" and step.port is None:
            yield Problem(path, f"{step.protocol.upper()} needs a port", "add `port: 80`")


def revoking_needs_a_certificate(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Only a client with a certificate can be revoked or reinstated."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.Revoke | steps.Reinstate):
            continue
        verb = steps.verb_of(step) or ""
        name = getattr(step, verb)
        client = topology.clients.get(name)
        if client and not client.certificate and declared.whole("clients", name):
            yield Problem(
                ("expect", index, verb),
                f"{name!r} has no certificate",
                "give the client a `certificate`, such as {issuer: NAME}",
            )


def changes_are_accepted(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Azure accepts each change of a gateway, in its state at that time; a deleted gateway takes
    part in nothing."""
    files = {
        name: gateway.properties
        for name, gateway in topology.gateways.items()
        if declared.whole("gateways", name)
    }
    standing: dict[str, GatewayProperties] = dict(files)
    for index, step in enumerate(topology.expect):
        path: Path = ("expect", index)
        gateways = [name for name in _gateways_of(topology, step) if name in files]
        creates = isinstance(step, steps.Create)
        unfit = [name for name in gateways if creates is (name in standing)]
        if unfit or not gateways:
            yield from (_state_forbids(path, step, name) for name in unfit)
            continue
        (gateway, *_) = gateways
        if isinstance(step, steps.Delete):
            del standing[gateway]
        elif isinstance(step, steps.Update | steps.Create):
            base = standing.get(gateway, files[gateway])
            changed = _Change(topology, declared, gateway, standing.get(gateway))
            found = yield from changed.judge(base, step.properties, (*path, "properties"))
            if found or gateway not in standing:
                standing[gateway] = found or base


def _gateways_of(topology: Topology, step: BaseModel) -> tuple[str, ...]:
    """The gateway that the step changes, or those that must be there for it."""
    verb = steps.verb_of(step) or ""
    name: str = getattr(step, verb)
    if isinstance(step, _GATEWAY):
        return (name,)
    if isinstance(step, steps.Tunnel):
        return tuple(g for g in topology.gateways if name in topology.connections_of(g))
    if isinstance(step, _AT_A_GATEWAY) and name in topology.clients:
        named = topology.clients[name].gateway
        return (named,) if named else tuple(topology.gateways)[:1]
    return ()


def _state_forbids(path: Path, step: BaseModel, gateway: str) -> Problem:
    verb = steps.verb_of(step) or ""
    if isinstance(step, steps.Create):
        remedy = f"`delete: {gateway}` before it, or use `update`"
        return Problem((*path, verb), f"the gateway {gateway!r} exists by then", remedy)
    remedy = f"`create: {gateway}` before it"
    return Problem((*path, verb), f"the gateway {gateway!r} is deleted by then", remedy)


@dataclass(frozen=True)
class _Change:
    """A change of a gateway; `former`: its document before, None if it is created."""

    topology: Topology
    declared: Declared
    gateway: str
    former: GatewayProperties | None

    def judge(
        self, base: GatewayProperties, patch: dict[str, Any], path: Path
    ) -> Generator[Problem, None, GatewayProperties | None]:
        """What is wrong with the base into which the patch is merged; returns the document, if
        nothing is."""
        names = certificate_names(self.topology, self.declared)
        unknown = list(unknown_placeholders(patch, path, names))
        yield from unknown
        if unknown:
            return None
        document = with_secrets(base.model_dump(mode="json", exclude_unset=True), secrets_in(base))
        whole = {"name": self.gateway, "properties": merge(document, patch)}
        found = canonical(VirtualNetworkGateway, whole)
        try:
            resource = VirtualNetworkGateway.model_validate(found.document)
        except ValidationError as error:
            data = {"gateways": {self.gateway: whole}}
            for one in error.errors(include_url=False):
                one["loc"] = ("gateways", self.gateway, *one["loc"])
                problem = problem_of(one, data)
                yield Problem((*path, *problem.path[3:]), problem.message, problem.remedy)
            return None
        refused = list(self._refused(resource.properties, path))
        yield from refused
        return None if refused else resource.properties

    def _refused(self, properties: GatewayProperties, path: Path) -> Iterator[Problem]:
        """What Azure refuses of the document, and of the connections that the gateway keeps."""
        connections = self.topology.connections_of(self.gateway)
        sites = [self.topology.sites[name] for name in connections if name in self.topology.sites]
        yield from refusals(
            self.topology,
            self.gateway,
            properties,
            path,
            former=self.former,
            prefixes=tuple(str(site.lan) for site in sites),
            connections=len(connections),
        )
        for name, connection in connections.items():
            for problem in connection_refusals(connection, properties):
                yield Problem(path, f"the connection of {name}: {problem.message}", problem.remedy)


def approvals_need_a_second_factor(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """`approve` and `deny` need a server with a second factor, and a user who dials."""
    asks = any(node.service.secondFactor for node in radius_nodes(topology))
    users = frozenset(bare(client.user) for client in topology.clients.values() if client.user)
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.SECOND_FACTOR):
            continue
        verb = steps.verb_of(step) or ""
        if asks:
            yield from _unknown(("expect", index, verb), "user", getattr(step, verb), users)
        elif declared.whole("sites") and declared.whole("vnets"):
            yield Problem(
                ("expect", index),
                "no RADIUS server asks for a second factor",
                "add `secondFactor: {approved: asked}` to a `radius:`",
            )


RULES = (
    steps_name_existing_nodes,
    clients_dial_what_they_can,
    reaching_needs_a_target,
    revoking_needs_a_certificate,
    approvals_need_a_second_factor,
    changes_are_accepted,
)
