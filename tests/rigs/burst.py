"""Ten datagrams at once, and nothing after them.

`python -m tests.rigs.burst take` takes what comes for some seconds, and prints how many came;
`... send ADDRESS` sends the burst there. The gateway sends: no client may ask anything of it.
"""

from __future__ import annotations

import socket
import sys

PORT = 7010
COUNT, SIZE = 10, 100
UDP_SEGMENT = 103
"""linux/udp.h: one system call, cut into datagrams by the kernel."""
PATIENCE = 5.0
"""Seconds for what is still to come."""


def send(address: str) -> None:
    """Once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
        line.sendto(b"".join(bytes([number]) * SIZE for number in range(COUNT)), (address, PORT))


def take() -> None:
    """The numbers of the datagrams that came."""
    came: set[int] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("", PORT))
        line.settimeout(PATIENCE)
        print("ready", flush=True)
        try:
            while len(came) < COUNT:
                came.add(line.recv(2 * SIZE)[0])
        except TimeoutError:
            pass
    print(*sorted(came))


if __name__ == "__main__":
    {"send": send, "take": take}[sys.argv[1]](*sys.argv[2:])
