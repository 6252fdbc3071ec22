"""The bounded queue of one client's connection, which puts the last packet into its own record.

The real sstpc handles one SSTP packet per wake-up of its socket; further packets of the same TLS
record wait for the next wake-up. So a burst must end with a record of a single packet: the socket
then stays readable until sstpc has read that far (docs/facts.md §5).
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
"""Maximum bytes queued for a client that does not read; then new packets are dropped."""
CONTROL_BYTES = 65536
"""Bytes beyond the queue, for control packets."""
CHUNK = 65536
"""Bytes passed to TLS at once."""


class Outgoing:
    """Complete SSTP packets on their way into a TlsConnection."""

    __slots__ = ("_bytes", "_connection", "_counters", "_given", "_queue")

    def __init__(self, connection: TlsConnection, counters: Counters) -> None:
        self._connection = connection
        self._counters = counters
        self._queue: deque[bytes] = deque()
        self._given = 0
        """Bytes of the queue's first piece that TLS already has."""
        self._bytes = 0

    def __len__(self) -> int:
        """Bytes queued here, without those kept by the connection."""
        return self._bytes

    def send(
        self, chunks: Sequence[Buffer], last: Buffer, most: int, bound: int = QUEUE_BYTES
    ) -> int:
        """Send one flush: chunks of complete packets, of about CHUNK bytes, and its last packet.

        If the queue is empty, chunks are passed to TLS at once until `most` bytes are reached; the
        rest is queued, and dropped beyond `bound` bytes. Returns the bytes passed to TLS. The
        caller may reuse the buffers afterwards.
        """
        connection = self._connection
        pieces = [*chunks, last]
        given = taken = 0
        if not self._queue:
            while given < most and taken < len(pieces) and not connection.wants_write:
                # The last two pieces together: one system call, two records.
                behind = taken + 1 if taken < len(pieces) - 2 else len(pieces)
                connection.write(pieces[taken:behind])
                given += sum(map(len, pieces[taken:behind]))
                taken = behind
        for piece in pieces[taken:]:
            self._keep(piece, bound)
        return given

    def send_control(self, packets: bytes) -> bool:
        """Queue complete control packets; False: the queue is too long."""
        if not packets:
            return True
        if self._bytes + len(packets) > QUEUE_BYTES + CONTROL_BYTES:
            return False
        self._queue.append(packets)
        self._bytes += len(packets)
        return True

    def drain(self, most: int) -> int:
        """Pass up to `most` queued bytes to TLS, if it accepts any; return how many."""
        if not self._queue or self._connection.wants_write:
            return 0
        pieces = self._take(most)
        self._connection.write(pieces)
        given = sum(map(len, pieces))
        self._bytes -= given
        return given

    def _take(self, most: int) -> list[Buffer]:
        """Take the next bytes, not always complete packets; the queue's end as two records."""
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
