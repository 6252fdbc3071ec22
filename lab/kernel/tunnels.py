"""A neighbour for every tunnel: its device has one entry for all addresses, which its first packet
makes, and which that packet does without where the machine's table is full: it is lost."""

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
    """Of the network namespace in which the calling thread is when it makes this object.

    Who has it calls `look` whenever the socket can be read.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.bind((0, RTMGRP_LINK))

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def look(self) -> None:
        """Give tunnels that have come up their entry, for good."""
        for index in self._risen():
            self._socket.send(neighbour(index, "0.0.0.0").data)

    def _risen(self) -> set[int]:
        found: set[int] = set()
        while True:
            try:
                data = self._socket.recv(RECEIVE)
            except BlockingIOError:
                return found
            except OSError as error:  # some news were lost: those devices do as all do elsewhere
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            for message in messages(data):
                if HEADER.unpack_from(message)[1] == RTM_NEWLINK:
                    index, flags = _LINK.unpack_from(message, HEADER.size)
                    if flags & IFF_POINTOPOINT and flags & IFF_UP:
                        found.add(index)
