"""The packets of a probe and of its answers, in what nodes see. Pure."""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address

ETHERNET = 14
HEADERS = 256
"""Bytes that suffice for headers, a probe's payload and what an ICMP error quotes."""
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_UNREACHABLE, _EXCEEDED = 3, 11
_CODES = {
    0: "network unreachable",
    1: "host unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    9: "network prohibited",
    10: "host prohibited",
    13: "prohibited by a filter",
}
"""RFC 792, RFC 1812."""


@dataclass(frozen=True)
class Packet:
    """An IPv4 packet of TCP, UDP or ICMP."""

    source: str
    destination: str
    protocol: int
    source_port: int = 0
    port: int = 0
    sequence: int = 0
    acknowledged: int = 0
    flags: int = 0
    payload: bytes = b""
    kind: int = 0
    """Of ICMP."""
    code: int = 0
    quotes: Packet | None = None
    """The packet that an ICMP error is about."""


@dataclass(frozen=True)
class Target:
    """To whom a probe is sent, and what its packets contain."""

    address: str
    protocol: int
    port: int = 0
    payload: bytes = b""


def read(data: bytes) -> Packet | None:
    """A packet from its IP header on; None if it is no IPv4 packet of these protocols."""
    try:
        if data[0] >> 4 != 4:
            return None
        length, protocol = 4 * (data[0] & 0xF), data[9]
        ends = str(IPv4Address(data[12:16])), str(IPv4Address(data[16:20]))
        inner = data[length:]
        if protocol == socket.IPPROTO_TCP:
            first, second, sequence, acknowledged, _, flags = struct.unpack_from("!HHIIBB", inner)
            return Packet(*ends, protocol, first, second, sequence, acknowledged, flags)
        if protocol == socket.IPPROTO_UDP:
            first, second = struct.unpack_from("!HH", inner)
            return Packet(*ends, protocol, first, second, payload=inner[8:])
        if protocol == socket.IPPROTO_ICMP:
            about = read(inner[8:]) if inner[0] in (_UNREACHABLE, _EXCEEDED) else None
            return Packet(*ends, protocol, kind=inner[0], code=inner[1], quotes=about)
    except (IndexError, struct.error):
        pass
    return None


def is_probe(packet: Packet, target: Target) -> bool:
    """Whether it is the probe's, on whichever side of an address translator."""
    return (
        packet.destination == target.address
        and packet.protocol == target.protocol
        and packet.port == target.port
        and packet.payload.startswith(target.payload)
        and (target.protocol != socket.IPPROTO_TCP or packet.flags & (_SYN | _ACK) == _SYN)
    )


def mark(packet: Packet) -> bytes:
    """What tells a probe's packets from others to the same target, on whichever side of an address
    translator: the first sequence number of TCP, the payload of UDP."""
    if packet.protocol == socket.IPPROTO_TCP:
        return packet.sequence.to_bytes(4)
    return packet.payload


def mark_of(transport: bytes, protocol: int) -> bytes:
    """The same, as far as these bytes from the transport header on have it."""
    return transport[4:8] if protocol == socket.IPPROTO_TCP else transport[8:]


def alike(one: bytes, other: bytes) -> bool:
    """Whether two marks, of which one may be cut off, are the same packet's."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def answers(packet: Packet, marks: Collection[bytes]) -> bool:
    """Whether a packet that has the form of an answer is one to a packet with such a mark."""
    about = packet.quotes
    if about:
        return any(alike(mark(about), own) for own in marks)
    if packet.protocol != socket.IPPROTO_TCP:
        return True
    return (packet.acknowledged - 1 & 0xFFFFFFFF).to_bytes(4) in marks


def answer(packet: Packet, target: Target) -> str:
    """What it answers to a probe, in words; empty: it is no answer."""
    about = packet.quotes
    if about:
        same = (about.destination, about.protocol, about.port) == (
            target.address, target.protocol, target.port)  # fmt: skip
        if not same:
            return ""
        what = (
            _CODES.get(packet.code, str(packet.code))
            if packet.kind == _UNREACHABLE
            else "time exceeded"
        )
        return f"ICMP {what} from {packet.source}"
    if (packet.source, packet.protocol, packet.source_port) != (
        target.address, target.protocol, target.port):  # fmt: skip
        return ""
    if packet.protocol == socket.IPPROTO_UDP:
        return f"an answer from {packet.source}"
    if packet.flags & _RST:
        return f"RST from {packet.source}"
    return f"SYN-ACK from {packet.source}" if packet.flags & _SYN and packet.flags & _ACK else ""


def ends(packet: Packet) -> str:
    """`192.168.77.10:4500 > 203.0.113.2:500`."""
    return f"{packet.source}:{packet.source_port} > {packet.destination}:{packet.port}"
