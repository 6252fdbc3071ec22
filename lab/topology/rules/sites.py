"""On-premises sites and their private links, and the connections of gateways."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress

from gateway.arm.resource import NOT_YET, BgpSettings, GatewayProperties
from gateway.arm.rules.bgp import asn_of, usable_asn
from gateway.arm.rules.ipsec import connection_policies
from gateway.arm.sku import SKUS, more_tunnels
from lab.choices import did_you_mean
from lab.topology.model.sites import (
    LocalNetworkGateway,
    Site,
    SiteConnection,
    ToldBgp,
    VnetConnection,
    VpnDevice,
)
from lab.topology.model.topology import Topology
from lab.topology.model.values import IpAddress, Network
from lab.topology.planning.addressing import (
    SITE_PAIRS,
    NoRoomError,
    overlap,
    pairs,
    pool,
    radius_name,
    site_addresses,
)
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def silent_providers_have_a_narrow_line(
    topology: Topology, _declared: Declared
) -> Iterator[Problem]:
    """No packet is too large for a line that takes all that an Ethernet has."""
    for name, site in topology.sites.items():
        if not site.tellsMtu and site.mtu == Site.model_fields["mtu"].default:
            yield Problem(
                ("sites", name, "tellsMtu"),
                f"no packet is too large for the line of {name!r}, so there is nothing to tell",
                "give it an mtu, such as 1400, or leave tellsMtu out",
            )


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
        for key, given in (("ike", site.ike), ("device", site.device != VpnDevice())):
            known = declared.whole("sites", name, "connection")
            if given and not site.connection and known:
                yield Problem(
                    ("sites", name, key),
                    f"{name!r} has no connection, so {key} has no effect",
                    f"add a `connection`, or leave {key} out",
                )


def tunnels_are_in_ipv4(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Addresses of VPN devices and gateways, and prefixes behind them."""
    for name, site in topology.sites.items():
        for path, value in _tunnel_ends(site):
            if value.version != 4:
                yield Problem(
                    ("sites", name, *path),
                    f"{value} is IPv6, and site-to-site tunnels of this lab are IPv4",
                    "give one of IPv4",
                )


def _tunnel_ends(site: Site) -> Iterator[tuple[Path, IpAddress | Network]]:
    device = site.device
    told = site.connection.localNetworkGateway if site.connection else LocalNetworkGateway()
    local: Path = ("connection", "localNetworkGateway")
    addresses = {
        ("device", "peer"): device.peer,
        (*local, "gatewayIpAddress"): told.gatewayIpAddress,
    }
    prefixes = {
        ("device", "localPrefixes"): device.localPrefixes,
        ("device", "remotePrefixes"): device.remotePrefixes,
        (*local, "addressPrefixes"): told.addressPrefixes,
    }
    yield from ((path, address) for path, address in addresses.items() if address)
    for path, several in prefixes.items():
        yield from (((*path, index), prefix) for index, prefix in enumerate(several or ()))


def selectors_are_whole(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The gateway needs an address in what both sides have in common (kernel-libipsec), and has one
    in each prefix of its VNet and its pool."""
    for name, site in topology.sites.items():
        gateway = topology.gateways.get(site.connection.to) if site.connection else None
        vnet = topology.vnets.get(gateway.vnet) if gateway else None
        if not site.connection or not gateway or not vnet or not declared.whole("vnets"):
            continue
        whole = (*vnet.addressSpace, *pool(topology, site.connection.to))
        for index, prefix in enumerate(site.device.remotePrefixes or ()):
            around = [one for one in whole if overlap(one, prefix)]
            if any(one.prefixlen < prefix.prefixlen for one in around):
                yield Problem(
                    ("sites", name, "device", "remotePrefixes", index),
                    f"{prefix} is a part of {around[0]}: this lab has no tunnels for parts",
                    f"give {around[0]}, or a prefix outside of it",
                )


def devices_have_addresses_of_their_own(
    topology: Topology, declared: Declared
) -> Iterator[Problem]:
    """A gateway has one tunnel to an address (gateway.arm.rules.connections)."""
    if not declared.whole("sites") or not declared.documents_are_whole():
        return
    try:
        true = pairs(SITE_PAIRS, topology.sites)
    except NoRoomError:
        return  # lab.topology.rules.prefixes says so
    taken: dict[tuple[str, str], str] = {}
    connected = {name: site.connection for name, site in topology.sites.items() if site.connection}
    # Those that are left out come first: theirs is the address that nobody chose.
    for name, spec in sorted(
        connected.items(), key=lambda one: one[1].localNetworkGateway.gatewayIpAddress is not None
    ):
        address = spec.localNetworkGateway.gatewayIpAddress or true[name].device
        other = taken.setdefault((spec.to, str(address)), name)
        if other != name:
            yield Problem(
                ("sites", name, "connection", "localNetworkGateway", "gatewayIpAddress"),
                f"{spec.to} has a tunnel to {address} already, that of {other!r}",
                "give an address that no other site has",
            )


def default_gateways_are_neighbours(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A computer reaches its default gateway in the LAN; it may be one that nobody has."""
    for name, site in topology.sites.items():
        if not declared.whole("sites", name):
            continue
        with suppress(NoRoomError):  # lab.topology.rules.prefixes says so
            own = site_addresses(name, site)
            for path, gateway, nodes in _default_gateways(name, site):
                yield from _not_a_neighbour(path, gateway, site.lan, {own[node] for node in nodes})


def _default_gateways(name: str, site: Site) -> Iterator[tuple[Path, IpAddress, tuple[str, ...]]]:
    """Path, address, and the nodes that have it."""
    for host, spec in site.hosts.items():
        if spec.defaultGateway:
            yield ("sites", name, "hosts", host, "defaultGateway"), spec.defaultGateway, (host,)
    if site.radius and site.radius.defaultGateway:
        second = (radius_name(name, second=True),) if site.radius.second else ()
        path: Path = ("sites", name, "radius", "defaultGateway")
        yield path, site.radius.defaultGateway, (radius_name(name), *second)


def _not_a_neighbour(
    path: Path, gateway: IpAddress, lan: Network, own: Container[IpAddress]
) -> Iterator[Problem]:
    if gateway not in lan or gateway in (lan[0], lan[-1]):
        yield Problem(
            path,
            f"{gateway} is no computer's address in {lan}",
            f"give one from {lan[1]}, the VPN device's, to {lan[-2]}",
        )
    elif gateway in own:
        yield Problem(path, f"{gateway} is its own address", "give another of the LAN")


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


def bgp_has_two_ends(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A site with BGP has a connection to a gateway with BGP, and an ASN that is not the gateway's;
    what Azure is told of the site includes its peer."""
    for name, site in topology.sites.items():
        told = site.connection.localNetworkGateway.bgpSettings if site.connection else ToldBgp()
        if site.bgp is None:
            if told != ToldBgp():
                remedy = "add `bgp: {asn: 65010}` to the site, or leave bgpSettings out"
                yield Problem(_told_bgp(name), f"{name!r} has no BGP", remedy)
            continue
        path: Path = ("sites", name, "bgp")
        ends = ((path, site.bgp.asn), (_told_bgp(name), told.asn))
        yield from _usable(ends)
        if site.connection is None:
            remedy = "add `connection: {to: GATEWAY, sharedKey: ...}` to the site"
            yield Problem(path, "BGP without a tunnel", remedy)
            continue
        if not any(site.bgp_peer in prefix for prefix in site.known_prefixes):
            yield Problem(
                ("sites", name, "connection", "localNetworkGateway", "addressPrefixes"),
                f"the device's BGP address {site.bgp_peer} is in none of them",
                f"add {site.bgp_peer}/32",
            )
        gateway = topology.gateways.get(site.connection.to)
        if gateway and declared.whole("gateways", site.connection.to):
            yield from _bgp_at_the_gateway(ends, site.connection.to, gateway.properties)


def _told_bgp(site: str) -> Path:
    return ("sites", site, "connection", "localNetworkGateway", "bgpSettings")


_Numbers = Sequence[tuple[Path, int | None]]
"""Where a site's ASN stands, the true one first."""


def _usable(numbers: _Numbers) -> Iterator[Problem]:
    for path, asn in numbers:
        for found in usable_asn(BgpSettings(asn=asn)):
            yield Problem((*path, "asn"), found.message, found.remedy)


def _bgp_at_the_gateway(ends: _Numbers, name: str, gateway: GatewayProperties) -> Iterator[Problem]:
    if not gateway.enableBgp:
        path, _ = ends[0]
        yield Problem(path, f"{name} has no BGP", "add `enableBgp: true` to its properties")
        return
    for path, asn in ends:
        if asn == asn_of(gateway):
            message = f"{name} has the same ASN {asn}"
            yield Problem((*path, "asn"), message, "give the two sides different ASNs")


RULES = (
    bgp_has_two_ends,
    connections_have_a_gateway,
    vnets_are_connected_once,
    tunnels_fit_the_sku,
    a_device_needs_a_connection,
    tunnels_are_in_ipv4,
    selectors_are_whole,
    devices_have_addresses_of_their_own,
    default_gateways_are_neighbours,
    a_private_link_is_alone,
    silent_providers_have_a_narrow_line,
)
