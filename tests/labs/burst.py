"""Ten datagrams at once, and nothing after them.

`python -m tests.labs.burst answer ADDRESS` waits for one datagram and answers it with the burst;
`... ask ADDRESS` asks for one, and prints how many came.
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


def answer(address: str) -> None:
    """Once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((address, PORT))
        print("ready", flush=True)
        _, peer = line.recvfrom(100)
        line.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
        line.sendto(b"".join(bytes([number]) * SIZE for number in range(COUNT)), peer)


def ask(address: str) -> None:
    """The numbers of the datagrams that came."""
    came: set[int] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(PATIENCE)
        line.sendto(b"now", (address, PORT))
        try:
            while len(came) < COUNT:
                came.add(line.recv(2 * SIZE)[0])
        except TimeoutError:
            pass
    print(*sorted(came))


if __name__ == "__main__":
    {"answer": answer, "ask": ask}[sys.argv[1]](sys.argv[2])
