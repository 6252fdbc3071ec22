"""Capture a node's packets: the event loop writes a packet socket's packets as pcap."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from lab.nodes.base import Node
from lab.observe.pcap import FILE, LONGEST, PACKET

MOST_BYTES = 64 * 1024 * 1024
"""The maximum size of a capture; the packets of interest are the first ones."""
_LOOPBACK = "lo"


@asynccontextmanager
async def capture(node: Node, path: Path) -> AsyncIterator[None]:
    """Capture all packets on all interfaces of the node except loopback during the block.

    The file is complete when the block has ended.
    """

    loop = asyncio.get_running_loop()
    with await node.sniff() as line, path.open("wb") as file:
        file.write(FILE)
        loop.add_reader(line, _drain, line, file)
        try:
            yield
        finally:
            loop.remove_reader(line)
            _drain(line, file)


def _drain(line: socket.socket, file: IO[bytes]) -> None:
    """Write all packets that have arrived."""
    while True:
        try:
            packet, where = line.recvfrom(LONGEST)
        except BlockingIOError:
            return
        if where[0] == _LOOPBACK or file.tell() > MOST_BYTES:
            continue
        seconds, rest = divmod(time.time_ns(), 1_000_000_000)
        file.write(PACKET.pack(seconds, rest // 1000, len(packet), len(packet)))
        file.write(packet)
