"""The compiled part of the data plane (native.c), to be run under AddressSanitizer and UBSan.

P2SLAB_FUZZED_LIBRARY names a library that was built with them; else it is the ordinary one.
"""

from __future__ import annotations

import ctypes
import os
import random
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path

from gateway.dataplane.framing import PPP_HEADERS
from gateway.dataplane.native import VNET_HEADER, Native, load
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_steps, split
from tests.unit.gateway.dataplane.packets import ADDRESS, TCPV4, UDP_L4, VNET, expand, gso, tcp, udp
from tests.unit.gateway.dataplane.pieces import framed

ROUTES, CLIENT, TUN = range(3)
"""What a step does: set routes, hand over a client's stream, put a packet into the TUN."""
MOST_READS = 1000
MRUS = (68, 576, 1400, 4087)


@cache
def native() -> Native:
    """One for all inputs: it has large buffers."""
    named = os.environ.get("P2SLAB_FUZZED_LIBRARY")
    found = Native(Path(named)) if named else load()
    assert found
    return found


def seeds() -> list[bytes]:
    dice = random.Random(1)
    made = []
    for _ in range(20):
        parts = [part for _ in range(dice.randrange(1, 8)) for part in _ip(dice)]
        stream = b"".join(framed(part, dice.choice(PPP_HEADERS)) for part in parts)[:60000]
        made.append(join([(CLIENT, bytes((dice.randrange(8),)) + stream)]))
        make: Callable[..., bytes] = dice.choice([tcp, udp])
        packets = [
            gso(make(bytes(dice.choice([0, 1, 100, 1400, 9000, 50000])), source=VNET,
                     destination=ADDRESS), dice.choice([0, 1, 100, 1348, 65535]),
                dice.choice([0, TCPV4, UDP_L4, TCPV4 | 0x80, 3]))
            for _ in range(dice.randrange(1, 5))
        ]  # fmt: skip
        routes = ROUTES, dice.randbytes(dice.choice((1, 3, 200)))
        made.append(join([routes, *((TUN, packet) for packet in packets)]))
    return made


def _ip(dice: random.Random) -> list[bytes]:
    each = dice.choice([1, 100, 1348])
    make: Callable[..., bytes] = dice.choice([tcp, udp])
    body = bytes(min(dice.choice([0, 1, 99, 1000, 20000]), 60 * each))
    packet = make(body, source=ADDRESS, destination=VNET)
    return expand(gso(packet, each)) if body else [packet]


def run(data: bytes) -> tuple[int, ...]:
    """Nothing is read or written out of bounds, and what comes out is whole. Returns roughly how
    many packets were carried, and were not: the lines of C are not seen.
    """
    totals = native().totals
    totals.packets = totals.octets = totals.refused = totals.unknown = totals.unusable = 0
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        for kind, content in split(data):
            if kind == ROUTES:
                native().route(
                    (bytes((172, 16, 0, 2 + number)), MRUS[byte % len(MRUS)],
                     PPP_HEADERS[byte % len(PPP_HEADERS)])
                    for number, byte in enumerate(content[:250])
                )  # fmt: skip
            elif kind == TUN:
                _from_tun(content, ours, theirs)
            else:
                _from_client(content, ours, theirs)
    counts = (totals.packets, totals.refused, totals.unknown, totals.unusable, totals.octets)
    return tuple(count.bit_length() for count in counts)


def _from_client(content: bytes, ours: socket.socket, theirs: socket.socket) -> None:
    """A stream in a block of exactly its length."""
    flags, stream = content[0] if content else 0, content[1:]
    stream = stream[flags >> 1 & 3 :]
    block = (ctypes.c_char * max(1, len(stream))).from_buffer_copy(stream or b"\0")
    at = native().from_client(
        ours.fileno(), udp=bool(flags & 1), data=ctypes.addressof(block), at=0, end=len(stream),
        address=ADDRESS, field=12,
    )  # fmt: skip
    assert 0 <= at <= len(stream)
    while packet := _received(theirs):
        header, inner = packet[:VNET_HEADER], packet[VNET_HEADER:]
        assert len(header) == VNET_HEADER
        assert inner[0] >> 4 == 4
        assert inner[12:16] == ADDRESS
        assert int.from_bytes(inner[2:4]) == len(inner)


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(1 << 17)
    except BlockingIOError:
        return b""


def _from_tun(content: bytes, ours: socket.socket, theirs: socket.socket) -> None:
    """A packet with a virtio_net_hdr that may lie."""
    try:
        theirs.send(content)
    except (BlockingIOError, OSError):
        return
    for _ in range(MOST_READS):
        runs = native().from_tun(ours.fileno(), 16)
        if not runs:
            return
        for run in runs:
            assert run.offset + run.length <= len(native().output)
            assert run.odd or run.offset <= run.last < run.offset + run.length
    raise AssertionError("the TUN never gets empty")


WATCHES = ("gateway/dataplane/native.py",)
TARGETS = (Target("native", seeds, run, WATCHES, of_steps(3), quick=500, cpu=1, native=True),)
