"""The names that a file declares, sound or not: so that one mistake is not told twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.topology.reading.problems import Path, in_the_file

_KINDS = {
    "gateways": "a gateway",
    "access": "an access network",
    "clients": "a client",
}
_WITH_HOSTS = {"vnets": "a VNet", "sites": "a site"}


@dataclass(frozen=True)
class Declared:
    """Names as the file has them, also of entries that have errors of their own."""

    vnets: dict[str, frozenset[str]]
    """VNet to its subnets."""
    nodes: tuple[tuple[str, str, Path], ...]
    """Name, what it is, and where it stands, of every node that the file names."""
    hosts: frozenset[str]
    gateways: frozenset[str]
    sites: frozenset[str]
    access: frozenset[str]
    clients: frozenset[str]
    pki: frozenset[str]
    unsound: frozenset[Path] = frozenset()
    """Parts that were left out because of errors of their own."""
    kept: Mapping[Path, Sequence[int]] = field(default_factory=dict)
    """For each list, which of the file's entries are left."""

    @classmethod
    def of(
        cls, data: dict[str, Any], unsound: frozenset[Path], kept: Mapping[Path, Sequence[int]]
    ) -> Declared:
        """Of a document in which anything may be of any type."""
        vnets = _mapping(data.get("vnets"))
        sites = _mapping(data.get("sites"))
        with_hosts = (*vnets.values(), *sites.values())
        return cls(
            vnets={name: _names(vnet, "subnets") for name, vnet in vnets.items()},
            nodes=tuple(_nodes(data)),
            hosts=frozenset().union(*(_names(place, "hosts") for place in with_hosts)),
            gateways=_names(data, "gateways"),
            sites=frozenset(sites),
            access=_names(data, "access"),
            clients=_names(data, "clients"),
            pki=_names(data, "pki"),
            unsound=unsound,
            kept=kept,
        )

    def whole(self, *path: str | int) -> bool:
        """Whether nothing at or under the path was left out."""
        place = in_the_file(path, self.kept)
        return not any(part[: len(place)] == place for part in self.unsound)


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
