"""Captures of Ethernet in the format of libpcap, as far as the lab writes and reads it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

LONGEST = 65535
"""Bytes of a packet."""
_MAGIC, _ETHERNET = 0xA1B2C3D4, 1
_FILE = struct.Struct("=IHHiIII")
_PACKET = struct.Struct("=IIII")
HEADER = _FILE.pack(_MAGIC, 2, 4, 0, 0, LONGEST, _ETHERNET)
"""The beginning of a file."""


def record(packet: bytes, time_ns: int) -> bytes:
    """A packet with its time, nanoseconds since the epoch."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return _PACKET.pack(seconds, rest // 1000, len(packet), len(packet)) + packet


def packets(path: Path) -> Iterator[bytes]:
    """The packets of a file that this machine has written. ValueError: it is none, or a part of a
    packet is missing."""
    with path.open("rb") as file:
        beginning = file.read(_FILE.size)
        if len(beginning) < _FILE.size or _FILE.unpack(beginning)[::6] != (_MAGIC, _ETHERNET):
            raise ValueError(f"{path} is no capture of Ethernet")
        while header := file.read(_PACKET.size):
            length = _PACKET.unpack(header)[2] if len(header) == _PACKET.size else 0
            packet = file.read(length)
            if not length or len(packet) < length:
                raise ValueError(f"{path} ends within a packet")
            yield packet
