"""Who gets which address: pure and deterministic, so that a file gives the same lab every time.

Public-looking addresses come from the documentation prefixes of RFC 5737; each gateway and
access network hangs on the Internet by a /30 of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import TYPE_CHECKING

from lab.topology.model.topology import GATEWAY_SUBNET

if TYPE_CHECKING:
    from lab.topology.model.sites import Site
    from lab.topology.model.topology import Access, Topology
    from lab.topology.model.values import IpAddress, Network

GATEWAY_PUBLIC = IPv4Network("203.0.113.0/24")
SITE_PUBLIC = IPv4Network("198.51.100.0/24")
SITE_PAIRS = IPv4Network("198.51.100.0/25")
"""Of SITE_PUBLIC, whose upper half has servers of the Internet."""
PRIVATE_LINKS = IPv4Network("100.64.0.0/24")
"""RFC 6598's shared address space: the inside of carriers' networks."""
ACCESS_PUBLIC = IPv4Network("192.0.2.0/24")
PUBLIC_DNS = ip_address("198.51.100.253")
AZURE_DNS = ip_address("168.63.129.16")
RESERVED: dict[str, Network] = {
    "the Internet's side of gateways": GATEWAY_PUBLIC,
    "the Internet's side of sites": SITE_PUBLIC,
    "the Internet's side of access networks": ACCESS_PUBLIC,
    "Azure's DNS server": ip_network(AZURE_DNS),
    "hosts on this network": IPv4Network("0.0.0.0/8"),
    "loopback": IPv4Network("127.0.0.0/8"),
    "link-local addresses": IPv4Network("169.254.0.0/16"),
    "multicast": IPv4Network("224.0.0.0/3"),
}
"""What the lab or the kernel uses itself; with private links, PRIVATE_LINKS too. A VNet, a pool, a
site or an access network may have every other prefix, private or public."""

AZURE_FIRST = 4
"""Azure keeps the first four addresses of a subnet (and the last)."""
PROXY = 2
LAN_FIRST = 10
_LANS = IPv4Network("192.168.0.0/16")
_LAN_START = IPv4Network("192.168.77.0/24")


class NoRoomError(Exception):
    """A prefix has too few addresses for what stands in it."""


@dataclass(frozen=True)
class Pair:
    """The two ends of a point-to-point link to the Internet."""

    prefix: Network
    internet: IpAddress
    device: IpAddress


@dataclass(frozen=True)
class Addresses:
    """Every address of a lab, by the name of the node that has it."""

    public: dict[str, Pair]
    """Gateways, sites and access networks."""
    lans: dict[str, Network]
    """Access network to the prefix of its computers."""
    private: dict[str, IpAddress]
    """Hosts, gateways (in their GatewaySubnet), the computers of sites, clients and proxies."""
    links: dict[str, tuple[Pair, Pair]] = field(default_factory=dict)
    """Site to the ends of its private link: VNet and link, site and link."""


def allocate(topology: Topology) -> Addresses:
    """Hand out every address; NoRoomError where a prefix is too small."""
    public = {
        **pairs(GATEWAY_PUBLIC, topology.gateways),
        **pairs(SITE_PAIRS, topology.sites),
        **pairs(ACCESS_PUBLIC, topology.access),
    }
    lans = access_lans(topology)
    private: dict[str, IpAddress] = {}
    for name in topology.vnets:
        private |= vnet_addresses(topology, name)
    for name, site in topology.sites.items():
        private |= site_addresses(name, site)
    for name, access in topology.access.items():
        private |= lan_addresses(topology, name, access, lans[name])
    return Addresses(public, lans, private, private_links(topology))


def pairs(prefix: IPv4Network, names: Iterable[str]) -> dict[str, Pair]:
    """A /30 of the prefix for each name: first address the Internet's, second the node's."""
    wanted = list(names)
    subnets = list(prefix.subnets(new_prefix=30))
    if len(wanted) > len(subnets):
        raise NoRoomError(f"{prefix} has room for {len(subnets)}, and there are {len(wanted)}")
    return {
        name: Pair(subnet, subnet.network_address + 1, subnet.network_address + 2)
        for name, subnet in zip(wanted, subnets, strict=False)
    }


def access_lans(topology: Topology) -> dict[str, Network]:
    """The prefix of each access network: its own, or the next 192.168.N.0/24 that is free."""
    taken = [access.lan for access in topology.access.values() if access.lan]
    taken += [prefix for vnet in topology.vnets.values() for prefix in vnet.addressSpace]
    taken += [site.lan for site in topology.sites.values()]
    taken += [prefix for gateway in topology.gateways for prefix in pool(topology, gateway)]
    free = (lan for lan in _candidates() if not any(overlap(lan, other) for other in taken))
    lans: dict[str, Network] = {}
    for name, access in topology.access.items():
        lan = access.lan or next(free, None)
        if lan is None:
            raise NoRoomError(f"no /24 of {_LANS} is free for {name}; give it a `lan`")
        lans[name] = lan
    return lans


def vnet_addresses(topology: Topology, vnet_name: str) -> dict[str, IpAddress]:
    """Addresses of a VNet's hosts and of the gateway in its GatewaySubnet."""
    vnet = topology.vnets[vnet_name]
    result: dict[str, IpAddress] = {}
    for subnet, prefix in vnet.subnets.items():
        wishes: dict[str, IpAddress | None] = {}
        if subnet == GATEWAY_SUBNET:
            wishes |= {g: None for g, gw in topology.gateways.items() if gw.vnet == vnet_name}
        wishes |= {h: host.address for h, host in vnet.hosts.items() if host.subnet == subnet}
        result |= hand_out(prefix, wishes, first=AZURE_FIRST)
    return result


def bgp_address(topology: Topology, gateway: str) -> IPv4Address | None:
    """Where a gateway speaks BGP: the last address but one of its GatewaySubnet, as in Azure's
    articles (azure-docs bgp-howto); None: the subnet has no IPv4 prefix."""
    subnet = topology.vnets[topology.gateways[gateway].vnet].subnets.get(GATEWAY_SUBNET)
    return subnet[-2] if isinstance(subnet, IPv4Network) else None


def site_addresses(name: str, site: Site) -> dict[str, IpAddress]:
    """Addresses of the computers in a site's LAN."""
    wishes: dict[str, IpAddress | None] = {}
    if site.radius:
        wishes[radius_name(name)] = site.radius.address
        if site.radius.second:
            wishes[radius_name(name, second=True)] = site.radius.second
    if site.directory:
        wishes[directory_name(name)] = site.directory.address
    wishes |= {host: spec.address for host, spec in site.hosts.items()}
    return hand_out(site.lan, wishes, first=LAN_FIRST)


def private_links(topology: Topology) -> dict[str, tuple[Pair, Pair]]:
    """Two /30 for each site with a private link: towards the VNet and towards the site."""
    names = [name for name, site in topology.sites.items() if site.privateLink]
    ends = list(pairs(PRIVATE_LINKS, [f"{name} {end}" for name in names for end in "ab"]).values())
    return {name: (ends[2 * n], ends[2 * n + 1]) for n, name in enumerate(names)}


def lan_addresses(
    topology: Topology, name: str, access: Access, lan: Network
) -> dict[str, IpAddress]:
    """Addresses of the clients behind an access network, and of its proxy."""
    clients = [client for client, spec in topology.clients.items() if spec.behind == name]
    result = hand_out(lan, dict.fromkeys(clients), first=LAN_FIRST)
    if access.proxy:
        result[proxy_name(name)] = lan.network_address + PROXY
    return result


def hand_out(
    prefix: Network, wishes: Mapping[str, IpAddress | None], *, first: int
) -> dict[str, IpAddress]:
    """Wished-for addresses as they are, and for the others the next free one from `first` on.

    The last address (IPv4's broadcast) is kept; NoRoomError when there are too few.
    """
    taken = {address for address in wishes.values() if address is not None}
    last = prefix.num_addresses - 1
    free = (a for n in range(first, last) if (a := prefix.network_address + n) not in taken)
    result: dict[str, IpAddress] = {}
    for name, wish in wishes.items():
        address = wish or next(free, None)
        if address is None:
            room = max(0, last - first)
            raise NoRoomError(f"{prefix} has room for {room}, and {len(wishes)} are to stand in it")
        result[name] = address
    return result


def pool(topology: Topology, gateway: str) -> tuple[Network, ...]:
    """The prefixes of a gateway's client address pool; what is not a prefix is left out."""
    client = topology.gateways[gateway].properties.vpnClientConfiguration
    texts = client.vpnClientAddressPool.addressPrefixes if client else ()
    return tuple(prefix for text in texts if (prefix := prefix_or_none(text)))


def prefix_or_none(text: str) -> Network | None:
    """The prefix, or None for text that is not one."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def proxy_name(access: str) -> str:
    """The node of an access network's proxy."""
    return f"{access}-proxy"


def radius_name(site: str, *, second: bool = False) -> str:
    """The node of a site's RADIUS server."""
    return f"{site}-radius-2" if second else f"{site}-radius"


def directory_name(site: str) -> str:
    """The node of a site's domain controller."""
    return f"{site}-directory"


def link_name(site: str) -> str:
    """The node of a site's private link."""
    return f"{site}-link"


def overlap(a: Network, b: Network) -> bool:
    """Whether two prefixes, of either IP version, share an address."""
    return a.version == b.version and a.overlaps(b)


def _candidates() -> Iterator[Network]:
    """Every 192.168.N.0/24, from 77 on, then those before it."""
    lans = list(_LANS.subnets(new_prefix=24))
    start = lans.index(_LAN_START)
    yield from lans[start:]
    yield from lans[:start]
