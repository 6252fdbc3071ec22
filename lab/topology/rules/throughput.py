"""The steps `throughput`: they name computers, and ask for what can be."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.arm.sku import SKUS
from lab.topology.model.steps import Throughput
from lab.topology.model.topology import Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.clients import gateway_dialled
from lab.topology.rules.declared import Declared
from lab.topology.rules.steps import all_nodes, unknown


def throughput_names_computers(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The computers and the host exist, and are different ones."""
    computers = all_nodes(topology, declared) - frozenset(declared.vnets)
    for _, path, step in _steps(topology):
        for index, name in enumerate(step.throughput):
            where = (*path, "throughput", index)
            yield from unknown(where, "node", name, computers)
            if name in step.throughput[:index]:
                yield Problem(where, f"{name!r} is there twice", "use `connections: 2`")
            elif name == step.host:
                yield Problem(where, f"{name!r} is the host itself", "name another computer")
        yield from unknown((*path, "host"), "node", step.host, computers)
        if step.of is not None and step.of not in step.throughput:
            yield Problem(
                (*path, "of"),
                f"{step.of!r} is not measured",
                f"one of: {', '.join(step.throughput)}",
            )


def throughput_is_possible(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Limits are given, they do not contradict each other, and no rate on the way is lower."""
    for index, path, step in _steps(topology):
        if not declared.whole(*path):
            continue
        if step.atLeast is None and step.atMost is None:
            yield Problem(path, "nothing is compared", "add `atLeast: 50`, `atMost: 65`, or both")
        if step.atLeast is None:
            continue
        if step.atMost is not None and step.atLeast > step.atMost:
            yield Problem(
                (*path, "atLeast"),
                f"{step.atLeast:g} is more than `atMost`, {step.atMost:g}",
                "make it less",
            )
        for most, what in (*_of_gateway(topology, step, index), *_of_access(topology, step)):
            if step.atLeast > most:
                yield Problem(
                    (*path, "atLeast"),
                    f"no more than {most:g} Mbit/s can pass: {what}",
                    f"make it less than {most:g}, because headers count there and not here",
                )


def _steps(topology: Topology) -> Iterator[tuple[int, Path, Throughput]]:
    for index, step in enumerate(topology.expect):
        if isinstance(step, Throughput):
            yield index, ("expect", index), step


def _measured(step: Throughput) -> tuple[str, ...]:
    return step.throughput if step.of is None else (step.of,)


def _of_gateway(topology: Topology, step: Throughput, index: int) -> Iterator[tuple[float, str]]:
    """The rate of the gateway through which everything that is measured passes, if it is one."""
    site = _site_of(topology, step.host)
    if site is None and not any(step.host in vnet.hosts for vnet in topology.vnets.values()):
        return
    ways = {_gateway_of(topology, name, site, index) for name in _measured(step)}
    name = ways.pop() if len(ways) == 1 else None
    gateway = topology.gateways.get(name or "")
    if gateway is None:
        return
    skus = [gateway.properties.sku.name]
    for properties in topology.changes_of(name or ""):
        later = (properties.get("sku") or {}).get("name")
        skus += [later] if later in SKUS else []
    benchmark, sku = max((SKUS[sku].aggregate_mbps, sku) for sku in skus)
    words = f"{name} is {sku}" + (
        f" at a scale of {gateway.benchmarkScale:g}" if gateway.benchmarkScale < 1 else ""
    )
    yield benchmark * gateway.benchmarkScale, words


def _gateway_of(topology: Topology, name: str, target: str | None, index: int) -> str | None:
    """By which gateway a computer reaches hosts of VNets, or of the site `target`."""
    if name in topology.clients:
        return gateway_dialled(topology, name, index)
    site = _site_of(topology, name)
    if site is None or site == target:
        return None
    connection = topology.sites[site].connection
    return connection.to if connection else None


def _site_of(topology: Topology, host: str) -> str | None:
    return next((name for name, site in topology.sites.items() if host in site.hosts), None)


def _of_access(topology: Topology, step: Throughput) -> Iterator[tuple[float, str]]:
    """The rates of the access networks of everything that is measured, if each has one."""
    names = {
        topology.clients[name].behind if name in topology.clients else ""
        for name in _measured(step)
    }
    rates = [topology.access[name].rate if name in topology.access else None for name in names]
    known = [rate for rate in rates if rate is not None]
    if known and len(known) == len(rates):
        ways = 2 if step.direction == "both" else 1
        yield sum(known) * ways, f"the rate of {', '.join(sorted(names))}"


RULES = (throughput_names_computers, throughput_is_possible)
