"""Search a capture for cleartext of a tunnel: `python -m lab.observe.cleartext FILE ...`

Prints {"packets": number of the computer's, "seen": a line for each packet that contains one of the
texts, or has an IP header with an inner address and the MAC address as sender or receiver}.

scapy takes ten times as long to start as the rest. It reads only the packets that have a text or an
inner address somewhere; a capture without cleartext has none.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from lab.observe.pcap import frames

if TYPE_CHECKING:
    from scapy.layers.l2 import Ether
    from scapy.packet import Packet


def examine(
    path: Path, texts: Sequence[str], addresses: Sequence[str], mac: str
) -> dict[str, object]:
    """Search every packet for texts, and the IP headers of one computer's packets for addresses.

    Its neighbours may try to reach an inner address without a tunnel.
    """
    wanted = [text.encode() for text in texts]
    packed = {ip_address(address).packed for address in addresses}
    own = bytes.fromhex(mac.replace(":", ""))
    packets, seen = 0, []
    for data in frames(path):
        is_own = own in (data[:6], data[6:12])
        packets += is_own
        found = next((text for text in wanted if text in data), None)
        if found is not None:
            seen.append(f"{_read(data).summary()}: {found.decode()}")
        elif is_own and any(address in data for address in packed):
            frame = _read(data)
            if not set(addresses).isdisjoint(_addresses(frame)):
                seen.append(frame.summary())
    return {"packets": packets, "seen": seen}


def _read(data: bytes) -> Ether:
    from scapy.layers import inet, inet6  # noqa: F401, PLC0415 (registers them; see above)
    from scapy.layers.l2 import Ether  # noqa: PLC0415 (see above)

    return Ether(data)


def _addresses(frame: Packet) -> Iterator[str]:
    """The addresses of every IP header that scapy finds, including nested ones."""
    from scapy.layers.inet import IP  # noqa: PLC0415 (see above)
    from scapy.layers.inet6 import IPv6  # noqa: PLC0415 (see above)

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
