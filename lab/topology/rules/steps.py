"""The steps of `expect:`: they speak of nodes that are there, and ask for what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.arm.resource import VirtualNetworkGateway
from gateway.arm.secrets import secrets_in, with_secrets
from lab.choices import did_you_mean
from lab.topology.model import steps as words
from lab.topology.model.topology import Client, Topology
from lab.topology.planning.addressing import link_name, proxy_name
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.planning.wiring import INTERNET
from lab.topology.reading.error_text import problem_of
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared
from lab.topology.rules.gateways import certificate_names, refusals, unknown_placeholders
from radius.reasons import bare

_Reach = words.Reaches | words.CannotReach
_ANY_NODE = (words.Reaches, words.CannotReach, words.Resolves)
_GATEWAY = (words.Update,)
_PEERS = (words.Reaches, words.CannotReach, words.NoCleartext, words.SurvivesRekey)


def steps_speak_of_nodes_that_are_there(
    topology: Topology, declared: Declared
) -> Iterator[Problem]:
    """Subject and peer of each step."""
    nodes = _all_nodes(topology, declared)
    for index, step in enumerate(topology.expect):
        verb = words.verb_of(step) or ""
        if isinstance(step, (words.Fault, words.EndFault, *words.TELEPHONE)):
            continue
        kind, known = _subjects(step, nodes, declared)
        yield from _there(("expect", index, verb), kind, getattr(step, verb), known)
        if isinstance(step, words.Connects) and step.radius is not None:
            servers = frozenset(node.node for node in radius_nodes(topology))
            yield from _there(("expect", index, "radius"), "RADIUS server", step.radius, servers)
        if isinstance(step, _PEERS) and step.host is not None:
            peers = nodes - frozenset(declared.vnets)  # a VNet has no address of its own
            yield from _there(("expect", index, "host"), "node", step.host, peers)


def _subjects(
    step: BaseModel, nodes: frozenset[str], declared: Declared
) -> tuple[str, frozenset[str]]:
    if isinstance(step, _ANY_NODE):
        return "node", nodes
    if isinstance(step, _GATEWAY):
        return "gateway", declared.gateways
    if isinstance(step, words.Tunnel):
        return "site", declared.sites
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


def _there(path: Path, kind: str, name: str, known: frozenset[str]) -> Iterator[Problem]:
    if name not in known:
        yield Problem(path, f"there is no {kind} {name!r}", did_you_mean(name, known))


def clients_dial_what_they_can(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A protocol that the client's operating system cannot dial, or the gateway does not offer."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, words.Connects | words.Refused):
            continue
        name = step.connects if isinstance(step, words.Connects) else step.refused
        client = topology.clients.get(name)
        if client is None:
            continue
        yield from _cannot_dial(("expect", index), name, client, step)
        if isinstance(step, words.Connects):
            yield from _not_offered(("expect", index, "over"), topology, client, step)
            yield from _wrong_order(("expect", index, "after"), name, client, step)


def _cannot_dial(
    path: Path, name: str, client: Client, step: words.Connects | words.Refused
) -> Iterator[Problem]:
    asked = {"over": step.over, "after": step.after if isinstance(step, words.Connects) else None}
    for key, protocol in asked.items():
        if protocol and protocol not in client.dials:
            yield Problem(
                (*path, key),
                f"{name!r} cannot dial {protocol}",
                f"{client.os} dials {', '.join(client.dials)}",
            )


def _not_offered(
    path: Path, topology: Topology, client: Client, step: words.Connects
) -> Iterator[Problem]:
    only = next(iter(topology.gateways)) if len(topology.gateways) == 1 else ""
    gateway = topology.gateways.get(client.gateway or only)
    if gateway is None or any(isinstance(other, words.Update) for other in topology.expect):
        return  # an update may enable it on the way
    configuration = gateway.properties.vpnClientConfiguration
    offered = configuration.vpnClientProtocols if configuration else ()
    if step.over in client.dials and step.over not in offered:
        yield Problem(
            path,
            f"the gateway does not offer {step.over}",
            f"it offers {', '.join(offered) or 'nothing'}: see its vpnClientProtocols",
        )


def _wrong_order(path: Path, name: str, client: Client, step: words.Connects) -> Iterator[Problem]:
    order = client.dials
    dialled = step.over in order and step.after in order
    if dialled and order.index(step.after) >= order.index(step.over):
        yield Problem(
            path,
            f"{name!r} does not try {step.after} before {step.over}",
            f"its order is {', '.join(order)}",
        )


def reaching_has_an_aim(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A host or an address, and a port where the protocol has ports."""
    for index, step in enumerate(topology.expect):
        path: Path = ("expect", index)
        if not isinstance(step, _Reach) or not declared.whole(*path):
            continue
        if (step.host is None) == (step.address is None):
            said = "both `host` and `address`" if step.host else "neither `host` nor `address`"
            yield Problem(path, f"{said} given", "give one: a node's name, or any address or name")
        if step.protocol == "icmp" and step.port is not None:
            yield Problem((*path, "port"), "ICMP has no ports", "leave it out")
        if step.protocol != "icmp" and step.port is None:
            yield Problem(path, f"{step.protocol.upper()} needs a port", "add `port: 80`")


def operators_act_on_what_is_there(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Revoking needs a certificate."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, words.Revoke | words.Reinstate):
            continue
        verb = words.verb_of(step) or ""
        name = getattr(step, verb)
        client = topology.clients.get(name)
        if client and not client.certificate and declared.whole("clients", name):
            yield Problem(
                ("expect", index, verb),
                f"{name!r} has no certificate",
                "give the client a `certificate`, such as {issuer: NAME}",
            )


def updates_are_accepted(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Each update, merged into what the gateway has by then, is a document that Azure takes."""
    documents = {
        name: with_secrets(
            gateway.properties.model_dump(mode="json", exclude_unset=True),
            secrets_in(gateway.properties),
        )
        for name, gateway in topology.gateways.items()
        if declared.whole("gateways", name)
    }
    for index, step in enumerate(topology.expect):
        if isinstance(step, words.Update) and step.update in documents:
            merged = merge(documents[step.update], step.properties)
            documents[step.update] = merged
            path: Path = ("expect", index, "properties")
            unknown = list(
                unknown_placeholders(step.properties, path, certificate_names(topology, declared))
            )
            yield from unknown
            if not unknown:
                yield from _refused(topology, step.update, merged, path)


def _refused(
    topology: Topology, gateway: str, document: dict[str, Any], path: Path
) -> Iterator[Problem]:
    try:
        resource = VirtualNetworkGateway.model_validate({"name": gateway, "properties": document})
    except ValidationError as error:
        whole = {"gateways": {gateway: {"properties": document}}}
        for one in error.errors(include_url=False):
            one["loc"] = ("gateways", gateway, *one["loc"])
            problem = problem_of(one, whole)
            yield Problem((*path, *problem.path[3:]), problem.message, problem.remedy)
        return
    yield from refusals(topology, gateway, resource.properties, path)


def merge(document: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def telephones_ring_where_somebody_calls(
    topology: Topology, declared: Declared
) -> Iterator[Problem]:
    """Approving needs a server that asks, and a user whom it asks."""
    asks = any(node.service.secondFactor for node in radius_nodes(topology))
    users = frozenset(bare(client.user) for client in topology.clients.values() if client.user)
    for index, step in enumerate(topology.expect):
        if not isinstance(step, words.TELEPHONE):
            continue
        verb = words.verb_of(step) or ""
        if asks:
            yield from _there(("expect", index, verb), "user", getattr(step, verb), users)
        elif declared.whole("sites") and declared.whole("vnets"):
            yield Problem(
                ("expect", index),
                "no RADIUS server asks for a second factor",
                "add `secondFactor: {approved: asked}` to a `radius:`",
            )


RULES = (
    steps_speak_of_nodes_that_are_there,
    clients_dial_what_they_can,
    reaching_has_an_aim,
    operators_act_on_what_is_there,
    telephones_ring_where_somebody_calls,
    updates_are_accepted,
)
