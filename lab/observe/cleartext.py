"""Search a capture for cleartext of a tunnel: `python -m lab.observe.cleartext FILE ...`

Prints {"packets": number of the computer's, "seen": a line for each packet that contains one of the
texts, or has an IP header with an inner address and the MAC address as sender or receiver}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.observe import pcap
from lab.observe.headers import read


def examine(
    path: Path, texts: Sequence[str], addresses: Sequence[str], mac: str
) -> dict[str, object]:
    """Search every packet for texts, and the IP headers of one computer's packets for addresses.

    Its neighbours may try to reach an inner address without a tunnel.
    """
    wanted = [text.encode() for text in texts]
    inner = frozenset(addresses)
    packets, seen = 0, []
    for data in pcap.packets(path):
        found = next((text for text in wanted if text in data), None)
        frame = read(data)
        own = mac in (frame.sender, frame.receiver)
        packets += own
        ends = {end for header in frame.headers for end in (header.source, header.destination)}
        if found is not None:
            seen.append(f"{frame}: {found.decode()}")
        elif own and inner & ends:
            seen.append(str(frame))
    return {"packets": packets, "seen": seen}


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
