"""The file format of captures: pcap, in this machine's byte order, of Ethernet frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

ETHERNET = 1
"""LINKTYPE_ETHERNET."""
LONGEST = 65535
FILE = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, LONGEST, ETHERNET)
"""What a file begins with."""
PACKET = struct.Struct("=IIII")
"""What a packet begins with: seconds, microseconds, bytes in the file, bytes on the wire."""


def frames(path: Path) -> Iterator[bytes]:
    """The packets of a file; ValueError if it is no such file, or is cut off."""
    with path.open("rb") as file:
        if file.read(len(FILE)) != FILE:
            raise ValueError(f"{path} is no capture of Ethernet in this machine's byte order")
        while head := file.read(PACKET.size):
            length = PACKET.unpack(head)[2] if len(head) == PACKET.size else LONGEST
            frame = file.read(length)
            if len(frame) < length:
                raise ValueError(f"{path} is cut off")
            yield frame
