"""PPP frames in SSTP, and the packets of control protocols in them.

No flags, no escapes, no FCS ([MS-SSTP] 1.3). RFC 1661 sections 2, 5 and 6.5, 6.6: the address and
control fields (FF 03) may be omitted, and a protocol number below 100 hex may be one byte.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

IP = 0x0021
IPCP = 0x8021
LCP = 0xC021
PAP = 0xC023
CHAP = 0xC223
EAP = 0xC227
AUTHENTICATION = frozenset((PAP, CHAP, EAP))

LONGEST_FRAME = 4091
"""The longest SSTP packet (12 bits of length) without its header."""

ADDRESS_CONTROL = b"\xff\x03"
DEFAULT_MRU = 1500
"""RFC 1661 6.1; every receiver accepts it, whatever MRU it requested."""

Buffer = TypeVar("Buffer", bytes, memoryview)


class Packet(NamedTuple):
    """RFC 1661 section 5; `data` is without padding."""

    code: int
    identifier: int
    data: bytes


def split(frame: bytes) -> tuple[int, bytes] | None:
    """Protocol number and payload; None: there is no valid protocol number."""
    start = 2 if frame[:2] == ADDRESS_CONTROL else 0
    if len(frame) <= start:
        return None
    first = frame[start]
    if first & 1:
        return first, frame[start + 1 :]
    if len(frame) < start + 2 or not frame[start + 1] & 1:
        return None
    return first << 8 | frame[start + 1], frame[start + 2 :]


def join(protocol: int, payload: bytes) -> bytes:
    """The uncompressed frame, which every peer accepts at any time."""
    return ADDRESS_CONTROL + protocol.to_bytes(2, "big") + payload


def ip_packet(frame: Buffer) -> Buffer | None:
    """The IPv4 packet in a data frame of any accepted form, otherwise None (fast path)."""
    size = len(frame)
    start = 2 if size > 2 and frame[0] == 0xFF and frame[1] == 0x03 else 0
    if size > start and frame[start] == IP:
        return frame[start + 1 :]
    if size > start + 1 and frame[start] == 0 and frame[start + 1] == IP:
        return frame[start + 2 :]
    return None


def parse_packet(payload: bytes) -> Packet | None:
    """Parse a packet; None: its length field is wrong. Bytes beyond it are padding."""
    if len(payload) < 4:
        return None
    length = payload[2] << 8 | payload[3]
    if not 4 <= length <= len(payload):
        return None
    return Packet(payload[0], payload[1], payload[4:length])


def encode_packet(code: int, identifier: int, data: bytes = b"") -> bytes:
    """Code, identifier, length, data."""
    return bytes((code, identifier)) + (4 + len(data)).to_bytes(2, "big") + data
