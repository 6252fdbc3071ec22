"""Faults: each has a target, and only an active fault can end."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gateway.arm.rules.case import PROTOCOLS
from lab.choices import did_you_mean, listing
from lab.topology.model import steps
from lab.topology.model.topology import Topology
from lab.topology.model.vocabulary import FaultName
from lab.topology.planning.addressing import allocate, radius_name
from lab.topology.planning.needs import may_offer
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_OF_TUNNELS: frozenset[FaultName] = frozenset(("s2s-cut", "s2s-wrong-psk"))


def _all(topology: Topology) -> Iterator[tuple[Path, steps.Fault]]:
    for index, fault in enumerate(topology.faults):
        yield ("faults", index), fault
    for index, step in enumerate(topology.expect):
        if isinstance(step, steps.Fault):
            yield ("expect", index), step


def faults_have_a_target(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The target exists and is unambiguous."""
    if not declared.whole("sites") or not declared.whole("vnets"):
        return
    servers = [node.node for node in radius_nodes(topology)]
    connected = [name for name, site in topology.sites.items() if site.connection]
    speakers = [name for name, site in topology.sites.items() if site.bgp]
    directories = [name for name, site in topology.sites.items() if site.directory]
    others: dict[FaultName, tuple[list[str], str]] = {
        "bgp-down": (speakers, "site with BGP"),
        "directory-down": (directories, "site with a directory"),
        "engine-down": (list(topology.gateways), "gateway"),
        "gateway-down": (list(topology.gateways), "gateway"),
        "zone-down": (list(topology.gateways), "gateway"),
        "link-down": (list(topology.access), "network of `access`"),
    }
    for path, step in _all(topology):
        if step.fault in _OF_TUNNELS:
            yield from _of_a_tunnel(path, step, topology, connected)
        elif step.fault in others:
            yield from _one_of(path, step, *others[step.fault])
        elif step.fault == "one-server-dead":
            yield from _has_a_second(topology, path, step, servers)
        else:
            sites = [name for name in topology.sites if radius_name(name) in servers]
            yield from _some_of(path, step, [*servers, *sites])


def faults_have_what_belongs_to_them(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """`engine` and `by` are given where the fault has one, and nowhere else."""
    for path, step in _all(topology):
        yield from _of_an_engine(path, step, topology, declared)
        if step.by is not None and step.fault != "radius-slow":
            yield Problem((*path, "by"), f"{step.fault} has no delay", "leave `by` out")
        elif step.by is None and step.fault == "radius-slow":
            yield Problem(path, "radius-slow needs a delay", "add `by: 5s` (--by 5s)")


def _of_an_engine(
    path: Path, step: steps.Fault, topology: Topology, declared: Declared
) -> Iterator[Problem]:
    """Only engine-down has a protocol, and only a gateway that runs the daemon can lose it."""
    if step.fault != "engine-down":
        if step.engine is not None:
            yield Problem((*path, "engine"), f"{step.fault} has no protocol", "leave `engine` out")
        return
    if step.engine is None:
        yield Problem(
            path, "engine-down needs a protocol", "add `engine: OpenVPN` (--engine OpenVPN)"
        )
        return
    name = step.at or next(iter(topology.gateways), "")
    if name not in topology.gateways or not declared.knows(name, *PROTOCOLS):
        return
    for_sites = step.engine == "IkeV2" and bool(topology.connections_of(name))
    if not (may_offer(topology, name, step.engine) or for_sites):
        yield Problem(
            (*path, "engine"),
            f"{name!r} does not offer {step.engine}",
            "see its vpnClientProtocols",
        )


def _of_a_tunnel(
    path: Path, step: steps.Fault, topology: Topology, sites: list[str]
) -> Iterator[Problem]:
    if step.fault == "s2s-cut":
        yield from _one_of(path, step, [*sites, *topology.connections], "connection")
    else:
        yield from _one_of(path, step, sites, "site with a connection")


def _has_a_second(
    topology: Topology, path: Path, step: steps.Fault, servers: list[str]
) -> Iterator[Problem]:
    """Of the servers that gateways ask, at least two stand at the place, and one may die."""
    known = [*servers, *(name for name in topology.sites if radius_name(name) in servers)]
    if step.at is not None and step.at not in known:
        yield from _some_of(path, step, known)
        return
    addresses = allocate(topology).private
    asked = {
        server.radiusServerAddress
        for gateway in topology.gateways.values()
        if gateway.properties.vpnClientConfiguration
        for server in gateway.properties.vpnClientConfiguration.servers
    }
    here = {radius_name(step.at or ""), radius_name(step.at or "", second=True), step.at}
    found = [
        name
        for name in servers
        if str(addresses.get(name)) in asked and (step.at is None or name in here)
    ]
    if len(found) < 2:
        yield Problem(
            (*path, "fault"),
            "there is no second RADIUS server that a gateway asks",
            "name two in radiusServers of the gateway's document, or use radius-down",
        )


def _one_of(path: Path, step: steps.Fault, known: list[str], what: str) -> Iterator[Problem]:
    if step.at is not None and step.at not in known:
        yield Problem(
            (*path, "at"), f"there is no {what} {step.at!r}", did_you_mean(step.at, known)
        )
    elif step.at is None and len(known) != 1:
        message = f"there is no {what}" if not known else f"there are {len(known)}, each a {what}"
        remedy = f"name one with `at` (--at): {listing(known)}" if known else f"add a {what}"
        yield Problem((*path, "fault"), message, remedy)


def _some_of(path: Path, step: steps.Fault, known: list[str]) -> Iterator[Problem]:
    if not known:
        yield Problem((*path, "fault"), "there is no RADIUS server", "add `radius:` to a site")
    elif step.at is not None and step.at not in known:
        remedy = did_you_mean(step.at, known)
        yield Problem((*path, "at"), f"there is no RADIUS server {step.at!r}", remedy)


def only_active_faults_end(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`endFault` names a fault that an earlier step or the timetable has begun."""
    yield from _begun_twice(topology)
    active = {fault.fault for fault in topology.faults}
    for index, step in enumerate(topology.expect):
        path: Path = ("expect", index)
        if isinstance(step, steps.Fault):
            if step.fault in active and step.seconds is None:
                yield Problem((*path, "fault"), f"{step.fault} is already active", "end it first")
            active.add(step.fault)
        elif isinstance(step, steps.EndFault):
            if step.endFault not in active:
                remedy = did_you_mean(step.endFault, active) if active else "begin it before"
                yield Problem((*path, "endFault"), f"{step.endFault} has not begun", remedy)
            active.discard(step.endFault)


def _begun_twice(topology: Topology) -> Iterator[Problem]:
    """In the timetable, one fault of a kind is active at a time, whatever its place."""
    ends: dict[FaultName, float] = {}
    indices = range(len(topology.faults))
    for index in sorted(indices, key=lambda n: topology.faults[n].after or 0):
        fault = topology.faults[index]
        begin = fault.after or 0
        if begin <= ends.get(fault.fault, -1):
            yield Problem(
                ("faults", index, "fault"),
                f"{fault.fault} is still active then",
                "let the other one end before, with `for`",
            )
        ends[fault.fault] = begin + (math.inf if fault.seconds is None else fault.seconds)


RULES = (faults_have_a_target, faults_have_what_belongs_to_them, only_active_faults_end)
RUNNING = (faults_have_a_target, faults_have_what_belongs_to_them)
"""Rules for steps on a running lab, which knows its active faults itself."""
