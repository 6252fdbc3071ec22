"""Translations of an address translator (NAT), from its kernel's connection tracking.

Source: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.kernel.encoding import HEADER, attributes
from lab.kernel.netlink import Netlink

_NETLINK_NETFILTER = 12
"""Python's socket has no name for it."""
_GET = 1 << 8 | 1
"""NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET."""
_NFGENMSG = 4
"""Bytes: family, version, resource id."""
_ORIGINAL, _REPLY = 1, 2
_IP, _PROTO = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_KIND = 0x3FFF
"""NLA_TYPE_MASK."""


@dataclass(frozen=True)
class Translation:
    """A tracked connection: `inside` began it, and the other end sees it come from `outside`."""

    protocol: int
    """Of IP: socket.IPPROTO_TCP, socket.IPPROTO_UDP."""
    inside: tuple[str, int]
    """Address and port."""
    outside: tuple[str, int]
    to: str
    """The other end's address: `outside` is the same for connections to several."""


def translations() -> list[Translation]:
    """Every TCP and UDP connection over IPv4 that the calling thread's namespace tracks.

    KernelError: the kernel does not tell.
    """
    netlink = Netlink(_NETLINK_NETFILTER)
    try:
        messages = netlink.dump("conntrack -L", _GET, socket.AF_INET, _NFGENMSG)
    finally:
        netlink.close()
    return list(_read(messages))


def _read(messages: list[bytes]) -> Iterator[Translation]:
    for message in messages:
        found = _nested(message, HEADER.size + _NFGENMSG)
        original, reply = (_nested(found.get(kind, b"")) for kind in (_ORIGINAL, _REPLY))
        protocol = _nested(original.get(_PROTO, b"")).get(_NUMBER, b"\0")[0]
        if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
            inside = _endpoint(original, _SOURCE, _SOURCE_PORT)
            outside = _endpoint(reply, _DESTINATION, _DESTINATION_PORT)
            to, _ = _endpoint(original, _DESTINATION, _DESTINATION_PORT)
            yield Translation(protocol, inside, outside, to)


def _nested(data: bytes, offset: int = 0) -> dict[int, bytes]:
    return {kind & _KIND: payload for kind, payload in attributes(data, offset)}


def _endpoint(tuple_: dict[int, bytes], address: int, port: int) -> tuple[str, int]:
    ip, proto = _nested(tuple_[_IP]), _nested(tuple_[_PROTO])
    return str(IPv4Address(ip[address])), int.from_bytes(proto[port])
