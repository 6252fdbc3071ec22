"""Rules over a whole topology. Each module has a table RULES of functions, `warnings` has WARNINGS.

A rule yields a Problem for each violation. It sees a topology without the parts that did not
validate, so it checks `declared` before it reports a missing name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from lab.topology.model.topology import Topology
from lab.topology.reading.problems import Problem
from lab.topology.rules import (
    access,
    certificates,
    clients,
    directories,
    faults,
    gateways,
    names,
    prefixes,
    radius,
    route_tables,
    security_groups,
    sites,
    steps,
    systems,
    throughput,
    unused,
    warnings,
)
from lab.topology.rules.declared import Declared

Rule = Callable[[Topology, Declared], Iterator[Problem]]
_TABLES: Iterable[Iterable[Rule]] = (
    names.RULES,
    prefixes.RULES,
    access.RULES,
    certificates.RULES,
    clients.RULES,
    systems.RULES,
    gateways.RULES,
    sites.RULES,
    route_tables.RULES,
    security_groups.RULES,
    radius.RULES,
    directories.RULES,
    steps.RULES,
    throughput.RULES,
    faults.RULES,
    unused.RULES,
)


_RUNNING: Iterable[Rule] = (*steps.RUNNING, *systems.RUNNING, *faults.RUNNING, *access.RUNNING)


def step_problems(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The problems of `expect:` as steps for a running lab."""
    for rule in _RUNNING:
        yield from rule(topology, declared)


def rule_problems(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The problems that all rules find."""
    for rule in chain.from_iterable(_TABLES):
        yield from rule(topology, declared)


def rule_warnings(topology: Topology) -> Iterator[Problem]:
    """Remarks on a topology without problems."""
    for rule in warnings.WARNINGS:
        yield from rule(topology)
