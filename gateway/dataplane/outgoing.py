"""What waits for one client's connection: bounded, and the last packet in a record of its own.

The real sstpc takes one SSTP packet per wake-up of its socket: what came in the same TLS record
waits for the next one. So a burst must end with a record that holds one packet only; the socket
then stays readable until sstpc has come that far (facts/sstp-dataplane.md, item 1).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gateway.dataplane.framing import fitting, last_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.dataplane.counters import Counters
    from gateway.dataplane.tls import Buffer, TlsConnection

QUEUE_BYTES = 262144
"""Most that waits for a client that does not read; then what comes last is dropped."""
CONTROL_BYTES = 65536
"""Beyond the queue, for control packets."""
CHUNK = 65536
"""Bytes given to TLS at once."""


class Outgoing:
    """Whole SSTP packets on their way into a TlsConnection."""

    __slots__ = ("_bytes", "_connection", "_counters", "_queue")

    def __init__(self, connection: TlsConnection, counters: Counters) -> None:
        self._connection = connection
        self._counters = counters
        self._queue: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Bytes that wait here; what the connection keeps is not among them."""
        return self._bytes

    def send(self, chunks: Sequence[Buffer], last: Buffer, most: int) -> int:
        """Send one flush: chunks of whole packets, of about CHUNK bytes, and its last packet.

        Where nothing waits, chunks are given to TLS at once until `most` bytes are reached; the
        rest waits. Returns the bytes given. The buffers may be used again afterwards.
        """
        connection = self._connection
        pieces = [*chunks, last]
        given = taken = 0
        if not self._queue:
            while given < most and taken < len(pieces) and not connection.wants_write:
                # The last two together: one system call, two records.
                behind = taken + 1 if taken < len(pieces) - 2 else len(pieces)
                connection.write(pieces[taken:behind])
                given += sum(map(len, pieces[taken:behind]))
                taken = behind
        for piece in pieces[taken:]:
            self._keep(piece)
        return given

    def send_control(self, packets: bytes) -> bool:
        """Send whole control packets, behind what waits; False if far too much waits already."""
        if not packets:
            return True
        if self._bytes + len(packets) > QUEUE_BYTES + CONTROL_BYTES:
            return False
        self._queue.append(packets)
        self._bytes += len(packets)
        return True

    def drain(self) -> int:
        """Give TLS about CHUNK bytes of what waits, if it takes any; returns how many."""
        if not self._queue or self._connection.wants_write:
            return 0
        pieces = self._take()
        self._connection.write(pieces)
        return sum(map(len, pieces))

    def _take(self) -> list[Buffer]:
        taken: list[bytes] = []
        size = 0
        while self._queue and size < CHUNK:
            taken.append(self._queue.popleft())
            size += len(taken[-1])
        self._bytes -= size
        frames = memoryview(b"".join(taken))
        if self._queue:
            return [frames]
        split = last_at(frames)
        return [frames[:split], frames[split:]] if split else [frames]

    def _keep(self, piece: Buffer) -> None:
        room = QUEUE_BYTES - self._bytes
        if len(piece) > room:
            fits, left_out = fitting(memoryview(piece), room)
            self._counters.dropped += left_out
            piece = memoryview(piece)[:fits]
        if piece:
            self._queue.append(bytes(piece))
            self._bytes += len(piece)
