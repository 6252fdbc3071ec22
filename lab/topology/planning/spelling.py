"""References in the spelling of what they refer to: as in ARM, names compare without case."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab.choices import spelling
from lab.topology.model.steps import SECOND_FACTOR, VERBS, EndFault, Fault, verb_of
from lab.topology.planning.addressing import directory_name, link_name, proxy_name, radius_name
from lab.topology.planning.wiring import INTERNET
from lab.topology.reading.problems import Path

PLACEHOLDER = re.compile(r"\$\{(?P<name>[^}]*?)(\.(?P<what>[^}.]*))?\}")
"""`${NAME.publicCertData}`: the last full stop ends the name."""
_ANY = "*"
_PARTS = ("vnets", "gateways", "sites", "access", "pki", "clients")
_REFERENCES: dict[Path, str] = {
    ("vnets", _ANY, "hosts", _ANY, "subnet"): "subnets",
    ("vnets", _ANY, "hosts", _ANY, "radius", "certificates", "authority"): "pki",
    ("vnets", _ANY, "hosts", _ANY, "radius", "certificates", "revoked", _ANY): "clients",
    ("gateways", _ANY, "vnet"): "vnets",
    ("gateways", _ANY, "serverCertificate", "issuer"): "pki",
    ("sites", _ANY, "connection", "to"): "gateways",
    ("connections", _ANY, "virtualNetworkGateway1"): "gateways",
    ("connections", _ANY, "virtualNetworkGateway2"): "gateways",
    ("sites", _ANY, "radius", "certificates", "authority"): "pki",
    ("sites", _ANY, "radius", "certificates", "revoked", _ANY): "clients",
    ("pki", _ANY, "issuer"): "pki",
    ("clients", _ANY, "behind"): "access",
    ("clients", _ANY, "gateway"): "gateways",
    ("clients", _ANY, "certificate", "issuer"): "pki",
    ("clients", _ANY, "otherCertificates", _ANY, "issuer"): "pki",
}
"""Where a name stands for a key of a part of the file, or of the VNet's subnets."""
_NOT_NODES = (*SECOND_FACTOR, Fault, EndFault)
"""Steps whose subject is a user or a fault."""
NODES = {*VERBS, "host", "radius", "at", "to"}
"""Keys of steps whose values are names of nodes, but for the subjects of the former."""
Spelling = Mapping[str, str]
"""lab.choices.spelling of names."""


def respelled(data: dict[str, Any]) -> dict[str, Any]:
    """The document with each reference as the key that it refers to is written."""
    whole: dict[str, Any] = _Speller(data).at((), data)
    nodes = spelling(declared_nodes(data))
    for part in ("expect", "faults"):
        if isinstance(whole.get(part), list):
            whole[part] = [respelled_step(step, nodes) for step in whole[part]]
    return whole


class _Speller:
    """Spells references outside of steps."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._parts = {part: spelling(_keys(data, part)) for part in _PARTS}
        self._holders = self._parts["pki"] | self._parts["clients"]
        """Holders of certificates, to which placeholders refer."""

    def at(self, path: Path, value: Any) -> Any:
        """The value at the path of the document."""
        if isinstance(value, dict):
            return {key: self.at((*path, key), inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.at((*path, index), inner) for index, inner in enumerate(value)]
        return self._text(path, value) if isinstance(value, str) else value

    def _text(self, path: Path, text: str) -> str:
        for pattern, part in _REFERENCES.items():
            if _matches(pattern, path):
                known = self._subnets(path) if part == "subnets" else self._parts[part]
                return known.get(text.casefold(), text)
        return PLACEHOLDER.sub(self._placeholder, text) if "properties" in path else text

    def _subnets(self, path: Path) -> Spelling:
        return spelling(_keys(self._data, *path[:2], "subnets"))

    def _placeholder(self, found: re.Match[str]) -> str:
        name = found["name"]
        return f"${{{self._holders.get(name.casefold(), name)}{found[2] or ''}}}"


def respelled_step(step: Any, nodes: Spelling) -> Any:
    """A step's document with the names of nodes as they are spelled."""
    verb = verb_of(step) if isinstance(step, dict) else None
    if verb is None:
        return step
    named = NODES - {verb} if VERBS[verb] in _NOT_NODES else NODES
    return {
        key: nodes.get(value.casefold(), value)
        if key in named and isinstance(value, str)
        else value
        for key, value in step.items()
    }


def declared_nodes(data: dict[str, Any]) -> Iterator[str]:
    """All nodes that the file may have: those that it names, and what belongs to them; and the
    connections, of which steps speak as they do of sites."""
    for part in ("vnets", "sites"):
        for name in _keys(data, part):
            yield name
            yield from _keys(data, part, name, "hosts")
    for part in ("gateways", "connections", "access", "clients"):
        yield from _keys(data, part)
    yield INTERNET
    yield from map(proxy_name, _keys(data, "access"))
    for name in _keys(data, "sites"):
        yield from (link_name(name), directory_name(name))
        yield from (radius_name(name), radius_name(name, second=True))


def _matches(pattern: Path, path: Path) -> bool:
    return len(pattern) == len(path) and all(
        want in (_ANY, part) for want, part in zip(pattern, path, strict=True)
    )


def _keys(data: Any, *path: str | int) -> list[str]:
    """The keys of the mapping at the path; none if there is no mapping."""
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return list(data) if isinstance(data, dict) else []
