"""What waits for one client's connection: bounded, and the last packet in a record of its own.

The real sstpc takes one SSTP packet per wake-up of its socket: what came in the same TLS record
waits for the next one. So a burst must end with a record that holds one packet only; the socket
then stays readable until sstpc has come that far (docs/facts.md §5).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gateway.dataplane.framing import count, fitting, last_at

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

    __slots__ = ("_bytes", "_connection", "_counters", "_given", "_queue")

    def __init__(self, connection: TlsConnection, counters: Counters) -> None:
        self._connection = connection
        self._counters = counters
        self._queue: deque[bytes] = deque()
        self._given = 0
        """Bytes of the first in the queue that TLS has already."""
        self._bytes = 0

    def __len__(self) -> int:
        """Bytes that wait here; what the connection keeps is not among them."""
        return self._bytes

    def send(
        self, chunks: Sequence[Buffer], last: Buffer, most: int, bound: int = QUEUE_BYTES
    ) -> int:
        """Send one flush: chunks of whole packets, of about CHUNK bytes, and its last packet.

        Where nothing waits, chunks are given to TLS at once until `most` bytes are reached; the
        rest waits, and is dropped beyond `bound` bytes. Returns the bytes given. The buffers may
        be used again afterwards.
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
            self._keep(piece, bound)
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

    def drain(self, most: int) -> int:
        """Give TLS up to `most` bytes of what waits, if it takes any; returns how many."""
        if not self._queue or self._connection.wants_write:
            return 0
        pieces = self._take(most)
        self._connection.write(pieces)
        given = sum(map(len, pieces))
        self._bytes -= given
        return given

    def _take(self, most: int) -> list[Buffer]:
        """The next bytes, not always whole packets; where they are the last, for two records."""
        taken: list[Buffer] = []
        size = 0
        while self._queue and size < most:
            piece = self._queue[0]
            left = len(piece) - self._given
            if size + left > most:
                taken.append(memoryview(piece)[self._given : self._given + most - size])
                self._given += most - size
                break
            taken.append(memoryview(piece)[self._given :] if self._given else piece)
            size += left
            self._given = 0
            self._queue.popleft()
        frames = memoryview(taken[0] if len(taken) == 1 else b"".join(taken))
        split = 0 if self._queue else size - len(piece) + last_at(piece)
        return [frames[:split], frames[split:]] if split > 0 else [frames]

    def _keep(self, piece: Buffer, bound: int) -> None:
        room = bound - self._bytes
        if len(piece) > room:
            whole = memoryview(piece)
            piece = whole[: fitting(whole, room)]
            self._counters.dropped += count(whole[len(piece) :])
        if piece:
            self._queue.append(bytes(piece))
            self._bytes += len(piece)
