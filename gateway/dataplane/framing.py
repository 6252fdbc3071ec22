"""SSTP data packets around IP packets ([MS-SSTP] sections 2.2.1, 2.2.3).

    10 00 | reserved 4 bits, length 12 bits | PPP header | IP packet

The PPP header is FF 03 00 21, or shorter if ACFC and PFC were negotiated (RFC 1661 section 6).
The length, at most 4095, includes all headers.
"""

from __future__ import annotations

from functools import cache

VERSION = 0x10
CONTROL = 0x01
HEADER = 4
LONGEST = 0x0FFF
"""Bytes of the longest packet: its length has twelve bits, of which this is the mask."""

PPP_HEADERS = (b"\xff\x03\x00\x21", b"\xff\x03\x21", b"\x00\x21", b"\x21")
"""The possible headers of an IPv4 packet; they are unambiguous: none is a prefix of another."""


class FramingError(Exception):
    """The position of the next packet is unknown; the stream is unusable."""


def length_at(data: bytes | bytearray | memoryview, at: int) -> int:
    """The length of the packet at this position, of which four bytes suffice. FramingError."""
    if data[at] != VERSION:
        raise FramingError(f"SSTP version {data[at]:#04x}")
    length = (data[at + 2] & 0x0F) << 8 | data[at + 3]
    if length < HEADER:
        raise FramingError(f"an SSTP packet of {length} bytes")
    return length


def is_whole(data: bytes | memoryview) -> bool:
    """Whether the data begins with a complete packet. FramingError."""
    return len(data) >= HEADER and length_at(data, 0) <= len(data)


def ip_offset(data: bytes | bytearray | memoryview, at: int, length: int) -> int:
    """The position of the IPv4 packet in the SSTP packet at `at`; 0 if it carries none."""
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
    """SSTP and PPP headers of IP packets, by the packet's length, from 0 to the maximum.

    `ip_header`: the negotiated PPP header.
    """
    overhead = HEADER + len(ip_header)
    return tuple(
        bytes((VERSION, 0)) + (overhead + length).to_bytes(2, "big") + ip_header
        for length in range(LONGEST - overhead + 1)
    )


def last_at(frames: bytes | memoryview) -> int:
    """The position of the last of our own complete packets; `frames` must not be empty."""
    at = 0
    while True:
        behind = at + length_at(frames, at)
        if behind >= len(frames):
            return at
        at = behind


def fitting(frames: bytes | memoryview, room: int) -> int:
    """How many bytes of our own complete packets fit into `room`, in whole packets."""
    fits = 0
    while fits < len(frames):
        behind = fits + length_at(frames, fits)
        if behind > room:
            break
        fits = behind
    return fits


def count(frames: bytes | memoryview) -> int:
    """The number of our own complete packets."""
    at = packets = 0
    while at < len(frames):
        at += length_at(frames, at)
        packets += 1
    return packets
