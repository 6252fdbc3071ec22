"""The names that a file declares, valid or not, so that no mistake is reported twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.arm.rules.unknown import meet
from lab.topology.reading.problems import Path, in_the_file

_KINDS = {
    "gateways": "a gateway",
    "connections": "a connection",
    "access": "an access network",
    "clients": "a client",
}
_WITH_HOSTS = {"vnets": "a VNet", "sites": "a site"}


@dataclass(frozen=True)
class Declared:
    """All names in the file, including those of invalid entries."""

    vnets: dict[str, frozenset[str]]
    """VNet to its subnets."""
    nodes: tuple[tuple[str, str, Path], ...]
    """Name, kind and path of every node and every connection in the file."""
    hosts: frozenset[str]
    gateways: frozenset[str]
    sites: frozenset[str]
    connections: frozenset[str]
    access: frozenset[str]
    clients: frozenset[str]
    pki: frozenset[str]
    invalid: frozenset[Path] = frozenset()
    """Parts that were removed because they did not validate."""
    kept: Mapping[Path, Sequence[int]] = field(default_factory=dict)
    """For each list, the file's indices of the entries that remain."""

    @classmethod
    def of(
        cls, data: dict[str, Any], invalid: frozenset[Path], kept: Mapping[Path, Sequence[int]]
    ) -> Declared:
        """The names in a document whose values may be of any type."""
        vnets = _mapping(data.get("vnets"))
        sites = _mapping(data.get("sites"))
        with_hosts = (*vnets.values(), *sites.values())
        return cls(
            vnets={name: _names(vnet, "subnets") for name, vnet in vnets.items()},
            nodes=tuple(_nodes(data)),
            hosts=frozenset().union(*(_names(place, "hosts") for place in with_hosts)),
            gateways=_names(data, "gateways"),
            sites=frozenset(sites),
            connections=_names(data, "connections"),
            access=_names(data, "access"),
            clients=_names(data, "clients"),
            pki=_names(data, "pki"),
            invalid=invalid,
            kept=kept,
        )

    def whole(self, *path: str | int) -> bool:
        """Whether everything at or under the path is valid."""
        place = in_the_file(path, self.kept)
        return not any(part[: len(place)] == place for part in self.invalid)

    def unknown_of(self, gateway: str) -> frozenset[Path] | None:
        """The invalid parts of a gateway's document, from its `properties` on; None if nothing can
        be said of the document, because what is around it is unknown."""
        wrong = [part[2:] for part in self.invalid if part[:2] == ("gateways", gateway)]
        if any(part[:1] in ((), ("vnet",), ("deploymentModel",)) for part in wrong):
            return None
        return frozenset(part[1:] for part in wrong if part[0] == "properties")

    def knows(self, gateway: str, *path: str | int) -> bool:
        """Whether this part of a gateway's document is valid, or validly absent."""
        unknown = self.unknown_of(gateway)
        return unknown is not None and not any(meet(path, part) for part in unknown)

    def documents_are_whole(self) -> bool:
        """Whether the document of every gateway is there, and valid."""
        parts = (part for part in self.invalid if part[:1] == ("gateways",))
        return not any(len(part) < 3 or part[2] == "properties" for part in parts)


def _nodes(data: dict[str, Any]) -> Iterator[tuple[str, str, Path]]:
    for kind, what in _WITH_HOSTS.items():
        for name, place in _mapping(data.get(kind)).items():
            yield name, what, (kind, name)
            for host in _mapping(_mapping(place).get("hosts")):
                yield host, f"a host of {name}", (kind, name, "hosts", host)
    for kind, what in _KINDS.items():
        for name in _mapping(data.get(kind)):
            yield name, what, (kind, name)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: Any, key: str) -> frozenset[str]:
    return frozenset(_mapping(_mapping(value).get(key)))
