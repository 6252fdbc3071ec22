"""Prefixes and addresses: what meets does not overlap, everything fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Literal, TypeVar

from gateway.arm.rules.addresses import NOT_HANDED_OUT
from lab.topology.model.sites import Site
from lab.topology.model.topology import GATEWAY_SUBNET, Topology, Vnet
from lab.topology.model.values import IpAddress, Network
from lab.topology.planning.addressing import (
    ACCESS_PUBLIC,
    AZURE_FIRST,
    GATEWAY_PUBLIC,
    PRIVATE_LINKS,
    RESERVED,
    SITE_PAIRS,
    NoRoomError,
    access_lans,
    hand_out,
    lan_addresses,
    overlap,
    pairs,
    pool,
    site_addresses,
)
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

SMALLEST_SUBNET = 8
"""Addresses in a /29: Azure's smallest subnet, GatewaySubnet included."""
SMALLEST_LAN = 16
DNS_PORT = 53

T = TypeVar("T")


@dataclass(frozen=True)
class _Claim:
    """A prefix in use by part of the topology."""

    kind: Literal["vnet", "site", "lan", "pool"]
    owner: str
    prefix: Network
    path: Path
    realm: str = ""
    """The VNet in whose routes it is, if any: a VNet's own, that of a pool's gateway or of a site's
    tunnel."""
    public: bool = False
    """An access network without NAT: gateways and the Internet see its addresses."""
    connected: frozenset[str] = frozenset()
    """The VNets that have routes to it by a VNet-to-VNet connection."""

    def __str__(self) -> str:
        whose = {
            "vnet": "the VNet",
            "site": "the site",
            "lan": "the access network",
            "pool": "the address pool of",
        }
        return f"{whose[self.kind]} {self.owner!r}"


def _claims(topology: Topology) -> Iterator[_Claim]:
    for name, vnet in topology.vnets.items():
        for index, prefix in enumerate(vnet.addressSpace):
            path: Path = ("vnets", name, "addressSpace", index)
            yield _Claim("vnet", name, prefix, path, name, connected=_connected(topology, name))
    for name, site in topology.sites.items():
        yield from _site_claims(topology, name, site)
    for name, access in topology.access.items():
        if access.lan:
            path = ("access", name, "lan")
            yield _Claim("lan", name, access.lan, path, public=not access.nat)
    for name, gateway in topology.gateways.items():
        where: Path = ("gateways", name, "properties", "vpnClientConfiguration")
        where = (*where, "vpnClientAddressPool", "addressPrefixes")
        for index, prefix in enumerate(pool(topology, name)):
            yield _Claim("pool", name, prefix, (*where, index), gateway.vnet)


def _site_claims(topology: Topology, name: str, site: Site) -> Iterator[_Claim]:
    """What the VNet has routes to, and a LAN that it does not know of."""
    path: Path = ("sites", name)
    realm = _realm(topology, site)
    told = site.connection.localNetworkGateway.addressPrefixes if site.connection else None
    if told is None:
        yield _Claim("site", name, site.lan, (*path, "lan"), realm)
        return
    yield _Claim("site", name, site.lan, (*path, "lan"))
    where = (*path, "connection", "localNetworkGateway", "addressPrefixes")
    for index, prefix in enumerate(told):
        yield _Claim("site", name, prefix, (*where, index), realm)


def _connected(topology: Topology, vnet: str) -> frozenset[str]:
    pairs = (
        tuple(topology.gateways[name].vnet for name in one.gateways if name in topology.gateways)
        for one in topology.connections.values()
    )
    return frozenset(other for pair in pairs if vnet in pair for other in pair) - {vnet}


def _realm(topology: Topology, site: Site) -> str:
    if site.connection:
        gateway = topology.gateways.get(site.connection.to)
        return gateway.vnet if gateway else ""
    return next(iter(topology.vnets), "") if site.privateLink else ""


def prefixes_that_meet_do_not_overlap(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Prefixes that one router has to tell apart. VNets meet by a connection only, and nobody
    outside sees a network behind NAT; Azure's rules check a pool against its own VNet."""
    claims = [(claim.prefix, claim) for claim in _claims(topology)]
    for first, second in _clashes(claims, lambda one, two: not _meeting_place(one, two)):
        yield Problem(
            second.path,
            f"{second.prefix} overlaps {first.prefix} of {first}: {_meeting_place(first, second)}",
            "choose a prefix that the other does not have",
        )


def _meeting_place(first: _Claim, second: _Claim) -> str:
    """Who would have two routes for an address; empty if nobody."""
    kinds = {first.kind, second.kind}
    if first.public or second.public:
        hidden = kinds == {"lan"} and not (first.public and second.public)
        return "" if hidden else "an access network without NAT is seen by everybody"
    if first.realm and first.realm == second.realm and kinds not in ({"pool"}, {"pool", "vnet"}):
        return f"the VNet {first.realm!r} has routes to both"
    for one, other in permutations((first, second)):
        if other.realm in one.connected:
            return f"the VNet {other.realm!r} has routes to both"
    return ""


def _clashes(
    claims: Sequence[tuple[Network, T]], harmless: Callable[[T, T], bool] = lambda *_: False
) -> Iterator[tuple[T, T]]:
    """Overlapping pairs, the earlier of the list first; only the closest overlap of each prefix.

    Prefixes either nest or are disjoint. In address order, the prefixes that enclose the current
    one form a chain, so not every pair has to be compared.
    """
    order = sorted(
        range(len(claims)),
        key=lambda n: (claims[n][0].version, claims[n][0].network_address, claims[n][0].prefixlen),
    )
    chain: list[int] = []
    for this in order:
        while chain and not overlap(claims[chain[-1]][0], claims[this][0]):
            chain.pop()
        for other in reversed(chain):
            first, second = (claims[n][1] for n in sorted((other, this)))
            if not harmless(first, second):
                yield first, second
                break
        chain.append(this)


def reserved_prefixes_are_not_used(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The lab's Internet and the kernel have prefixes of their own; Azure's rules keep pools from
    the kernel's."""
    reserved = dict(RESERVED)
    if any(site.privateLink for site in topology.sites.values()):
        reserved["private links"] = PRIVATE_LINKS
    for claim in _claims(topology):
        for use, prefix in reserved.items():
            azures = claim.kind == "pool" and prefix in NOT_HANDED_OUT
            if overlap(claim.prefix, prefix) and not azures:
                yield Problem(
                    claim.path,
                    f"{claim.prefix} overlaps {prefix}, which is reserved for {use}",
                    "choose another, such as one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
                )


def subnets_fit(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """Subnets are in the address space, disjoint and large enough."""
    for name, vnet in topology.vnets.items():
        for subnet, prefix in vnet.subnets.items():
            path: Path = ("vnets", name, "subnets", subnet)
            known = declared.whole("vnets", name, "addressSpace")
            if known and not any(_inside(prefix, space) for space in vnet.addressSpace):
                spaces = ", ".join(map(str, vnet.addressSpace))
                yield Problem(path, f"{prefix} is not inside the address space of {name!r}",
                              f"a part of {spaces}, or add it to addressSpace")  # fmt: skip
            if prefix.num_addresses < SMALLEST_SUBNET:
                advice = "; Azure advises a /27" if subnet == GATEWAY_SUBNET else ""
                yield Problem(path, f"{prefix} is too small for a subnet",
                              f"{_length(prefix, SMALLEST_SUBNET)} or larger{advice}")  # fmt: skip
        subnets = [(prefix, subnet) for subnet, prefix in vnet.subnets.items()]
        for one, two in _clashes(subnets):
            yield Problem(
                ("vnets", name, "subnets", two),
                f"{vnet.subnets[two]} overlaps {vnet.subnets[one]} of the subnet {one!r}",
                "choose another part of the address space",
            )


def gateways_are_in_ipv4(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Its VNet, and the DNS servers that it gives its clients: the tunnels carry IPv4 alone."""
    with_gateway = {gateway.vnet for gateway in topology.gateways.values()}
    for name, vnet in topology.vnets.items():
        if name not in with_gateway:
            continue
        parts: dict[Path, Sequence[Network | IpAddress]] = {
            ("addressSpace",): vnet.addressSpace,
            ("dhcpOptions", "dnsServers"): vnet.dhcpOptions.dnsServers,
        }
        for path, values in parts.items():
            for index, value in enumerate(values):
                if value.version != 4:
                    yield Problem(
                        ("vnets", name, *path, index),
                        f"{value} is IPv6, and {name!r} has a gateway",
                        "gateways of this lab carry IPv4 alone: use another VNet",
                    )


def hosts_fit(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Requested addresses are usable and unique; the subnet has room for the other hosts."""
    for name, vnet in topology.vnets.items():
        for host_name, host in vnet.hosts.items():
            prefix = vnet.subnets.get(host.subnet)
            large = prefix and prefix.num_addresses >= SMALLEST_SUBNET  # else subnets_fit says so
            if prefix and large and host.address and not _usable(host.address, prefix):
                yield Problem(
                    ("vnets", name, "hosts", host_name, "address"),
                    f"{host.address} cannot be used in {prefix}",
                    f"give one from {prefix.network_address + AZURE_FIRST} to {prefix[-2]}: "
                    "Azure keeps the first four addresses and the last",
                )
        yield from _duplicates(name, vnet)
        yield from _full_subnets(name, vnet)


def _duplicates(name: str, vnet: Vnet) -> Iterator[Problem]:
    hosts = [(str(host.address), h) for h, host in vnet.hosts.items() if host.address]
    for (first, one), (second, two) in pairwise(sorted(hosts, key=lambda pair: pair[0])):
        if first == second:
            yield _duplicate_address(("vnets", name, "hosts", two, "address"), second, one)


def _full_subnets(name: str, vnet: Vnet) -> Iterator[Problem]:
    for subnet, prefix in vnet.subnets.items():
        requested = {h: host.address for h, host in vnet.hosts.items() if host.subnet == subnet}
        try:
            hand_out(prefix, requested, first=AZURE_FIRST)
        except NoRoomError as error:
            yield Problem(("vnets", name, "subnets", subnet), str(error), "make it larger")


def routed_networks_are_in_ipv4(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The lab's Internet, which would have to know the way back, has IPv4 alone."""
    for name, access in topology.access.items():
        if access.lan and access.lan.version != 4 and not access.nat:
            yield Problem(
                ("access", name, "lan"),
                f"{access.lan} is IPv6, and the lab's Internet routes IPv4 alone",
                "an IPv4 prefix, or leave `nat: false` out",
            )


def proxies_have_a_port(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The proxy's node answers DNS, too, for clients whom nobody else answers."""
    for name, access in topology.access.items():
        if access.proxy and access.proxy.port == DNS_PORT:
            yield Problem(
                ("access", name, "proxy", "port"),
                f"the proxy's node answers DNS on port {DNS_PORT}",
                "choose another port, such as 3128",
            )


def access_networks_fit(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A LAN has room for its clients; a free prefix is left for each network without `lan`."""
    try:
        lans = access_lans(topology)
    except NoRoomError as error:
        yield Problem(("access",), str(error))
        return
    for name, access in topology.access.items():
        path: Path = ("access", name, "lan") if access.lan else ("access", name)
        if lans[name].num_addresses < SMALLEST_LAN:
            yield Problem(path, f"{lans[name]} is too small for an access network",
                          f"{_length(lans[name], SMALLEST_LAN)} or larger")  # fmt: skip
            continue
        try:
            lan_addresses(topology, name, access, lans[name])
        except NoRoomError as error:
            yield Problem(path, str(error), "give it a larger `lan`")


def sites_fit(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A LAN is IPv4 and has room for its computers; requested addresses are usable."""
    for name, site in topology.sites.items():
        path: Path = ("sites", name)
        if site.lan.version != 4 or site.lan.num_addresses < SMALLEST_LAN:
            yield Problem((*path, "lan"), f"{site.lan} cannot be a site's LAN",
                          "an IPv4 prefix, a /28 or larger, such as 192.168.50.0/24")  # fmt: skip
            continue
        yield from _requested_addresses_fit(name, site)
        try:
            site_addresses(name, site)
        except NoRoomError as error:
            yield Problem((*path, "lan"), str(error), "make it larger")


def _requested_addresses_fit(name: str, site: Site) -> Iterator[Problem]:
    """Requested addresses are in the LAN, not the VPN device's, and unique."""
    taken: dict[IpAddress, str] = {}
    for part, address in _requested_addresses(site):
        path: Path = ("sites", name, *part)
        if address not in site.lan or address in (site.lan[0], site.lan[1], site.lan[-1]):
            yield Problem(
                path,
                f"{address} cannot be used in {site.lan}",
                f"give one from {site.lan[2]} to {site.lan[-2]}: the first is the VPN device's",
            )
        elif address in taken:
            yield _duplicate_address(path, str(address), taken[address])
        else:
            taken[address] = part[-2]


def _requested_addresses(site: Site) -> Iterator[tuple[tuple[str, ...], IpAddress]]:
    if site.radius:
        yield ("radius", "address"), site.radius.address
        if site.radius.second:
            yield ("radius", "second"), site.radius.second
    if site.directory:
        yield ("directory", "address"), site.directory.address
    for host, spec in site.hosts.items():
        if spec.address:
            yield ("hosts", host, "address"), spec.address


def _duplicate_address(path: Path, address: str, other: str) -> Problem:
    return Problem(
        path, f"{address} is the address of {other!r} already", "choose another, or leave it out"
    )


def the_internet_has_room(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The lab's Internet has a /30 for each gateway, site and access network."""
    for path, prefix, names in (
        ("gateways", GATEWAY_PUBLIC, topology.gateways),
        ("sites", SITE_PAIRS, topology.sites),
        ("access", ACCESS_PUBLIC, topology.access),
    ):
        try:
            pairs(prefix, names)
        except NoRoomError as error:
            yield Problem((path,), str(error), "use fewer of them")


def _inside(prefix: Network, space: Network) -> bool:
    return overlap(prefix, space) and prefix.prefixlen >= space.prefixlen


def _usable(address: IpAddress, prefix: Network) -> bool:
    if address.version != prefix.version or address not in prefix:
        return False
    place = int(address) - int(prefix.network_address)
    return AZURE_FIRST <= place < prefix.num_addresses - 1


def _length(prefix: Network, addresses: int) -> str:
    return f"a /{prefix.max_prefixlen - addresses.bit_length() + 1}"


RULES = (
    prefixes_that_meet_do_not_overlap,
    reserved_prefixes_are_not_used,
    subnets_fit,
    gateways_are_in_ipv4,
    hosts_fit,
    sites_fit,
    access_networks_fit,
    routed_networks_are_in_ipv4,
    proxies_have_a_port,
    the_internet_has_room,
)
