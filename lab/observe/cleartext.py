"""Search a capture for cleartext of a tunnel: `python -m lab.observe.cleartext FILE ...`

Prints {"packets": number of the computer's, "seen": a line for each packet that contains one of the
texts, or has an IP header with an inner address and the MAC address as sender or receiver}.
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
    """Search every packet for texts, and the IP headers of one computer's packets for addresses.

    Its neighbours may try to reach an inner address without a tunnel.
    """
    wanted = [text.encode() for text in texts]
    inner = frozenset(addresses)
    packets, seen = 0, []
    with RawPcapReader(str(path)) as reader:
        for data, _ in reader:
            found = next((text for text in wanted if text in data), None)
            frame = Ether(data)
            packets += mac in (frame.src, frame.dst)
            if found is not None:
                seen.append(f"{frame.summary()}: {found.decode()}")
            elif mac in (frame.src, frame.dst) and inner.intersection(_addresses(frame)):
                seen.append(frame.summary())
    return {"packets": packets, "seen": seen}


def _addresses(frame: Packet) -> Iterator[str]:
    """The addresses of every IP header that scapy finds, including nested ones."""
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
