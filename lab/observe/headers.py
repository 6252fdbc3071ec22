"""The headers of a captured packet that can be read in the clear.

By struct and not by scapy, whose import costs more processor time than the lab's gateway has in a
short lab.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

IPV4, IPV6 = 0x0800, 0x86DD
"""Types of Ethernet, and of what GRE carries."""
_TAGS = (0x8100, 0x88A8)
"""Types before which a VLAN's tag stands."""
_ETHERNET, _TAG = 14, 4
_NESTED = {socket.IPPROTO_IPIP: IPV4, socket.IPPROTO_IPV6: IPV6}
_WITH_PORTS = {socket.IPPROTO_TCP: "TCP", socket.IPPROTO_UDP: "UDP"}
_EXTENSIONS = (0, 43, 60)
"""Of IPv6: hop-by-hop options, routing, destination options (RFC 8200); their length is in units
of eight bytes."""
_ICMP_ERRORS = (3, 4, 5, 11, 12)
_ICMPV6_ERRORS = (1, 2, 3, 4)
"""Types of messages with the beginning of a packet in them, after eight bytes."""
_ICMP = 8
_GRE_OPTIONS = (0x8000, 0x2000, 0x1000)
"""Flags of checksum, key and sequence number: four bytes each (RFC 2784, RFC 2890)."""
_SHORTEST = 5
"""Words of an IPv4 header."""
_OFFSET = 0x1FFF
"""Of a fragment, in IPv4."""


@dataclass(frozen=True)
class Header:
    """An IP header."""

    source: str
    destination: str
    protocol: int
    """Of IP; in IPv6 that after the extension headers."""
    ports: tuple[int, int] | None = None
    """Of TCP and UDP: the sender's and the receiver's."""

    def __str__(self) -> str:
        name = _WITH_PORTS.get(self.protocol, f"IP protocol {self.protocol}")
        if self.ports is None:
            return f"{self.source} > {self.destination} {name}"
        return f"{self.source}:{self.ports[0]} > {self.destination}:{self.ports[1]} {name}"


@dataclass(frozen=True)
class Frame:
    """A frame of Ethernet."""

    receiver: str
    sender: str
    """MAC addresses, as in /sys/class/net."""
    headers: tuple[Header, ...]
    """The IP header, and those nested in it: IP in IP, GRE, errors of ICMP. The outermost first."""

    def __str__(self) -> str:
        return " / ".join(map(str, self.headers)) or f"{self.sender} > {self.receiver}"


def read(data: bytes) -> Frame:
    """Read a frame; headers that are cut off are left out."""
    at = _ETHERNET
    while data[at - 2 : at] and int.from_bytes(data[at - 2 : at]) in _TAGS:
        at += _TAG
    kind = int.from_bytes(data[at - 2 : at])
    return Frame(data[:6].hex(":"), data[6:12].hex(":"), tuple(_headers(kind, data[at:])))


def _headers(kind: int, data: bytes) -> Iterator[Header]:
    """The IP headers from this one, of a type of Ethernet, to the innermost."""
    while kind in (IPV4, IPV6):
        try:
            header, data = _ipv4(data) if kind == IPV4 else _ipv6(data)
        except (struct.error, ValueError):
            return
        yield header
        kind, data = _inside(header.protocol, data)


def _ipv4(data: bytes) -> tuple[Header, bytes]:
    """A header and what it carries; nothing of later fragments, which have no headers."""
    head, length, fragment, protocol = struct.unpack_from("!B1xH2xH1xB", data)
    if head & 0xF < _SHORTEST:
        raise ValueError("a header that is too short")
    source, target = (socket.inet_ntop(socket.AF_INET, data[at : at + 4]) for at in (12, 16))
    inner = data[4 * (head & 0xF) : length or None] if not fragment & _OFFSET else b""
    return _header(source, target, protocol, inner), inner


def _ipv6(data: bytes) -> tuple[Header, bytes]:
    length, protocol = struct.unpack_from("!4xHB", data)
    source, target = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
    inner = data[40 : 40 + length if length else None]
    while protocol in _EXTENSIONS and len(inner) >= 8:
        protocol, inner = inner[0], inner[8 * (inner[1] + 1) :]
    return _header(source, target, protocol, inner), inner


def _header(source: str, target: str, protocol: int, inner: bytes) -> Header:
    if protocol not in _WITH_PORTS or len(inner) < 4:
        return Header(source, target, protocol)
    return Header(source, target, protocol, struct.unpack_from("!HH", inner))


def _inside(protocol: int, data: bytes) -> tuple[int, bytes]:
    """The type of the packet in this one, and the packet; 0 if there is none."""
    if protocol in _NESTED:
        return _NESTED[protocol], data
    if protocol == socket.IPPROTO_GRE and len(data) >= 4:
        flags, kind = struct.unpack_from("!HH", data)
        return kind, data[4 + 4 * sum(bool(flags & option) for option in _GRE_OPTIONS) :]
    if protocol == socket.IPPROTO_ICMP and data[:1] and data[0] in _ICMP_ERRORS:
        return IPV4, data[_ICMP:]
    if protocol == socket.IPPROTO_ICMPV6 and data[:1] and data[0] in _ICMPV6_ERRORS:
        return IPV6, data[_ICMP:]
    return 0, b""
