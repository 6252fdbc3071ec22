"""rtnetlink requests, each with its equivalent `ip` command.

Sources: RFC 3549; linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h, veth.h. Addresses are text;
the family is that of the text, IPv4 or IPv6.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from lab.kernel.encoding import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    attribute,
    message,
    number,
    text,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 28, 32, 33, 34
ADD = NLM_F_CREATE | NLM_F_EXCL
LOOPBACK = 1
MAIN_TABLE, STATIC = 254, 4
UNICAST, BLACKHOLE, THROW = 1, 6, 9
TO_TABLE = 1  # FR_ACT_TO_TBL
SKIP_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
NO_DAD = 0x02  # IFA_F_NODAD: addresses are unique, and must be usable at once
PERMANENT = 0x80  # NUD_PERMANENT
DEFAULT_MTU = 1500
NO_MAC = "00:00:00:00:00:00"
"""The MAC address of `lo`."""

IFF_UP, IFF_RUNNING = 0x1, 0x40
State = tuple[int, int]
"""Flags of a link, and the mask of the flags to change."""
UP, DOWN, AS_IT_IS = (IFF_UP, IFF_UP), (0, IFF_UP), (0, 0)
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER = 1, 3, 4, 10
IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_EXT_MASK = 18, 28, 29
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
RTA_DST, RTA_GATEWAY, RTA_PRIORITY = 1, 5, 6
FRA_IIFNAME, FRA_PRIORITY = 3, 6
NDA_DST, NDA_LLADDR = 1, 2

_LINK = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, change."""
_ADDRESS = struct.Struct("=BBBBi")
"""struct ifaddrmsg: family, length of the prefix, flags, scope, index."""
_ROUTE = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, lengths of destination and source, service, table, protocol, scope, type,
flags."""
_NEIGHBOUR = struct.Struct("=B3xiHBB")
"""struct ndmsg: family, index, state, flags, type."""
_FLAGS = struct.Struct("=16x8xI4x")
"""struct nlmsghdr, then struct ifinfomsg's ifi_flags."""


class Request(NamedTuple):
    """One encoded message and its equivalent `ip` command."""

    command: str
    data: bytes


@dataclass(frozen=True)
class Port:
    """An end of a cable: its name, its index, the bridge that it belongs to (0: none), and its MAC
    address (empty: chosen by the kernel)."""

    name: str
    index: int
    master: int = 0
    mac: str = ""


def _link(
    command: str, index: int, attributes: bytes = b"", *, flags: int = 0, state: State = AS_IT_IS
) -> Request:
    body = _LINK.pack(0, 0, index, *state) + attributes
    return Request(command, message(RTM_NEWLINK, flags, body))


def family_of(address: str) -> int:
    """Of an address or a prefix as text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _size(mtu: int) -> bytes:
    return b"" if mtu == DEFAULT_MTU else number(IFLA_MTU, mtu)


def _mac(mac: str) -> bytes:
    return attribute(IFLA_ADDRESS, _bytes(mac)) if mac else b""


def _bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


@cache
def up(index: int) -> Request:
    """Set a link up."""
    return _link(f"link set index {index} up", index, state=UP)


@cache
def down(index: int) -> Request:
    """Set a link down, which also deletes its routes, IPv6 addresses and neighbours."""
    return _link(f"link set index {index} down", index, state=DOWN)


@cache
def show(index: int) -> Request:
    """Ask for a link; since Linux 6.8 the kernel first processes pending carrier changes."""
    body = _LINK.pack(0, 0, index, 0, 0) + number(IFLA_EXT_MASK, SKIP_STATISTICS)
    return Request(f"link show index {index}", message(RTM_GETLINK, 0, body))


def is_running(answer: bytes) -> bool:
    """Whether the link of a `show` answer is operational: up and with carrier."""
    flags: int = _FLAGS.unpack_from(answer)[0]
    return bool(flags & IFF_RUNNING)


@cache
def plug(index: int, master: int) -> Request:
    """Make a link a port of a bridge."""
    command = f"link set index {index} master {master}"
    return _link(command, index, number(IFLA_MASTER, master))


@cache
def rename(index: int, name: str) -> Request:
    """Rename a link that is down."""
    return _link(f"link set index {index} name {name}", index, text(IFLA_IFNAME, name))


@cache
def size(index: int, mtu: int) -> Request:
    """Set a link's MTU."""
    return _link(f"link set index {index} mtu {mtu}", index, number(IFLA_MTU, mtu))


def bridge(name: str, index: int, mac: str = "") -> Request:
    """Create a bridge, up. Without STP its ports forward as soon as they have carrier."""
    info = attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))
    attributes = text(IFLA_IFNAME, name) + _mac(mac) + info
    return _link(f"link add {name} type bridge", index, attributes, flags=ADD, state=UP)


def veth(near: Port, far: Port, namespace: int, mtu: int = DEFAULT_MTU) -> Request:
    """Create a cable: the near end up and in its bridge, the far end down in `namespace` (a
    descriptor). The kernel ignores the far end's bridge here: `plug` it there afterwards."""
    peer = _LINK.pack(0, 0, far.index, 0, 0) + text(IFLA_IFNAME, far.name) + _mac(far.mac)
    peer += number(IFLA_NET_NS_FD, namespace) + _size(mtu)
    data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer))
    attributes = text(IFLA_IFNAME, near.name) + _mac(near.mac)
    attributes += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth") + data) + _size(mtu)
    attributes += number(IFLA_MASTER, near.master) if near.master else b""
    command = f"link add {near.name} type veth peer name {far.name}"
    return _link(command, near.index, attributes, flags=ADD, state=UP)


def address(index: int, cidr: str) -> Request:
    """Add an address in CIDR form to a link."""
    ip, _, length = cidr.partition("/")
    family = family_of(ip)
    packed = socket.inet_pton(family, ip)
    body = _ADDRESS.pack(family, int(length), 0, 0, index)
    body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    body += number(IFA_FLAGS, NO_DAD) if family == socket.AF_INET6 else b""
    return Request(f"address add {cidr} dev index {index}", message(RTM_NEWADDR, ADD, body))


def route(destination: str, via: str, metric: int = 0) -> Request:
    """Add a route to the main table; `destination` is a prefix or `default`."""
    network, _, length = destination.replace("default", "/0").partition("/")
    family = family_of(via)
    body = _ROUTE.pack(family, int(length), 0, 0, MAIN_TABLE, STATIC, 0, UNICAST, 0)
    body += attribute(RTA_DST, socket.inet_pton(family, network)) if network else b""
    body += attribute(RTA_GATEWAY, socket.inet_pton(family, via))
    body += number(RTA_PRIORITY, metric) if metric else b""
    return Request(f"route add {destination} via {via}", message(RTM_NEWROUTE, ADD, body))


def table_route(table: int, destination: str, kind: int, via: str = "") -> Request:
    """Add a route to another table than the main one, whose number is below 256; `kind`: UNICAST,
    BLACKHOLE or THROW."""
    network, _, length = destination.partition("/")
    family = family_of(network)
    body = _ROUTE.pack(family, int(length), 0, 0, table, STATIC, 0, kind, 0)
    body += attribute(RTA_DST, socket.inet_pton(family, network))
    body += attribute(RTA_GATEWAY, socket.inet_pton(family, via)) if via else b""
    command = f"route add {destination} via {via or kind} table {table}"
    return Request(command, message(RTM_NEWROUTE, ADD, body))


def rule(interface: str, table: int, priority: int, *, family: int = socket.AF_INET) -> Request:
    """Look up what comes from an interface in a table first."""
    body = _ROUTE.pack(family, 0, 0, 0, table, 0, 0, TO_TABLE, 0)
    body += text(FRA_IIFNAME, interface) + number(FRA_PRIORITY, priority)
    command = f"rule add iif {interface} table {table} priority {priority}"
    return Request(command, message(RTM_NEWRULE, ADD, body))


def neighbour(index: int, ip: str, mac: str = "") -> Request:
    """Add a permanent neighbour entry: it needs no ARP, and does not count against the limit of
    1,024 entries for all namespaces (net.ipv4.neigh.default.gc_thresh3).

    Tunnels have no MAC addresses, and a single entry for 0.0.0.0.
    """
    family = family_of(ip)
    body = _NEIGHBOUR.pack(family, index, PERMANENT, 0, 0)
    body += attribute(NDA_DST, socket.inet_pton(family, ip))
    body += attribute(NDA_LLADDR, _bytes(mac)) if mac else b""
    at = f" lladdr {mac}" if mac else ""
    command = f"neighbour replace {ip}{at} dev index {index} nud permanent"
    return Request(command, message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body))


LOCAL_NEIGHBOURS = (neighbour(LOOPBACK, "0.0.0.0", NO_MAC), neighbour(LOOPBACK, "::1", NO_MAC))
"""Entries of `lo`, which has one for all IPv4 addresses, as tunnels have."""
