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

    def send(self, chunks: Sequence[Buffer], last: Buffer) -> None:
        """Send one flush: chunks of whole packets, of about CHUNK bytes, and its last packet.

        Its buffers may be used again afterwards.
        """
        connection = self._connection
        pieces = [*chunks, last]
        taken = 0
        if not self._queue:
            while taken < len(chunks) - 1 and not connection.wants_write:
                connection.write((pieces[taken],))
                taken += 1
            if not connection.wants_write:
                connection.write(pieces[taken:])
                return
        for piece in pieces[taken:]:
            self._keep(piece)

    def send_control(self, packets: bytes) -> bool:
        """Send whole control packets, behind what waits; False if far too much waits already."""
        if not packets:
            return True
        if self._bytes + len(packets) > QUEUE_BYTES + CONTROL_BYTES:
            return False
        self._queue.append(packets)
        self._bytes += len(packets)
        self._drain()
        return True

    def flush(self) -> None:
        """The socket takes bytes again."""
        self._connection.flush()
        self._drain()

    def _drain(self) -> None:
        while self._queue and not self._connection.wants_write:
            self._connection.write(self._take())

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
