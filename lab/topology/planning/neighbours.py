"""Who is on the same wire as whom, and by which MAC addresses: from the plan, before it is built.

The kernel has one table of 1,024 neighbours for all network namespaces of the machine, which labs
and programs that have nothing to do with each other fill together; permanent entries do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lab.topology.planning.plan import Kind, Plan

MESH = 32
"""Up to so many interfaces on one wire know each other. Where there are more, that would be a
thousand entries and more: there, all know those who serve many, and those know all."""
SERVED: frozenset[Kind] = frozenset({"client", "host"})
"""Kinds of computers that many others have no reason to speak to."""


class Interface(NamedTuple):
    """A node's end of a cable, or its switch."""

    node: str
    name: str


class Neighbour(NamedTuple):
    """Another computer on the same wire."""

    address: str
    """Without the prefix's length."""
    mac: str


Neighbours = Mapping[Interface, tuple[Neighbour, ...]]


@dataclass(frozen=True)
class _Member:
    interface: Interface
    addresses: tuple[str, ...]
    serves: bool


def mac(interface: Interface) -> str:
    """Its MAC address, locally administered: the same whenever it is built, or built anew."""
    digest = blake2b(" ".join(interface).encode(), digest_size=5).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest))


def neighbours(plan: Plan) -> Neighbours:
    """Whom each interface that has addresses is to know."""
    return {
        member.interface: tuple(
            Neighbour(address.partition("/")[0], mac(other.interface))
            for other in wire
            if other is not member and _knows(member, other, len(wire))
            for address in other.addresses
        )
        for wire in _wires(plan)
        for member in wire
    }


def crowded(plan: Plan) -> list[str]:
    """Wires on which not everybody knows everybody: a computer there, and how many there are."""
    wires = [wire for wire in _wires(plan) if len(wire) > MESH]
    return [f"{len(wire)} on {'/'.join(_first(wire).interface)}" for wire in wires]


def _first(wire: list[_Member]) -> _Member:
    return next((member for member in wire if member.serves), wire[0])


def _knows(member: _Member, other: _Member, size: int) -> bool:
    return size <= MESH or member.serves or other.serves


def _wires(plan: Plan) -> Iterator[list[_Member]]:
    """What cables and switches join, as the interfaces there that have addresses."""
    kinds = {node.name: node.kind for node in plan.nodes}
    switches = [
        (Interface(node.name, bridge.name), bridge.addresses)
        for node in plan.nodes
        for bridge in node.bridges
    ]
    ends = [
        (Interface(end.node, end.interface), end.addresses)
        for link in plan.links
        for end in (link.a, link.b)
        if not end.bridge
    ]
    joined = _joined(plan)
    wires: dict[Interface, list[_Member]] = {}
    for interface, addresses in (*switches, *ends):
        serves = kinds[interface.node] not in SERVED
        member = _Member(interface, addresses, serves)
        if addresses:
            wires.setdefault(joined.find(interface), []).append(member)
    yield from wires.values()


class _Joined:
    """Interfaces, and which of them are joined (a forest; each tree's root stands for it)."""

    def __init__(self) -> None:
        self._parents: dict[Interface, Interface] = {}

    def find(self, interface: Interface) -> Interface:
        while (parent := self._parents.get(interface, interface)) != interface:
            interface = parent
        return interface

    def join(self, a: Interface, b: Interface) -> None:
        self._parents[self.find(b)] = self.find(a)


def _joined(plan: Plan) -> _Joined:
    joined = _Joined()
    for link in plan.links:
        a, b = (Interface(end.node, end.bridge or end.interface) for end in (link.a, link.b))
        joined.join(a, b)
    return joined
