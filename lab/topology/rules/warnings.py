"""What builds, and works otherwise than its author may expect."""

from __future__ import annotations

from collections.abc import Iterator

from lab.topology.model.sites import Site
from lab.topology.model.topology import Client, Topology
from lab.topology.model.values import Network
from lab.topology.planning.addressing import overlap, pool, prefix_or_none
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.reading.problems import Problem


def lans_overlap_routes(topology: Topology) -> Iterator[Problem]:
    """A client's LAN has addresses that its tunnel leads to as well."""
    for name, access in topology.access.items():
        behind = {c: spec for c, spec in topology.clients.items() if spec.behind == name}
        if access.lan is None or not behind:
            continue
        told = set()
        for client in behind.values():
            told |= set(_overlaps(topology, client, access.lan))
        for text in sorted(told):
            yield Problem(
                ("access", name, "lan"),
                f"{access.lan} of the access network {name!r} overlaps {text}",
                "to avoid it, give the access network another `lan`",
            )


def _overlaps(topology: Topology, client: Client, lan: Network) -> Iterator[str]:
    """The longest prefix decides; of equal ones, the LAN's."""
    gateway = topology.gateway_of(client)
    for prefix, whose in _routes(topology, gateway):
        if overlap(lan, prefix) and lan.prefixlen >= prefix.prefixlen:
            yield f"{prefix}, {whose}: its clients look for {lan} at home, not in the tunnel"
        elif overlap(lan, prefix):
            yield f"{prefix}, {whose}: connected clients look for {prefix} in the tunnel"
    for prefix in pool(topology, gateway):
        if overlap(lan, prefix):
            yield f"{prefix}, the address pool of {gateway!r}: two networks share addresses"


def _routes(topology: Topology, gateway: str) -> Iterator[tuple[Network, str]]:
    """Prefixes that clients of a gateway route into the tunnel."""
    spec = topology.gateways[gateway]
    for prefix in topology.vnets[spec.vnet].addressSpace:
        yield prefix, f"of the VNet {spec.vnet!r}"
    custom = spec.properties.customRoutes
    for text in custom.addressPrefixes if custom else ():
        route = prefix_or_none(text)
        if route:
            yield route, f"a custom route of {gateway!r}"


def radius_is_reached(topology: Topology) -> Iterator[Problem]:
    """A RADIUS server on premises is reached through a site-to-site connection only (the seed)."""
    for name, gateway in topology.gateways.items():
        configuration = gateway.properties.vpnClientConfiguration
        servers = configuration.servers if configuration else ()
        asked = {server.radiusServerAddress for server in servers}
        connected = {s for s, site in topology.sites.items() if _leads_to(site, name)}
        near = {str(node.address) for node in radius_nodes(topology) if node.site in connected}
        for node in radius_nodes(topology):
            if node.site and str(node.address) in asked - near:
                yield Problem(
                    ("sites", node.site, "radius"),
                    f"{name!r} asks the RADIUS server {node.address}, and has no connection to "
                    f"{node.site!r}: it gets no answer",
                    f"add `connection: {{to: {name}, sharedKey: ...}}` to the site",
                )


def _leads_to(site: Site, gateway: str) -> bool:
    return site.connection is not None and site.connection.to == gateway


WARNINGS = (lans_overlap_routes, radius_is_reached)
