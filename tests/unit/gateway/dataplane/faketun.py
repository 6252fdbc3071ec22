"""A packet socket in place of the TUN, for the compiled part."""

from __future__ import annotations

import ctypes
import random
import socket
from collections.abc import Iterator

from gateway.dataplane import native
from gateway.dataplane.carrier import GATEWAY, Side
from gateway.dataplane.native import Native
from tests.unit.gateway.dataplane.packets import (
    ADDRESS,
)

LONG = b"\xff\x03\x00\x21"
TEXT = random.Random(7).randbytes(65536)


class Tun:
    """A packet socket in place of the TUN, and the compiled part."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self.ours, self.theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
        made = native.load()
        assert made
        self.native: Native = made
        self.native.route([])
        for name in ("packets", "octets", "refused", "unknown", "unusable"):
            setattr(self.native.totals, name, 0)

    def written(self) -> list[bytes]:
        """The packets written for the client's packets."""
        found = []
        try:
            while True:
                found.append(self.theirs.recv(70000))
        except BlockingIOError:
            return found

    def from_client(self, stream: bytes, *, udp: bool = True, side: Side = GATEWAY) -> int:
        # Exactly as long as the stream: what reads further is found by the sanitizer run.
        buffer = (ctypes.c_char * len(stream)).from_buffer_copy(stream)
        return self.native.from_client(
            self.ours.fileno(), udp=udp, data=ctypes.addressof(buffer), at=0, end=len(stream),
            address=ADDRESS, field=side.of_sender,
        )  # fmt: skip

    def from_tun(self, *packets: bytes) -> list[tuple[int, bytes]]:
        """The runs: odd, bytes."""
        for packet in packets:
            self.theirs.send(packet)
        runs = self.native.from_tun(self.ours.fileno(), 16)
        output = self.native.output
        for run in runs:
            frames = output[run.offset : run.offset + run.length]
            if not run.odd:
                sizes = list(lengths(frames))
                assert (run.packets, run.last) == (len(sizes), run.offset + run.length - sizes[-1])
        return [(run.odd, bytes(output[run.offset : run.offset + run.length])) for run in runs]


def lengths(frames: memoryview) -> Iterator[int]:
    at = 0
    while at < len(frames):
        yield int.from_bytes(frames[at + 2 : at + 4], "big")
        at += int.from_bytes(frames[at + 2 : at + 4], "big")
