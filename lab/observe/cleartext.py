"""Does a capture show what should have been in a tunnel? `python -m lab.observe.cleartext FILE ...`

Prints {"packets": how many were captured, "seen": a line for each that shows one of the texts, or,
on the link of the computer with that MAC address, an IP header with one of the inner addresses}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import RawPcapReader


def examine(
    path: Path, texts: Sequence[str], addresses: Sequence[str], mac: str
) -> dict[str, object]:
    """Look for texts in every packet, and for addresses in any IP header of one computer's.

    Its neighbours may well try to reach an inner address without a tunnel.
    """
    wanted = [text.encode() for text in texts]
    inner = frozenset(addresses)
    packets, seen = 0, []
    with RawPcapReader(str(path)) as reader:
        for data, _ in reader:
            packets += 1
            found = next((text for text in wanted if text in data), None)
            frame = Ether(data)
            if found is not None:
                seen.append(f"{frame.summary()}: {found.decode()}")
            elif mac in (frame.src, frame.dst) and inner.intersection(_addresses(frame)):
                seen.append(frame.summary())
    return {"packets": packets, "seen": seen}


def _addresses(frame: Packet) -> Iterator[str]:
    """Of every IP header that scapy finds, also of one inside another."""
    layer = frame
    while layer:
        if isinstance(layer, IP | IPv6):
            yield layer.src
            yield layer.dst
        layer = layer.payload


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.observe.cleartext", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--address", action="append", default=[])
    parser.add_argument("--mac", required=True)
    given = parser.parse_args()
    json.dump(examine(given.file, given.text, given.address, given.mac), sys.stdout)


if __name__ == "__main__":
    main()
