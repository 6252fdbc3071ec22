"""Permanent neighbour entries for tunnels. A tunnel device has one entry for all addresses. Without
a permanent one, its first packet would create it, and be lost if the machine's table is full."""

from __future__ import annotations

import errno
import socket
import struct

from lab.kernel.encoding import HEADER, messages
from lab.kernel.requests import IFF_UP, RTM_NEWLINK, neighbour

RTMGRP_LINK = 1
IFF_POINTOPOINT = 0x10
RECEIVE = 1 << 16
_LINK = struct.Struct("=4xiI")
"""struct ifinfomsg: index and flags."""


class TunnelWatch:
    """Watches the network namespace of the thread that creates this object.

    The owner calls `look` whenever the socket is readable.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.bind((0, RTMGRP_LINK))

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def look(self) -> None:
        """Give tunnels that have come up their permanent entry."""
        for index in self._come_up():
            self._socket.send(neighbour(index, "0.0.0.0").data)

    def _come_up(self) -> set[int]:
        found: set[int] = set()
        while True:
            try:
                data = self._socket.recv(RECEIVE)
            except BlockingIOError:
                return found
            except OSError as error:  # lost messages: those devices get no permanent entry
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            for message in messages(data):
                if HEADER.unpack_from(message)[1] == RTM_NEWLINK:
                    index, flags = _LINK.unpack_from(message, HEADER.size)
                    if flags & IFF_POINTOPOINT and flags & IFF_UP:
                        found.add(index)
