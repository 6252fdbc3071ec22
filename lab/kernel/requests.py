"""rtnetlink requests as pyroute2 encodes them, each with the words that `ip` would have for it.

Sources: RFC 3549; linux/rtnetlink.h, if_link.h, if_addr.h. Addresses are text; the family is
that of the text, IPv4 or IPv6.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from lab.kernel.lazy import lazy_package

lazy_package("pyroute2")
from pyroute2.netlink import (  # noqa: E402 (after lazy_package)
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    nlmsg,
)
from pyroute2.netlink.rtnl import (  # noqa: E402
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
)
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: E402
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP, ifinfmsg  # noqa: E402
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: E402

ADD = NLM_F_CREATE | NLM_F_EXCL
UP = {"flags": IFF_UP, "change": IFF_UP}
DOWN = {"flags": 0, "change": IFF_UP}
LOOPBACK = 1
MAIN_TABLE, STATIC, UNICAST = 254, 4, 1
SKIP_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
NO_DAD = 0x02  # IFA_F_NODAD: nobody else can have the address, and it must be usable at once
DEFAULT_MTU = 1500

IFF_RUNNING = 0x40
_FLAGS = struct.Struct("=16x8xI4x")
"""struct nlmsghdr, then struct ifinfomsg's ifi_flags."""

Attribute = tuple[str, Any]


class Request(NamedTuple):
    """One encoded message and the words that `ip` would have for it."""

    words: str
    data: bytes


@dataclass(frozen=True)
class Port:
    """Where an end of a cable is plugged in: its name, its index and the switch it belongs to."""

    name: str
    index: int
    master: int = 0


def _request(
    words: str,
    message: nlmsg,
    kind: int,
    flags: int,
    fields: Mapping[str, int],
    *attributes: Attribute,
) -> Request:
    message.update(fields, attrs=list(attributes))
    message["header"].update(type=kind, flags=flags | NLM_F_REQUEST)
    message.encode()
    return Request(words, bytes(message.data))


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _size(mtu: int) -> list[Attribute]:
    return [] if mtu == DEFAULT_MTU else [("IFLA_MTU", mtu)]


@cache
def up(index: int) -> Request:
    """Set a link up."""
    words = f"link set index {index} up"
    return _request(words, ifinfmsg(), RTM_NEWLINK, 0, {"index": index, **UP})


@cache
def down(index: int) -> Request:
    """Set a link down: its routes and its IPv6 addresses go with that."""
    words = f"link set index {index} down"
    return _request(words, ifinfmsg(), RTM_NEWLINK, 0, {"index": index, **DOWN})


@cache
def show(index: int) -> Request:
    """Ask for a link; from Linux 6.8 on the kernel first carries out what its carrier brings."""
    return _request(
        f"link show index {index}",
        ifinfmsg(),
        RTM_GETLINK,
        0,
        {"index": index},
        ("IFLA_EXT_MASK", SKIP_STATISTICS),
    )


def is_running(answer: bytes) -> bool:
    """Whether the link of a `show` answer works: up, with carrier, and the stack knows it."""
    flags: int = _FLAGS.unpack_from(answer)[0]
    return bool(flags & IFF_RUNNING)


@cache
def plug(index: int, master: int) -> Request:
    """Make a link a port of a bridge."""
    words = f"link set index {index} master {master}"
    fields = {"index": index}
    return _request(words, ifinfmsg(), RTM_NEWLINK, 0, fields, ("IFLA_MASTER", master))


@cache
def rename(index: int, name: str) -> Request:
    """Give a link that is down another name."""
    words = f"link set index {index} name {name}"
    return _request(words, ifinfmsg(), RTM_NEWLINK, 0, {"index": index}, ("IFLA_IFNAME", name))


@cache
def size(index: int, mtu: int) -> Request:
    """Set a link's MTU."""
    words = f"link set index {index} mtu {mtu}"
    return _request(words, ifinfmsg(), RTM_NEWLINK, 0, {"index": index}, ("IFLA_MTU", mtu))


def bridge(name: str, index: int) -> Request:
    """A switch, up. Without STP its ports forward as soon as they have a carrier."""
    info = {"attrs": [("IFLA_INFO_KIND", "bridge")]}
    return _request(
        f"link add {name} type bridge",
        ifinfmsg(),
        RTM_NEWLINK,
        ADD,
        {"index": index, **UP},
        ("IFLA_IFNAME", name),
        ("IFLA_LINKINFO", info),
    )


def veth(near: Port, far: Port, namespace: int, mtu: int = DEFAULT_MTU) -> Request:
    """A cable: the near end up and in its switch, the far end born down in `namespace` (a
    descriptor), where its own switch, if any, has to `plug` it: the kernel ignores it here."""
    peer = {
        "index": far.index,
        "attrs": [("IFLA_IFNAME", far.name), ("IFLA_NET_NS_FD", namespace), *_size(mtu)],
    }
    data = {"attrs": [("VETH_INFO_PEER", peer)]}
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]}
    return _request(
        f"link add {near.name} type veth peer name {far.name}",
        ifinfmsg(),
        RTM_NEWLINK,
        ADD,
        {"index": near.index, **UP},
        ("IFLA_IFNAME", near.name),
        ("IFLA_LINKINFO", info),
        *_size(mtu),
        *([("IFLA_MASTER", near.master)] if near.master else []),
    )


def address(index: int, cidr: str) -> Request:
    """An address in CIDR form on a link."""
    ip, _, length = cidr.partition("/")
    family = _family(ip)
    return _request(
        f"address add {cidr} dev index {index}",
        ifaddrmsg(),
        RTM_NEWADDR,
        ADD,
        {"family": family, "prefixlen": int(length), "index": index},
        ("IFA_LOCAL", ip),
        ("IFA_ADDRESS", ip),
        *([("IFA_FLAGS", NO_DAD)] if family == socket.AF_INET6 else []),
    )


def route(destination: str, via: str) -> Request:
    """A route in the main table; `destination` is a prefix or `default`."""
    network, _, length = destination.replace("default", "/0").partition("/")
    return _request(
        f"route add {destination} via {via}",
        rtmsg(),
        RTM_NEWROUTE,
        ADD,
        {
            "family": _family(via),
            "dst_len": int(length),
            "table": MAIN_TABLE,
            "proto": STATIC,
            "type": UNICAST,
        },
        *([("RTA_DST", network)] if network else []),
        ("RTA_GATEWAY", via),
    )
