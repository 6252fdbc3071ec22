"""On-premises sites and their private links, and the connections of gateways."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.arm.resource import NOT_YET, GatewayProperties
from gateway.arm.rules.ipsec import connection_policies
from gateway.arm.sku import SKUS, more_tunnels
from lab.choices import did_you_mean
from lab.topology.model.sites import SiteConnection, VnetConnection
from lab.topology.model.topology import Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def connections_have_a_gateway(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The gateway exists, and supports site-to-site tunnels and the connection's IPsec policy."""
    for name, site in topology.sites.items():
        if site.connection is None:
            continue
        path: Path = ("sites", name, "connection", "to")
        if site.connection.to not in declared.gateways:
            remedy = did_you_mean(site.connection.to, declared.gateways)
            yield Problem(path, f"there is no gateway {site.connection.to!r}", remedy)
            continue
        gateway = topology.gateways.get(site.connection.to)
        if gateway:
            for found in connection_refusals(site.connection, gateway.properties):
                yield Problem((*path[:-1], *found.path), found.message, found.remedy)


def connection_refusals(
    connection: SiteConnection | VnetConnection, gateway: GatewayProperties
) -> Iterator[Problem]:
    """What is wrong with a connection of such a gateway; paths start at the connection."""
    if gateway.vpnType == "PolicyBased":
        message = f"a connection of a PolicyBased gateway: {NOT_YET}"
        path: Path = ("to",) if isinstance(connection, SiteConnection) else ()
        yield Problem(path, message, "use RouteBased")
    for found in connection_policies(connection.ipsecPolicies, gateway):
        yield Problem(found.path, found.message, found.remedy)


def vnets_are_connected_once(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A VNet-to-VNet connection has two gateways, which suit it."""
    seen: dict[frozenset[str], str] = {}
    for name, connection in topology.connections.items():
        path: Path = ("connections", name)
        yield from _ends(topology, declared, name, connection)
        first, second = connection.gateways
        both = frozenset(connection.gateways)
        if first == second:
            message = f"{first!r} twice: a gateway has no tunnel to itself"
            yield Problem((*path, "virtualNetworkGateway2"), message, "name another VNet's gateway")
        elif both in seen:
            message = f"{seen[both]} already connects {first} and {second}"
            yield Problem((*path, "virtualNetworkGateway2"), message, "leave one of them out")
        seen.setdefault(both, name)


def _ends(
    topology: Topology, declared: Declared, name: str, connection: VnetConnection
) -> Iterator[Problem]:
    path: Path = ("connections", name)
    for key in ("virtualNetworkGateway1", "virtualNetworkGateway2"):
        gateway = getattr(connection, key)
        if gateway not in declared.gateways:
            remedy = did_you_mean(gateway, declared.gateways)
            yield Problem((*path, key), f"there is no gateway {gateway!r}", remedy)
        elif gateway in topology.gateways:
            properties = topology.gateways[gateway].properties
            for found in connection_refusals(connection, properties):
                message = f"{gateway}: {found.message}"
                yield Problem((*path, *found.path), message, found.remedy)


def tunnels_fit_the_sku(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A gateway has at most its SKU's number of tunnels, to sites and VNets together (the seed's
    column S2S/VNet-to-VNet)."""
    for name, gateway in topology.gateways.items():
        sku = SKUS[gateway.properties.sku.name]
        connections = list(topology.connections_of(name).items())
        for own, connection in connections[sku.site_to_site_tunnels :]:
            yield Problem(
                ("sites", own, "connection", "to")
                if isinstance(connection, SiteConnection)
                else ("connections", own),
                f"the {sku.name} SKU allows {sku.site_to_site_tunnels} site-to-site tunnels",
                more_tunnels(sku),
            )


def a_device_needs_a_connection(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Without a connection the VPN device proposes nothing."""
    for name, site in topology.sites.items():
        if site.ike and not site.connection and declared.whole("sites", name):
            yield Problem(
                ("sites", name, "ike"),
                f"{name!r} has no connection, so ike has no effect",
                "add a `connection`, or leave ike out",
            )


def a_private_link_is_alone(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A private link replaces the connection and leads to the only VNet."""
    for name, site in topology.sites.items():
        path: Path = ("sites", name, "privateLink")
        if site.privateLink and site.connection:
            yield Problem(path, "a private link beside a connection", "leave out one of them")
        if site.privateLink and len(topology.vnets) != 1:
            yield Problem(
                path,
                f"a private link needs exactly one VNet, and there are {len(topology.vnets)}",
                "use one VNet in a topology with private links",
            )


RULES = (
    connections_have_a_gateway,
    vnets_are_connected_once,
    tunnels_fit_the_sku,
    a_device_needs_a_connection,
    a_private_link_is_alone,
)
