"""What arrives at a node: whether it is this one that a probe has reached.

Two computers of a lab may have one address, in a home and in a VNet for example.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lab.nodes.base import Node

_ETHERNET = 14
_HEADERS = 128
"""Bytes that suffice for the headers."""
_IPV4, _IPV6 = 0x0800, 0x86DD
_ECHO_REQUESTS = frozenset(((socket.IPPROTO_ICMP, 8), (socket.IPPROTO_ICMPV6, 128)))


@dataclass(frozen=True)
class Arrival:
    """A packet's destination, and what tells its sender's packets apart."""

    address: str
    protocol: int
    """Of IP."""
    source_port: int
    """Of ICMP: the echo request's identifier."""


@asynccontextmanager
async def arrivals(node: Node) -> AsyncIterator[set[Arrival]]:
    """The TCP, UDP and ICMP packets that arrive at a node's links during the block; the set is
    complete when the block has ended."""
    found: set[Arrival] = set()
    loop = asyncio.get_running_loop()
    with await node.sniff() as line:
        loop.add_reader(line, _drain, line, found)
        try:
            yield found
        finally:
            loop.remove_reader(line)
            _drain(line, found)


def _drain(line: socket.socket, found: set[Arrival]) -> None:
    while True:
        try:
            frame = line.recv(_HEADERS)
        except BlockingIOError:
            return
        if (arrival := read(frame)) is not None:
            found.add(arrival)


def read(frame: bytes) -> Arrival | None:
    """An Ethernet frame; None if it is anything else than TCP, UDP or an echo request."""
    try:
        kind = int.from_bytes(frame[12:14])
        if kind == _IPV4:
            protocol = frame[_ETHERNET + 9]
            address = str(IPv4Address(frame[_ETHERNET + 16 : _ETHERNET + 20]))
            inner = _ETHERNET + 4 * (frame[_ETHERNET] & 0xF)
        elif kind == _IPV6:
            protocol = frame[_ETHERNET + 6]
            address = str(IPv6Address(frame[_ETHERNET + 24 : _ETHERNET + 40]))
            inner = _ETHERNET + 40
        else:
            return None
        first, second = struct.unpack_from("!H2xH", frame, inner)
    except (IndexError, ValueError, struct.error):
        return None
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        return Arrival(address, protocol, first)
    if (protocol, first >> 8) in _ECHO_REQUESTS:
        return Arrival(address, protocol, second)
    return None
