"""SSTP data packets around IP packets ([MS-SSTP] sections 2.2.1, 2.2.3).

    10 00 | reserved 4 bits, length 12 bits | PPP header | IP packet

A PPP header is FF 03 00 21, or shorter where ACFC and PFC were agreed on (RFC 1661 section 6).
The length, at most 4095, counts all of it.
"""

from __future__ import annotations

from functools import cache

VERSION = 0x10
CONTROL = 0x01
HEADER = 4
LONGEST = 0x0FFF
"""Bytes of the longest packet: its length has twelve bits, of which this is the mask."""

PPP_HEADERS = (b"\xff\x03\x00\x21", b"\xff\x03\x21", b"\x00\x21", b"\x21")
"""What may stand before an IPv4 packet; no two are confused, for none begins with another."""


class FramingError(Exception):
    """Where the next packet begins cannot be known; the stream is of no more use."""


def length_at(data: bytes | bytearray | memoryview, at: int) -> int:
    """Bytes of the packet whose first four bytes stand there. Raises FramingError."""
    if data[at] != VERSION:
        raise FramingError(f"SSTP version {data[at]:#04x}")
    length = (data[at + 2] & 0x0F) << 8 | data[at + 3]
    if length < HEADER:
        raise FramingError(f"an SSTP packet of {length} bytes")
    return length


def is_whole(data: bytes | memoryview) -> bool:
    """Whether a whole packet stands at the beginning. Raises FramingError."""
    return len(data) >= HEADER and length_at(data, 0) <= len(data)


def ip_offset(data: bytes | bytearray | memoryview, at: int, length: int) -> int:
    """Where the IPv4 packet begins in the SSTP packet there; 0 if it carries none."""
    if data[at + 1] & CONTROL:
        return 0
    start = at + HEADER
    head = bytes(data[start : min(start + 4, at + length)])
    for header in PPP_HEADERS:
        if head.startswith(header):
            return start + len(header)
    return 0


@cache
def headers(ip_header: bytes) -> tuple[bytes, ...]:
    """What stands before an IP packet sent, by the packet's length, 0 to what an SSTP packet holds.

    `ip_header` is the PPP header agreed on.
    """
    overhead = HEADER + len(ip_header)
    return tuple(
        bytes((VERSION, 0)) + (overhead + length).to_bytes(2, "big") + ip_header
        for length in range(LONGEST - overhead + 1)
    )


def last_at(frames: bytes | memoryview) -> int:
    """Where the last packet of whole packets of our own begins; `frames` is not empty."""
    at = 0
    while True:
        behind = at + length_at(frames, at)
        if behind >= len(frames):
            return at
        at = behind


def fitting(frames: bytes | memoryview, room: int) -> int:
    """Of whole packets of our own: the bytes of those that fit the room."""
    fits = 0
    while fits < len(frames):
        behind = fits + length_at(frames, fits)
        if behind > room:
            break
        fits = behind
    return fits


def count(frames: bytes | memoryview) -> int:
    """How many whole packets of our own these are."""
    at = packets = 0
    while at < len(frames):
        at += length_at(frames, at)
        packets += 1
    return packets
