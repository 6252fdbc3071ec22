"""What must hold of a topology as a whole. Each module has a table RULES of functions.

A rule yields a Problem for everything that it finds; it sees a topology from which parts with
errors of their own were taken out, and asks `declared` before it says that a name is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from lab.topology.model.topology import Topology
from lab.topology.reading.problems import Problem
from lab.topology.rules import (
    certificates,
    clients,
    faults,
    gateways,
    names,
    prefixes,
    radius,
    sites,
    steps,
)
from lab.topology.rules.declared import Declared

Rule = Callable[[Topology, Declared], Iterator[Problem]]
_TABLES: Iterable[Iterable[Rule]] = (
    names.RULES,
    prefixes.RULES,
    certificates.RULES,
    clients.RULES,
    gateways.RULES,
    sites.RULES,
    radius.RULES,
    steps.RULES,
    faults.RULES,
)


def rule_problems(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Everything that the rules find."""
    for rule in chain.from_iterable(_TABLES):
        yield from rule(topology, declared)
