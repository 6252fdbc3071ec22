"""Reset a namespace's network to its own links, as restarting a computer would.

Killed programs leave tunnel devices, addresses, rules, routes and IPsec state behind.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Collection
from contextlib import suppress

from lab.kernel.encoding import HEADER, NLM_F_ACK, NLM_F_REQUEST, attributes
from lab.kernel.netlink import KernelError, Netlink
from lab.kernel.requests import (
    LOOPBACK,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_GETRULE,
    Request,
    down,
)

NETLINK_XFRM = 6
XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY = 0x1C, 0x1D
ANY_PROTOCOL = b"\xff" + bytes(7)  # struct xfrm_usersa_flush: IPSEC_PROTO_ANY, padded
FRA_PRIORITY = 6
KERNEL_RULES = (0, 32766, 32767)
IFINFOMSG, FIB_RULE_HDR = 16, 12
"""Bytes of struct ifinfomsg and struct fib_rule_hdr."""
RECEIVE = 4096
GONE = (errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENOENT, errno.EOPNOTSUPP)
"""Errors that are ignored: the object was deleted together with another one, or a tunnel driver
keeps it (fallback devices such as sit0)."""


def forget(netlink: Netlink, own: Collection[int]) -> None:
    """Delete all links except `own` and `lo`, and every address, route, rule and IPsec state.

    The own links are down afterwards. Call it in a thread inside the namespace.
    """
    netlink.apply([down(index) for index in (*own, LOOPBACK)])
    foreign = [
        message[: HEADER.size + IFINFOMSG]  # a request to delete must not have the attributes
        for message in netlink.dump("link show", RTM_GETLINK)
        if _link_index(message) not in (*own, LOOPBACK)
    ]
    _delete(netlink, "link", RTM_DELLINK, foreign)
    _delete(netlink, "address", RTM_DELADDR, netlink.dump("address show", RTM_GETADDR))
    rules = [
        rule
        for rule in netlink.dump("rule show", RTM_GETRULE)
        if _priority(rule) not in KERNEL_RULES
    ]
    _delete(netlink, "rule", RTM_DELRULE, rules)
    _delete(netlink, "route", RTM_DELROUTE, netlink.dump("route show", RTM_GETROUTE))
    _flush_ipsec()


def _delete(netlink: Netlink, what: str, kind: int, messages: list[bytes]) -> None:
    """Delete objects: a dumped message with another type is the request to delete its object."""
    for message in messages:
        head = HEADER.pack(len(message), kind, NLM_F_REQUEST, 0, 0)
        try:
            netlink.apply([Request(f"{what} delete", head + message[HEADER.size :])])
        except KernelError as error:
            if error.errno not in GONE:
                raise


def _link_index(message: bytes) -> int:
    index: int = struct.unpack_from("=i", message, HEADER.size + 4)[0]  # ifinfomsg.ifi_index
    return index


def _priority(rule: bytes) -> int:
    """FRA_PRIORITY of a dumped rule; the kernel omits it for priority 0."""
    priority = dict(attributes(rule, HEADER.size + FIB_RULE_HDR)).get(FRA_PRIORITY, bytes(4))
    return int.from_bytes(priority, sys.byteorder)


def _flush_ipsec() -> None:
    """Delete security associations and policies; a kernel without IPsec has none."""
    with suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as xfrm:
        for kind, body in ((XFRM_MSG_FLUSHSA, ANY_PROTOCOL), (XFRM_MSG_FLUSHPOLICY, b"")):
            flags = NLM_F_REQUEST | NLM_F_ACK
            xfrm.send(HEADER.pack(HEADER.size + len(body), kind, flags, 0, 0) + body)
            xfrm.recv(RECEIVE)
