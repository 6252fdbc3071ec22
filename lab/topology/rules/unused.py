"""What would change nothing: it is refused, because somebody meant something by it.

What is built and merely not used is no such thing: a RADIUS server that no gateway asks is a
mistake that people make, and reproduce here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from lab.choices import did_you_mean
from lab.topology.model.hosts import Computer
from lab.topology.model.topology import Topology
from lab.topology.planning.radius_servers import RadiusNode, radius_nodes
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared
from radius.methods import Method

_IN_ORDER = ("expect", "faults", "properties")
"""Where an entry may stand twice, or where Azure's own rules look for it."""
_OF_CERTIFICATES: Method = "EAP-TLS"


def nothing_is_listed_twice(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """An entry that a list has already."""
    for path, values in _lists(topology, ()):
        seen: set[Any] = set()
        for index, value in enumerate(values):
            if value in seen:
                yield Problem((*path, index), f"{value} is listed twice", "list it once")
            seen.add(value)


def _lists(value: Any, path: Path) -> Iterator[tuple[Path, tuple[Any, ...]]]:
    if isinstance(value, BaseModel):
        parts = {
            field.alias or name: getattr(value, name)
            for name, field in type(value).model_fields.items()
            if name not in _IN_ORDER
        }
        yield from _lists(parts, path)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _lists(part, (*path, key))
    elif isinstance(value, tuple):
        yield path, value


def firewall_entries_add_something(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`tcp` is every port of TCP, so `tcp/443` beside it adds nothing."""
    for path, entries in _firewalls(topology):
        for index, entry in enumerate(entries):
            transport, _, port = entry.partition("/")
            if port and transport in entries:
                yield Problem(
                    (*path, index),
                    f"{transport} has {entry} in it already",
                    f"leave out {entry} or {transport}",
                )


def _firewalls(topology: Topology) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for name, access in topology.access.items():
        yield ("access", name, "allow"), access.allow or ()
    for name, site in topology.sites.items():
        yield ("sites", name, "firewall", "denyIn"), site.firewall.denyIn
        yield ("sites", name, "firewall", "denyOut"), site.firewall.denyOut
    for path, host in _hosts(topology):
        yield (*path, "firewall", "deny"), host.firewall.deny


def _hosts(topology: Topology) -> Iterator[tuple[Path, Computer]]:
    for part, networks in (("vnets", topology.vnets), ("sites", topology.sites)):
        for name, network in networks.items():
            for host, spec in network.hosts.items():
                yield (part, name, "hosts", host), spec


def who_listens_serves(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Where services listen matters only if there are some."""
    for path, host in _hosts(topology):
        if host.listens != "everywhere" and not host.serves and declared.whole(*path):
            yield Problem(
                (*path, "listens"),
                f"{path[-1]!r} serves nothing, so listens has no effect",
                "add `serves`, or leave listens out",
            )


def a_client_signs_in_in_one_way(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Who has a user name types a password, and shows no certificate."""
    for name, client in topology.clients.items():
        if client.user is not None and client.certificate is not None:
            yield Problem(
                ("clients", name, "certificate"),
                f"{name!r} signs in as {client.user!r} and never shows its certificate",
                "leave out `certificate` or `user`; who has both is two clients",
            )


def dns_servers_are_asked(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A VNet's DNS servers are for its hosts and the clients of its gateway."""
    with_gateway = {gateway.vnet for gateway in topology.gateways.values()}
    for name, vnet in topology.vnets.items():
        if vnet.dhcpOptions.dnsServers and not vnet.hosts and name not in with_gateway:
            yield Problem(
                ("vnets", name, "dhcpOptions", "dnsServers"),
                f"{name!r} has neither hosts nor a gateway, so nobody asks its DNS servers",
                "add `hosts` or a gateway, or leave `dhcpOptions` out",
            )


def directories_are_asked(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Gateways ask RADIUS servers, and these ask the directory of their site."""
    for name, site in topology.sites.items():
        path: Path = ("sites", name, "directory")
        if site.directory and not site.radius and declared.whole("sites", name, "radius"):
            yield Problem(
                path,
                f"no RADIUS server of {name!r} asks the directory",
                "add `radius: {address: ...}` to the site, or leave `directory` out",
            )


def servers_have_a_method(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A server speaks something, and EAP-TLS where it has an authority of certificates."""
    for node in _each_service(topology):
        service = node.service
        path: Path = (*node.path, "methods")
        if not service.methods:
            yield Problem(path, "a RADIUS server without a method accepts nobody",
                          "name at least one, or leave `methods` out")  # fmt: skip
        elif service.certificates and _OF_CERTIFICATES not in service.methods:
            yield Problem(path, f"certificates need {_OF_CERTIFICATES}",
                          f"add {_OF_CERTIFICATES}, or leave `certificates` out")  # fmt: skip


def who_denies_is_asked(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Who denies by the clock is a user of the server, where others approve by the clock."""
    for node in _each_service(topology):
        factor = node.service.secondFactor
        if factor is None or not factor.denied:
            continue
        path: Path = (*node.path, "secondFactor", "denied")
        if isinstance(factor.approved, str):
            yield Problem(
                path,
                f"nobody denies by the clock where approved is {factor.approved!r}",
                "give the seconds, such as `approved: 4`, or use the step `deny`",
            )
            continue
        known = _users(topology, node)
        folded = {one.lower() for one in known}
        for index, user in enumerate(factor.denied):
            if user.lower() not in folded and declared.whole(*node.path):
                message = f"the server has no user {user!r}, so nobody asks that one"
                yield Problem((*path, index), message, did_you_mean(user, known))


def _users(topology: Topology, node: RadiusNode) -> frozenset[str]:
    """Whom the server lets in by password or certificate, as they sign in."""
    site = topology.sites.get(node.site or "")
    of_domain = site.directory.users if site and site.directory else {}
    accepted = node.service.certificates
    shown = {
        client.certificate.subject or name
        for name, client in topology.clients.items()
        if client.certificate and accepted
    }
    return frozenset((*node.service.users, *of_domain, *shown))


def _each_service(topology: Topology) -> Iterator[RadiusNode]:
    """The RADIUS servers, of a site with two the first: they are one entry of the file."""
    seen: set[Path] = set()
    for node in radius_nodes(topology):
        if node.path not in seen:
            seen.add(node.path)
            yield node


RULES = (
    nothing_is_listed_twice,
    firewall_entries_add_something,
    who_listens_serves,
    a_client_signs_in_in_one_way,
    dns_servers_are_asked,
    directories_are_asked,
    servers_have_a_method,
    who_denies_is_asked,
)
