"""On-premises sites: their connections and private links."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.arm.resource import NOT_YET, GatewayProperties
from gateway.arm.rules.ipsec import connection_policies
from gateway.arm.sku import SKUS, more_tunnels
from lab.choices import did_you_mean
from lab.topology.model.sites import Site
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
        for found in connection_refusals(site, gateway.properties) if gateway else ():
            yield Problem((*path[:-1], *found.path), found.message, found.remedy)


def connection_refusals(site: Site, gateway: GatewayProperties) -> Iterator[Problem]:
    """What is wrong with the site's connection to such a gateway; paths start at `connection`."""
    if site.connection is None:
        return
    if gateway.vpnType == "PolicyBased":
        message = f"a connection of a PolicyBased gateway: {NOT_YET}"
        yield Problem(("to",), message, "use RouteBased")
    for found in connection_policies(site.connection.ipsecPolicies, gateway):
        yield Problem(found.path, found.message, found.remedy)


def tunnels_fit_the_sku(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A gateway has at most its SKU's number of site-to-site tunnels (the seed's table)."""
    for name, gateway in topology.gateways.items():
        sku = SKUS[gateway.properties.sku.name]
        sites = [
            site
            for site, spec in topology.sites.items()
            if spec.connection and spec.connection.to == name
        ]
        for site in sites[sku.site_to_site_tunnels :]:
            yield Problem(
                ("sites", site, "connection", "to"),
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
    tunnels_fit_the_sku,
    a_device_needs_a_connection,
    a_private_link_is_alone,
)
