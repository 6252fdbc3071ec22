"""Who reaches what through the gateway: one table of rows, and the nftables rules it yields. Pure.

Forwarding is stateless: each packet is judged by the rules of that moment, so that the next packet
after the end of a session or connection is dropped. Conntrack tracks only the gateway's own
requests; neither strangers nor clients can create entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, Literal, get_args

from gateway.arm.rules.addresses import PRIVATE
from gateway.policy.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from ipaddress import IPv4Address

    from gateway.arm.placement import Placement
    from gateway.common.vocabulary import VpnProtocol

TABLE = "inet p2slab_gateway"
SESSIONS, RESERVED = "sessions", "reserved"
"""Sets of private addresses, each with the interface on which its packets arrive: of sessions, and
of admitted peers whose session is not open yet; the kernel expires the latter."""
SIZE = 16384
"""Maximum elements of the former, far beyond any SKU's limit: with a size, the kernel uses a hash
table that is never resized, whose lookups cost a third less."""

Zone = Literal["clients", "vnet", "sites"]
Within = Literal["routes", "network"]


@dataclass(frozen=True)
class Row:
    """`origin` may send to `target`, restricted to the prefixes of `within` if given.

    Clients are always those with a session or a reservation, sites those with a connection.
    """

    origin: Zone
    target: Zone
    within: Within | None = None


ROWS = (
    Row("clients", "vnet", "routes"),
    Row("clients", "sites", "routes"),
    Row("vnet", "clients"),
    Row("vnet", "sites"),
    Row("sites", "vnet", "network"),
    Row("sites", "clients"),
)
"""Everything that is forwarded."""

SERVICES = (("tcp", "443"), ("udp", "{ 500, 4500 }"), ("esp", ""))
"""Services reachable from the Internet at the public address: protocols and ports."""

_SOURCE_WITHIN = "@th,160,32"
"""The source of the packet that an ICMP error quotes (RFC 792): 20 bytes into the message."""


@dataclass(frozen=True)
class Attachment:
    """How the gateway is attached: its addresses, and the interfaces of its tunnels' packets."""

    public: IPv4Address
    private: IPv4Address
    outside: str
    inside: str
    userspace: bool
    """Whether IPsec runs in kernel-libipsec; otherwise in the kernel, and its packets arrive on
    `outside`."""
    speaker: IPv4Address | None = None
    """Where the gateway speaks BGP."""

    @classmethod
    def of(cls, placement: Placement, *, userspace: bool) -> Attachment:
        """The attachment of a gateway with this placement."""
        interfaces = placement.interfaces
        addresses = placement.publicIPAddress, placement.privateIPAddress
        return cls(
            *addresses,
            interfaces.public,
            interfaces.private,
            userspace,
            placement.bgpPeeringAddress,
        )

    @property
    def own(self) -> str:
        """The addresses at which the gateway's own requests are answered."""
        addresses = (self.private, *((self.speaker,) if self.speaker else ()))
        return f"{{ {', '.join(map(str, addresses))} }}" if self.speaker else str(self.private)

    @property
    def interfaces(self) -> Mapping[VpnProtocol, str]:
        """The interface on which clients' packets arrive, by protocol."""
        devices = {protocol: row.device for protocol, row in PROTOCOLS.items()}
        return devices if self.userspace else devices | {"IkeV2": self.outside}

    @property
    def arrives_in_clear(self) -> str:
        """Matches, among packets on the IPsec interface, those from the Internet outside IPsec."""
        return "" if self.userspace else "meta secpath missing "

    @property
    def leaves_in_clear(self) -> str:
        """Matches packets that go to the Internet outside IPsec."""
        return f'oifname "{self.outside}"' + ("" if self.userspace else " rt ipsec missing")


@dataclass(frozen=True)
class Reach:
    """The prefixes in the desired state."""

    pool: tuple[IPv4Network, ...] = ()
    """The client address pool."""
    routes: tuple[IPv4Network, ...] = ()
    """Destinations that clients send into the tunnel."""
    network: tuple[IPv4Network, ...] = ()
    """The VNet's."""
    sites: tuple[IPv4Network, ...] = ()
    """The prefixes of all connected sites."""


def rules(attachment: Attachment, reach: Reach) -> str:
    """nft commands, as one transaction: the table with exactly these rules; the elements of the two
    sets stay.

    Each packet passes few rules, because they are evaluated per packet: about a microsecond in all.
    """
    pool, sites = any_of(reach.pool), any_of(reach.sites)
    private = any_of((*PRIVATE, *reach.pool, *reach.network, *reach.sites))
    ipsec = attachment.interfaces["IkeV2"]
    tunnels = [name for name in attachment.interfaces.values() if name != ipsec]
    arriving = {attachment.outside: "outside", attachment.inside: "inside", ipsec: "decrypted"}
    forwarding = {attachment.inside: "of_vnet", ipsec: "of_ipsec"}
    return f"""
add table {TABLE}
flush table {TABLE}
table {TABLE} {{
  set {SESSIONS} {{ type ipv4_addr . ifname; size {SIZE}; }}
  set {RESERVED} {{ type ipv4_addr . ifname; flags timeout; }}

  chain arriving {{
    type filter hook prerouting priority raw; policy accept;
    iifname {_ways(arriving | dict.fromkeys(tunnels, "tunnel"))}
  }}
  chain outside {{
    ip daddr != {attachment.public} drop
    ip saddr {private} drop
    meta nfproto != ipv4 drop
    {_lines(f"{service} notrack" for service in _services("dport"))}
  }}
  chain inside {{
    {f"ip saddr {pool} drop" if pool else ""}
    goto ours
  }}
  chain decrypted {{
    {f"{attachment.arrives_in_clear}goto outside" if attachment.arrives_in_clear else ""}
    {f"ip saddr {sites} goto ours" if sites else ""}
    goto tunnel
  }}
  chain tunnel {{
    ip saddr . iifname @{SESSIONS} notrack accept
    ip saddr . iifname @{RESERVED} notrack accept
    drop
  }}
  chain ours {{
    ip daddr != {attachment.own} notrack accept
    icmp type echo-request notrack
  }}

  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    iifname "{attachment.outside}" {attachment.arrives_in_clear}goto public
    ct state established,related accept
    icmp type echo-request accept
  }}
  chain public {{
    {_lines(f"{service} accept" for service in _services("dport"))}
    icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} \
      {_SOURCE_WITHIN} {int(attachment.public):#x} accept
    ct state established,related accept
  }}

  chain forward {{
    type filter hook forward priority filter; policy drop;
    {"" if attachment.userspace else f"{attachment.leaves_in_clear} drop"}
    iifname {_ways(forwarding | dict.fromkeys(tunnels, "of_clients"))}
  }}
  chain of_ipsec {{
    {f"{attachment.arrives_in_clear}drop" if attachment.arrives_in_clear else ""}
    {f"ip saddr {sites} goto of_sites" if sites else ""}
    goto of_clients
  }}
{_lines(_of_zone(zone, attachment, reach) for zone in get_args(Zone))}

  chain untracked {{
    type filter hook output priority raw; policy accept;
    {_lines(f"{attachment.leaves_in_clear} {s} notrack" for s in _services("sport"))}
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
    {attachment.leaves_in_clear} goto to_outside
  }}
  chain to_outside {{
    ip saddr != {attachment.public} drop
    ip daddr {private} drop
    meta nfproto != ipv4 drop
  }}
}}
"""


def _ways(chains: Mapping[str, str]) -> str:
    """A verdict map from interfaces to chains."""
    ways = ", ".join(f'"{name}" : goto {chain}' for name, chain in chains.items())
    return f"vmap {{ {ways} }}"


def _services(port: Literal["dport", "sport"]) -> Iterator[str]:
    for protocol, numbers in SERVICES:
        yield f"{protocol} {port} {numbers}" if numbers else f"meta l4proto {protocol}"


def _of_zone(zone: Zone, attachment: Attachment, reach: Reach) -> str:
    rows = (row for row in ROWS if row.origin == zone)
    found = (rule for row in rows for rule in _rules_of(row, attachment, reach))
    return f"  chain of_{zone} {{\n    {_lines(found)}\n  }}"


def _rules_of(row: Row, attachment: Attachment, reach: Reach) -> Iterator[str]:
    """The rules of a row; none if its list of prefixes is empty."""
    within = ""
    if row.within:
        prefixes = any_of(getattr(reach, row.within))
        if not prefixes:
            return
        within = f"ip daddr {prefixes} "
    sites, ipsec = any_of(reach.sites), attachment.interfaces["IkeV2"]
    ways = {
        "vnet": [f'oifname "{attachment.inside}"'],
        "sites": [f'oifname "{ipsec}" ip daddr {sites}'] if sites else [],
        "clients": [f"ip daddr . oifname @{name}" for name in (SESSIONS, RESERVED)],
    }
    for way in ways[row.target]:
        yield f"{way} {within}accept"


def any_of(prefixes: Iterable[IPv4Network]) -> str:
    """An anonymous nft set; empty text for no prefixes."""
    texts = ", ".join(map(str, collapse_addresses(prefixes)))
    return f"{{ {texts} }}" if texts else ""


def _lines(rules: Iterable[str]) -> str:
    return "\n    ".join(rules)
