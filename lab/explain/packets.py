"""The packets of a probe and of its answers, in what nodes see. Pure."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

ETHERNET = 14
HEADERS = 256
"""Bytes that suffice for headers, a probe's payload and what an ICMP error quotes."""
TRACED = 12
"""Bytes of a UDP payload that a trace has (lab.kernel.nft_trace)."""
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_ECHO_REPLY, _ECHO = 0, 8
_UNREACHABLE, _EXCEEDED = 3, 11
_TOO_LARGE = 4
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
    """With `port` the same number, the identifier, of ICMP's echo."""
    port: int = 0
    sequence: int = 0
    acknowledged: int = 0
    flags: int = 0
    payload: bytes = b""
    kind: int = 0
    """Of ICMP."""
    code: int = 0
    mtu: int = 0
    """What an ICMP error says of the link for which a packet is too large."""
    quotes: Packet | None = None
    """The packet that an ICMP error is about."""

    @property
    def says_too_large(self) -> bool:
        """Whether it is the ICMP error about a packet that nobody may fragment."""
        return (self.protocol, self.kind, self.code) == (
            socket.IPPROTO_ICMP, _UNREACHABLE, _TOO_LARGE)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """To whom a probe is sent, and what its packets contain."""

    address: str
    protocol: int
    port: int = 0
    """The identifier, of ICMP's echo."""
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
            kind, code, number, mtu = struct.unpack_from("!BBxxHH", inner)
            if kind in (_ECHO, _ECHO_REPLY):
                return Packet(*ends, protocol, number, number, kind=kind)
            about = read(inner[8:]) if kind in (_UNREACHABLE, _EXCEEDED) else None
            return Packet(*ends, protocol, kind=kind, code=code, mtu=mtu, quotes=about)
    except (IndexError, ValueError, struct.error):
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
        and (target.protocol != socket.IPPROTO_ICMP or packet.kind == _ECHO)
    )


def answer(packet: Packet, target: Target) -> str:
    """What it answers to the probe, in words; empty: it is no answer."""
    if packet.quotes:
        return _error(packet, packet.quotes, target)
    if (packet.source, packet.protocol, packet.source_port) != (
        target.address, target.protocol, target.port):  # fmt: skip
        return ""
    if packet.protocol == socket.IPPROTO_ICMP and packet.kind != _ECHO_REPLY:
        return ""
    if packet.protocol != socket.IPPROTO_TCP:
        return f"an answer from {packet.source}"
    if packet.flags & _RST:
        return f"RST from {packet.source}"
    return f"SYN-ACK from {packet.source}" if packet.flags & _SYN and packet.flags & _ACK else ""


def _error(packet: Packet, about: Packet, target: Target) -> str:
    same = (about.destination, about.protocol, about.port) == (
        target.address, target.protocol, target.port)  # fmt: skip
    if not same:
        return ""
    what = "time exceeded"
    if packet.kind == _UNREACHABLE:
        what = _CODES.get(packet.code, str(packet.code))
    limit = f" (the link takes {packet.mtu} bytes)" if packet.says_too_large else ""
    return f"ICMP {what} from {packet.source}{limit}"


def ends(packet: Packet) -> str:
    """`192.168.77.10:4500 > 203.0.113.2:500`."""
    return f"{packet.source}:{packet.source_port} > {packet.destination}:{packet.port}"
