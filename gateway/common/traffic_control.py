"""Rates of links over rtnetlink: a token bucket (tbf), and a device to queue what arrives (ifb).

Layouts are those of linux/rtnetlink.h, if_link.h and pkt_sched.h, native byte order.
"""

from __future__ import annotations

import os
import socket
import struct

ROOT = 0xFFFFFFFF
_NEWLINK, _DELLINK, _NEWQDISC = 16, 17, 36
_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_IFNAME, _LINKINFO, _INFO_KIND = 3, 18, 1
_IFF_UP = 0x1
_KIND, _OPTIONS = 1, 2
_TBF_PARMS, _TBF_RATE64, _TBF_BURST = 1, 4, 6
_ETHERNET = 1
"""enum tc_link_layer: the kernel then computes times itself and needs no table of them."""
_HEADER = struct.Struct("=IHHII")
_LEAST_BURST = 128 * 1024
"""Bytes. The kernel cuts what is larger than the bucket, and segments arrive 64 KB at a time."""
_BURST, _QUEUE = 0.0125, 0.1
"""Seconds at the rate: the bucket's size, and the longest that a packet waits."""
_LINKS = 1
"""RTMGRP_LINK: news of links."""
_PATIENCE = 1.0
"""Seconds to wait for the kernel's answer, which exists as soon as the request is sent."""


def tbf(
    index: int, mbps: float, *, parent: int = ROOT, replace: bool = False
) -> tuple[int, int, bytes]:
    """What sets the rate, in Mbit/s, at which a link sends: message type, flags, body.

    `parent`: the class of another queueing discipline that it is to be in. What is counted is the
    packet as the link has it: an Ethernet link counts 14 bytes more.
    """
    rate = round(mbps * 1e6 / 8)
    burst = max(_LEAST_BURST, round(rate * _BURST))
    queue = burst + max(2 * _LEAST_BURST, round(rate * _QUEUE))
    # struct tc_ratespec of rate and peak rate, then limit, buffer, mtu of struct tc_tbf_qopt
    spec = struct.pack("=BBHhHI", 0, _ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF))
    options = _attribute(_TBF_PARMS, spec + bytes(12) + struct.pack("=III", queue, 0, 0))
    options += _attribute(_TBF_RATE64, struct.pack("=Q", rate))
    options += _attribute(_TBF_BURST, struct.pack("=I", burst))
    body = struct.pack("=B3xiIII", 0, index, 0, parent, 0)  # struct tcmsg
    body += _attribute(_KIND, b"tbf\0") + _attribute(_OPTIONS, options)
    return _NEWQDISC, _CREATE | (_REPLACE if replace else _EXCLUSIVE), body


class Links:
    """Changes and news of the links in the network namespace in which it is made.

    OSError: there is no netlink, or the kernel refuses.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(_PATIENCE)

    def add_ifb(self, name: str) -> int:
        """A device that is up and queues what is redirected to it; its index."""
        kind = _attribute(_INFO_KIND, b"ifb\0")
        body = struct.pack("=BxHiII", 0, 0, 0, _IFF_UP, _IFF_UP)  # struct ifinfomsg
        body += _attribute(_IFNAME, name.encode() + b"\0") + _attribute(_LINKINFO, kind)
        self._change(f"ifb {name}", _NEWLINK, _CREATE | _EXCLUSIVE, body)
        return socket.if_nametoindex(name)

    def remove(self, index: int) -> None:
        """Remove a device."""
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0)
        self._change(f"removal of link {index}", _DELLINK, 0, body)

    def limit(self, index: int, mbps: float) -> None:
        """Set the rate at which a link sends, in Mbit/s."""
        self._change(f"tbf of {mbps:g} Mbit/s", *tbf(index, mbps, replace=True))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _change(self, what: str, kind: int, flags: int, body: bytes) -> None:
        length = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(length, kind, flags | _REQUEST | _ACK, 0, 0) + body)
        code: int = struct.unpack_from("=i", self._socket.recv(65536), _HEADER.size)[0]
        if code:
            raise OSError(-code, f"{what}: {os.strerror(-code)}")


def news_of_links() -> socket.socket:
    """A non-blocking socket that can be read after a link of this namespace came, changed or
    went."""
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    news.setblocking(False)
    news.bind((0, _LINKS))
    return news


def _attribute(kind: int, content: bytes) -> bytes:
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content.ljust((length + 3 & ~3) - 4, b"\0")
