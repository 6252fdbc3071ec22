"""A router's work on IPv4 packets: MSS clamping, fragmentation, ICMP for packets that are too big.

Packets are complete, without link headers, and with checksums. No function raises because of a
packet's content.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview

HEADER = 20
TCP, ICMP = 6, 1
_DONT_FRAGMENT, _MORE_FRAGMENTS, _OFFSET = 0x4000, 0x2000, 0x1FFF
_SYN = 0x02
_MSS_OPTION, _END_OPTION, _NO_OPTION = 2, 0, 1
_HEADERS = 40
"""Bytes of IPv4 and TCP headers without options, which the MSS does not count (RFC 879)."""
_QUOTED = 548
"""Bytes of a refused packet in an ICMP message of at most 576 (RFC 1812 section 4.3.2.3)."""
_ICMP_ERRORS = frozenset((3, 4, 5, 11, 12))


def checksum(data: Buffer, initial: int = 0) -> int:
    """The checksum of RFC 1071, over an even or odd number of bytes."""
    even = bytes(data) + b"\0" * (len(data) % 2)
    total: int = initial + sum(struct.unpack(f">{len(even) // 2}H", even))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_sound(packet: Buffer) -> bool:
    """Whether this is IPv4, with header length and total length consistent with its size."""
    if len(packet) < HEADER or packet[0] >> 4 != 4:
        return False
    header = (packet[0] & 0x0F) * 4
    total = packet[2] << 8 | packet[3]
    return HEADER <= header <= total <= len(packet)


def clamp_mss(packet: Buffer, mtu: int) -> bytes | None:
    """Limit the MSS in a TCP SYN to what IP packets of `mtu` bytes can carry.

    Returns the changed packet, or None if it need not change. `packet` must be sound.
    """
    tcp = (packet[0] & 0x0F) * 4
    if packet[9] != TCP or _fragment(packet) & _OFFSET or len(packet) < tcp + 20:
        return None
    if not packet[tcp + 13] & _SYN:
        return None
    at = _mss_at(packet, tcp)
    most = mtu - _HEADERS
    if not at or packet[at] << 8 | packet[at + 1] <= most:
        return None
    changed = bytearray(packet)
    changed[at : at + 2] = most.to_bytes(2, "big")
    _adjust(changed, tcp + 16, packet, changed, at)
    return bytes(changed)


def _mss_at(packet: Buffer, tcp: int) -> int:
    """The position of the MSS option's value (RFC 9293 section 3.2); 0: there is none."""
    at, end = tcp + 20, min(tcp + (packet[tcp + 12] >> 4) * 4, len(packet))
    while at + 1 < end and packet[at] != _END_OPTION:
        if packet[at] == _NO_OPTION:
            at += 1
            continue
        size = packet[at + 1]
        if packet[at] == _MSS_OPTION and size == 4 and at + 4 <= end:
            return at + 2
        if size < 2:
            break
        at += size
    return 0


def _adjust(changed: bytearray, where: int, old: Buffer, new: Buffer, at: int) -> None:
    """Update the checksum at `where` after two bytes at `at` have changed (RFC 1624, equation 3).

    At an odd offset from the checksum, the two bytes count swapped.
    """
    order: Literal["little", "big"] = "little" if (at - where) % 2 else "big"
    before = int.from_bytes(old[at : at + 2], order)
    after = int.from_bytes(new[at : at + 2], order)
    total = (~int.from_bytes(changed[where : where + 2], "big") & 0xFFFF) + (~before & 0xFFFF)
    total += after
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    changed[where : where + 2] = (~total & 0xFFFF).to_bytes(2, "big")


def may_fragment(packet: Buffer) -> bool:
    """Whether a router may fragment the packet."""
    return not _fragment(packet) & _DONT_FRAGMENT


def fragments(packet: Buffer, mtu: int) -> Iterator[bytes]:
    """Fragments of at most `mtu` bytes (RFC 791 section 3.2); `mtu` is at least 68.

    Every fragment keeps the options, whether or not their copy bit is set.
    """
    header = (packet[0] & 0x0F) * 4
    body = bytes(packet[header : packet[2] << 8 | packet[3]])
    word = _fragment(packet)
    step = (mtu - header) // 8 * 8
    for at in range(0, len(body), step):
        part = body[at : at + step]
        more = _MORE_FRAGMENTS if at + step < len(body) else word & _MORE_FRAGMENTS
        head = bytearray(packet[:header])
        struct.pack_into(">H", head, 2, header + len(part))
        offset = ((word & _OFFSET) + at // 8) & _OFFSET
        struct.pack_into(">H", head, 6, word & 0xC000 | more | offset)
        head[10:12] = b"\0\0"
        struct.pack_into(">H", head, 10, checksum(head))
        yield bytes(head) + part


def too_big(packet: Buffer, mtu: int) -> bytes | None:
    """ICMP "fragmentation needed" with the next hop's MTU, to the packet's sender (RFC 1191).

    Its source is the packet's destination: our own address would be a martian on the TUN. None if
    no such message may be sent (RFC 1122 section 3.2.2): about an ICMP error, about a fragment
    other than the first, or to an address that is not a single host.
    """
    header = (packet[0] & 0x0F) * 4
    if _fragment(packet) & _OFFSET or packet[12] in {0, 127} or packet[12] >= 224:
        return None
    if packet[9] == ICMP and (len(packet) <= header or packet[header] in _ICMP_ERRORS):
        return None
    body = struct.pack(">BBHHH", 3, 4, 0, 0, mtu) + bytes(packet[:_QUOTED])
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0xC0, HEADER + len(body), 0, _DONT_FRAGMENT, 64, ICMP, 0,
        bytes(packet[16:20]), bytes(packet[12:16]),
    )  # fmt: skip
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def _fragment(packet: Buffer) -> int:
    """Flags and fragment offset (in 8 bytes) of the header."""
    return packet[6] << 8 | packet[7]
