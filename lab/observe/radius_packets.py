"""Search a capture of the Internet for RADIUS: `python -m lab.observe.radius_packets FILE ...`

Prints {"packets": number captured, "seen": a line for each packet that is RADIUS, has a RADIUS
server's address or contains the user's name, "tunnelled": number of packets between VPN devices}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.observe import pcap
from lab.observe.headers import read

PORTS = frozenset((1812, 1813, 1645, 1646, 3799))
"""RFC 2865, RFC 2866, RFC 5176, and the older port numbers."""


def examine(
    path: Path, servers: Sequence[str], user: str, devices: Sequence[str]
) -> dict[str, object]:
    """Search every packet; `devices` are the addresses of VPN devices and gateways."""
    packets, tunnelled, seen = 0, 0, []
    for data in pcap.packets(path):
        packets += 1
        frame = read(data)
        if not frame.headers:
            continue
        outer, *_ = frame.headers
        tunnelled += {outer.source, outer.destination} <= set(devices)
        is_radius = any(
            PORTS.intersection(header.ports or ())
            or {header.source, header.destination} & set(servers)
            for header in frame.headers
        )
        if is_radius or (user and user.encode() in data):
            seen.append(str(frame))
    return {"packets": packets, "seen": seen, "tunnelled": tunnelled}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.observe.radius_packets", description=__doc__
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--server", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--device", action="append", default=[])
    given = parser.parse_args()
    json.dump(examine(given.file, given.server, given.user, given.device), sys.stdout)


if __name__ == "__main__":
    main()
