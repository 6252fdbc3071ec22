"""The steps of `expect:`: they name existing nodes and ask only for what is possible."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.arm.canonical import canonical
from gateway.arm.resource import GatewayProperties, VirtualNetworkGateway
from gateway.arm.rules.case import AUTHENTICATION, CLIENT, PROTOCOLS
from gateway.arm.secrets import secrets_in, with_secrets
from lab.choices import did_you_mean
from lab.merge import merge
from lab.topology.model import steps
from lab.topology.model.topology import Client, Topology
from lab.topology.planning.addressing import link_name, proxy_name
from lab.topology.planning.needs import has_clients, may_authenticate
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.planning.wiring import INTERNET
from lab.topology.reading.error_text import problem_of
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.clients import gateway_dialled, gateway_named, gateway_of
from lab.topology.rules.declared import Declared
from lab.topology.rules.gateways import certificate_names, refusals, unknown_placeholders
from lab.topology.rules.sites import connection_refusals
from radius.reasons import bare

_Reach = steps.Reaches | steps.CannotReach
_ANY_NODE = (steps.Reaches, steps.CannotReach, steps.Resolves, steps.CannotResolve)
_ELSEWHERE: tuple[type, ...] = (steps.Throughput, steps.Fault, steps.EndFault, *steps.SECOND_FACTOR)
"""Steps whose names other rules check."""
_GATEWAY = (steps.Update, steps.Delete, steps.Create)
_AT_A_GATEWAY = (steps.Connects, steps.Revoke, steps.Reinstate, steps.Disconnect,
                 steps.RadiusInTunnel, steps.TakeProfile)  # fmt: skip
"""Steps of a client that ask the gateway for something."""
_CHANGES = (steps.Update, steps.Create)
_PEERS = (steps.Reaches, steps.CannotReach, steps.NoCleartext, steps.SurvivesRekey)


def steps_name_existing_nodes(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Subject and peer of each step exist."""
    nodes = all_nodes(topology, declared)
    for index, step in enumerate(topology.expect):
        verb = steps.verb_of(step) or ""
        if isinstance(step, _ELSEWHERE):
            continue
        kind, known = _subjects(step, nodes, declared)
        yield from unknown(("expect", index, verb), kind, getattr(step, verb), known)
        if isinstance(step, steps.Connects) and step.radius is not None:
            servers = frozenset(node.node for node in radius_nodes(topology))
            yield from unknown(("expect", index, "radius"), "RADIUS server", step.radius, servers)
        if isinstance(step, steps.Connects | steps.Refused) and step.to is not None:
            yield from unknown(("expect", index, "to"), "gateway", step.to, declared.gateways)
        if isinstance(step, _PEERS) and step.host is not None:
            peers = nodes - frozenset(declared.vnets)  # a VNet has no address of its own
            yield from unknown(("expect", index, "host"), "node", step.host, peers)


def _subjects(
    step: BaseModel, nodes: frozenset[str], declared: Declared
) -> tuple[str, frozenset[str]]:
    if isinstance(step, _ANY_NODE):
        return "node", nodes
    if isinstance(step, _GATEWAY):
        return "gateway", declared.gateways
    if isinstance(step, steps.Tunnel):
        return "site or connection", declared.sites | declared.connections
    if isinstance(step, steps.Bgp):
        return "site", declared.sites
    if isinstance(step, steps.Restart):
        return "client or gateway", declared.clients | declared.gateways
    return "client", declared.clients


def all_nodes(topology: Topology, declared: Declared) -> frozenset[str]:
    """The names of all nodes, as far as they are known."""
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


def unknown(path: Path, kind: str, name: str, known: frozenset[str]) -> Iterator[Problem]:
    """A problem if the name is not known."""
    if name not in known:
        yield Problem(path, f"there is no {kind} {name!r}", did_you_mean(name, known))


def clients_dial_what_they_can(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The client's operating system can dial the protocol."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.Connects | steps.Refused):
            continue
        name = step.connects if isinstance(step, steps.Connects) else step.refused
        client = topology.clients.get(name)
        if client is None:
            continue
        yield from _cannot_dial(("expect", index), name, client, step)
        if isinstance(step, steps.Connects):
            yield from _wrong_order(("expect", index, "after"), name, client, step)


def gateways_offer_what_is_dialled(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The gateway's document in the file offers the protocol."""
    for index, step in enumerate(topology.expect):
        if isinstance(step, steps.Connects) and step.connects in topology.clients:
            client = topology.clients[step.connects]
            gateway = gateway_named(topology, step)
            if gateway not in topology.gateways or not declared.knows(gateway, *PROTOCOLS):
                continue
            yield from _not_offered(("expect", index), topology, client, step, gateway)


def _cannot_dial(
    path: Path, name: str, client: Client, step: steps.Connects | steps.Refused
) -> Iterator[Problem]:
    asked = {"over": step.over, "after": step.after if isinstance(step, steps.Connects) else None}
    if isinstance(step, steps.Refused) and step.because in ("system", "administrator"):
        return  # that it cannot is what is expected
    for key, protocol in asked.items():
        if protocol and protocol not in client.dials:
            yield Problem(
                (*path, key),
                f"{name!r} cannot dial {protocol}",
                f"{'its protocols are' if client.protocols else f'{client.system} dials'} "
                f"{', '.join(client.dials) or 'nothing'}",
            )


def _not_offered(
    path: Path, topology: Topology, client: Client, step: steps.Connects, gateway: str
) -> Iterator[Problem]:
    if any(isinstance(other, _CHANGES) for other in topology.expect):
        return  # a change may enable it later
    configuration = topology.gateways[gateway].properties.vpnClientConfiguration
    offered = configuration.vpnClientProtocols if configuration else ()
    for key, protocol in (("over", step.over), ("after", step.after)):
        if protocol in client.dials and protocol not in offered:
            yield Problem(
                (*path, key),
                f"the gateway does not offer {protocol}",
                f"it offers {', '.join(offered) or 'nothing'}: see its vpnClientProtocols",
            )


def _wrong_order(path: Path, name: str, client: Client, step: steps.Connects) -> Iterator[Problem]:
    order = client.dials
    if step.over is None and order and step.after == order[-1]:
        yield Problem(
            path, f"{name!r} tries nothing after {step.after}", f"its order is {', '.join(order)}"
        )
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
        if step.protocol != "icmp" and step.bytes is not None:
            yield Problem((*path, "bytes"), "the size is that of an ICMP packet",
                          "add `protocol: icmp`, or leave `bytes` out")  # fmt: skip
        if step.protocol != "icmp" and step.port is None:
            yield Problem(path, f"{step.protocol.upper()} needs a port", "add `port: 80`")


def tunnels_exist(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Only a site with a connection has a tunnel."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.Tunnel):
            continue
        site = topology.sites.get(step.tunnel)
        if site and site.connection is None and declared.whole("sites", step.tunnel):
            yield Problem(
                ("expect", index, "tunnel"),
                f"the site {step.tunnel!r} has no tunnel",
                "add `connection: {to: GATEWAY, sharedKey: ...}` to the site",
            )


def bgp_is_spoken(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Only a site with BGP announces something."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.Bgp):
            continue
        site = topology.sites.get(step.bgp)
        if site and site.bgp is None and declared.whole("sites", step.bgp):
            path: Path = ("expect", index, "bgp")
            yield Problem(path, f"the site {step.bgp!r} has no BGP", "add `bgp: {asn: 65010}`")


def revoking_needs_a_configuration(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The list of revoked certificates is a part of the point-to-site configuration, and so are the
    profiles that are made from it."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.Revoke | steps.Reinstate | steps.TakeProfile):
            continue
        verb = steps.verb_of(step) or ""
        gateway = gateway_dialled(topology, getattr(step, verb), index)
        known = gateway and declared.knows(gateway, *CLIENT)
        if gateway and known and not has_clients(topology, gateway):
            yield Problem(
                ("expect", index, verb),
                f"{gateway!r} has no point-to-site connections",
                "add `vpnClientConfiguration` to its properties",
            )


def radius_is_asked(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A step about RADIUS needs a client whose gateway asks such a server."""
    for index, step in enumerate(topology.expect):
        verb = steps.verb_of(step) or ""
        about = isinstance(step, steps.RadiusInTunnel) or (
            isinstance(step, steps.Connects) and step.radius is not None
        )
        client = topology.clients.get(getattr(step, verb)) if about else None
        named = gateway_named(topology, step) if isinstance(step, steps.Connects) else None
        gateway = (named or gateway_of(topology, client)) if client else None
        known = gateway and declared.knows(gateway, *AUTHENTICATION)
        if gateway and known and not may_authenticate(topology, gateway, "Radius"):
            yield Problem(
                ("expect", index, "radius" if isinstance(step, steps.Connects) else verb),
                f"{gateway!r} asks no RADIUS server",
                "see vpnAuthenticationTypes of its vpnClientConfiguration",
            )


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
    files = {name: gateway.properties for name, gateway in topology.gateways.items()}
    standing: dict[str, GatewayProperties] = dict(files)
    for index, step in enumerate(topology.expect):
        path: Path = ("expect", index)
        gateways = [name for name in _gateways_of(topology, step, index) if name in files]
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
            known = declared.unknown_of(gateway) == frozenset()
            changed = _Change(topology, declared, gateway, standing.get(gateway), known)
            found = yield from changed.judge(base, step.properties, (*path, "properties"))
            if found or gateway not in standing:
                standing[gateway] = found or base


def _gateways_of(topology: Topology, step: BaseModel, index: int) -> tuple[str, ...]:
    """The gateway that the step changes, or those that must be there for it."""
    verb = steps.verb_of(step) or ""
    name: str = getattr(step, verb)
    if isinstance(step, _GATEWAY) or (
        isinstance(step, steps.Restart) and name in topology.gateways
    ):
        return (name,)
    if isinstance(step, steps.Tunnel | steps.Bgp):
        return tuple(g for g in topology.gateways if name in topology.connections_of(g))
    if isinstance(step, _AT_A_GATEWAY) and name in topology.clients:
        dialled = (
            gateway_named(topology, step)
            if isinstance(step, steps.Connects)
            else gateway_dialled(topology, name, index)
        )
        return (dialled,) if dialled else ()
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
    """A change of a gateway; `former`: its document before, None if it is created. `known`: whether
    all of that document is; else only what is wrong with the change itself is told."""

    topology: Topology
    declared: Declared
    gateway: str
    former: GatewayProperties | None
    known: bool

    def judge(
        self, base: GatewayProperties, patch: dict[str, Any], path: Path
    ) -> Generator[Problem, None, GatewayProperties | None]:
        """What is wrong with the base into which the patch is merged; returns the document, if
        nothing is."""
        document = with_secrets(base.model_dump(mode="json", exclude_unset=True), secrets_in(base))
        yield from self._unknown_keys(merge(document, patch, keep_null=True), path)
        names = certificate_names(self.topology, self.declared)
        unknown = list(unknown_placeholders(patch, path, names))
        yield from unknown
        if unknown:
            return None
        whole = {"name": self.gateway, "properties": merge(document, patch)}
        found = canonical(VirtualNetworkGateway, whole)
        try:
            resource = VirtualNetworkGateway.model_validate(found.document)
        except ValidationError as error:
            yield from self._problems(error, whole["properties"], path)
            return None
        refused = list(self._refused(resource.properties, path)) if self.known else []
        yield from refused
        return None if refused else resource.properties

    def _unknown_keys(self, document: dict[str, Any], path: Path) -> Iterator[Problem]:
        """Keys that the patch takes out, and that no document has; others are found in the
        result."""
        try:
            VirtualNetworkGateway.model_validate({"name": self.gateway, "properties": document})
        except ValidationError as error:
            for problem in self._problems(error, document, path, taken_out=True):
                yield replace(problem, at_key=True)

    def _problems(
        self,
        error: ValidationError,
        document: dict[str, Any],
        path: Path,
        *,
        taken_out: bool = False,
    ) -> Iterator[Problem]:
        """The errors in the document as problems of the patch; `taken_out`: only unknown keys
        that are null."""
        whole = {"gateways": {self.gateway: {"properties": document}}}
        for one in error.errors(include_url=False):
            if taken_out and (one["type"] != "extra_forbidden" or one["input"] is not None):
                continue
            one["loc"] = ("gateways", self.gateway, *one["loc"])
            problem = problem_of(one, whole)
            yield Problem((*path, *problem.path[3:]), problem.message, problem.remedy)

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


def changes_name_certificates(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The placeholders in an `update` or a `create` are certificates of the topology."""
    known = certificate_names(topology, declared)
    for index, step in enumerate(topology.expect):
        if isinstance(step, _CHANGES):
            yield from unknown_placeholders(step.properties, ("expect", index, "properties"), known)


def approvals_need_a_second_factor(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """`approve` and `deny` need a server with a second factor, and a user who dials."""
    asks = any(
        node.service.secondFactor and node.service.secondFactor.approved != "typed"
        for node in radius_nodes(topology)
    )
    users = frozenset(bare(client.user) for client in topology.clients.values() if client.user)
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.SECOND_FACTOR):
            continue
        verb = steps.verb_of(step) or ""
        if asks:
            yield from unknown(("expect", index, verb), "user", getattr(step, verb), users)
        elif declared.whole("sites") and declared.whole("vnets"):
            yield Problem(
                ("expect", index),
                "no RADIUS server asks for a second factor that can be approved",
                "add `secondFactor: {approved: asked}` to a `radius:`",
            )


_AT_ANY_TIME = (
    steps_name_existing_nodes,
    tunnels_exist,
    bgp_is_spoken,
    clients_dial_what_they_can,
    reaching_needs_a_target,
    revoking_needs_a_certificate,
    approvals_need_a_second_factor,
)
RULES = (
    *_AT_ANY_TIME,
    radius_is_asked,
    revoking_needs_a_configuration,
    gateways_offer_what_is_dialled,
    changes_are_accepted,
)
RUNNING = (*_AT_ANY_TIME, changes_name_certificates)
"""Rules for steps on a running lab, whose gateway's document may not be the file's any more: the
gateway itself judges what is dialled and each change."""
