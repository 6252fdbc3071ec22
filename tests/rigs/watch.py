"""Packet sockets in many nodes at once, which keep the packets that a test looks for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from lab.nodes.base import Node

LONGEST = 65535
_WITH_HEADER, _HEADER = (1, 772), 14
"""The hardware types with a header before the packet, Ethernet and loopback, and its bytes."""
_OUTGOING = 4


@dataclass(frozen=True)
class Seen:
    """A packet at a node."""

    node: str
    device: str
    leaves: bool
    """The node itself sends it."""
    packet: bytes
    """From the IP header on."""

    @property
    def source(self) -> bytes:
        return self.packet[12:16]

    @property
    def target(self) -> bytes:
        return self.packet[16:20]


@asynccontextmanager
async def watching(
    nodes: Mapping[str, Node], wanted: Callable[[bytes], bool]
) -> AsyncIterator[list[Seen]]:
    """All packets of these nodes that are wanted, loopback included, as long as the block lasts.

    The list is complete when the block has ended.
    """
    loop = asyncio.get_running_loop()
    found: list[Seen] = []

    def drain(name: str, line: socket.socket) -> None:
        while True:
            try:
                frame, where = line.recvfrom(LONGEST)
            except BlockingIOError:
                return
            packet = frame[_HEADER:] if where[3] in _WITH_HEADER else frame
            if wanted(packet):
                found.append(Seen(name, where[0], where[2] == _OUTGOING, packet))

    async with AsyncExitStack() as stack:
        for name, node in nodes.items():
            line = stack.enter_context(await node.sniff())
            loop.add_reader(line, drain, name, line)
            stack.callback(drain, name, line)
            stack.callback(loop.remove_reader, line)
        yield found
