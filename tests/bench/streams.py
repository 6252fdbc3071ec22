"""Many TCP streams in one process: 256 iperf3 processes would measure their own scheduling."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence

PORT = 5201
WARM_UP = 1.0
_PIECE = 65536
_NOTSENT = 131072


def connect(server: str, sources: Sequence[str]) -> list[socket.socket]:
    """A stream from each address, in their order."""
    return [
        _prepared(socket.create_connection((server, PORT), timeout=20, source_address=(own, 0)))
        for own in sources
    ]


def accept(listener: socket.socket, count: int) -> list[socket.socket]:
    """As many streams."""
    listener.settimeout(20)
    return [_prepared(listener.accept()[0]) for _ in range(count)]


def _prepared(stream: socket.socket) -> socket.socket:
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOTSENT)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    return stream


def send(streams: Sequence[socket.socket]) -> None:
    """Endless zeros, for any receiver."""
    piece = bytes(_PIECE)
    ready = selectors.EpollSelector()
    for stream in streams:
        ready.register(stream, selectors.EVENT_WRITE, stream)
    while True:
        for key, _ in ready.select():
            try:
                key.data.send(piece)
            except BlockingIOError:
                pass
            except OSError:
                ready.unregister(key.data)


def receive(streams: Sequence[socket.socket], seconds: float) -> list[float]:
    """Bits a second of each stream, after the warm-up."""
    taken = [0] * len(streams)
    buffer = memoryview(bytearray(1 << 18))
    ready = selectors.EpollSelector()
    for number, stream in enumerate(streams):
        ready.register(stream, selectors.EVENT_READ, number)

    def until(end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            for key, _ in ready.select(left):
                taken[key.data] += streams[key.data].recv_into(buffer)

    until(time.monotonic() + WARM_UP)
    began, before = time.monotonic(), list(taken)
    until(began + seconds)
    took = time.monotonic() - began
    return [8 * (now - then) / took for now, then in zip(taken, before, strict=True)]
