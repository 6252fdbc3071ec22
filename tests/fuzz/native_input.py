"""Random and mangled input for the compiled part (`python -m tests.fuzz.native_input LIBRARY
SECONDS [SEED]`), to be run under a sanitizer. Prints the calls and the packets that were carried.
"""

from __future__ import annotations

import ctypes
import random
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway.dataplane.framing import PPP_HEADERS
from gateway.dataplane.native import Native
from tests.unit.dataplane.packets import ADDRESS, TCPV4, UDP_L4, VNET, expand, gso, tcp, udp
from tests.unit.dataplane.pieces import framed


def main(path: str, seconds: float, seed: int) -> None:
    """Until the time is over."""
    dice = random.Random(seed)
    native = Native(Path(path))
    calls = packets = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            for one in (ours, theirs):
                one.setblocking(False)
            packets += (_from_client if dice.random() < 0.5 else _from_tun)(
                dice, native, ours, theirs
            )
        calls += 1
    print(calls, packets)


def _from_client(
    dice: random.Random, native: Native, ours: socket.socket, theirs: socket.socket
) -> int:
    """Hand over a stream in a block of exactly its length."""
    packets = [_ip(dice, ADDRESS, VNET) for _ in range(dice.randrange(1, 8))]
    parts = [part for packet in packets for part in packet]
    stream = _mangle(dice, b"".join(framed(part, dice.choice(PPP_HEADERS)) for part in parts))
    begin = dice.randrange(min(4, len(stream) + 1))
    stream = stream[begin:]
    block = (ctypes.c_char * len(stream)).from_buffer_copy(stream)
    native.totals.packets = 0
    at = native.from_client(
        ours.fileno(), udp=dice.random() < 0.8, data=ctypes.addressof(block), at=0,
        end=len(stream), address=ADDRESS, field=12,
    )  # fmt: skip
    assert 0 <= at <= len(stream)
    return native.totals.packets


def _from_tun(
    dice: random.Random, native: Native, ours: socket.socket, theirs: socket.socket
) -> int:
    """Let it read packets with a virtio_net_hdr that may lie."""
    native.route(
        (bytes((172, 16, 0, number)), dice.choice([68, 576, 1400, 4087]), dice.choice(PPP_HEADERS))
        for number in range(2, dice.randrange(3, 200))
    )
    for _ in range(dice.randrange(1, 6)):
        make: Callable[..., bytes] = dice.choice([tcp, udp])
        size = dice.choice([0, 1, 100, 1400, 9000, 64000])
        packet = make(bytes(size), source=VNET, destination=ADDRESS)
        kind = dice.choice([0, TCPV4, UDP_L4, TCPV4 | 0x80, 3, dice.randrange(256)])
        theirs.send(_mangle(dice, gso(packet, dice.choice([0, 1, 100, 1348, 65535]), kind)))
    packets = 0
    while runs := native.from_tun(ours.fileno(), 16):
        packets += sum(run.packets for run in runs)
        assert all(run.offset + run.length <= len(native.output) for run in runs)
    return packets


def _ip(dice: random.Random, source: bytes, destination: bytes) -> list[bytes]:
    make: Callable[..., bytes] = dice.choice([tcp, udp])
    each = dice.choice([1, 100, 1348])
    body = bytes(min(dice.choice([0, 1, 99, 1000, 64000]), (200 if make is tcp else 60) * each))
    packet = (
        make(body, source=source, destination=destination, flags=dice.choice([16, 24]))
        if make is tcp
        else make(body, source=source, destination=destination)
    )
    return expand(gso(packet, each)) if body else [packet]


def _mangle(dice: random.Random, data: bytes) -> bytes:
    """As it is, with a few bytes changed, cut off, or something else."""
    way = dice.randrange(4)
    if way == 0 or not data:
        return data
    if way == 1:
        return data[: dice.randrange(len(data))]
    if way == 2:
        return dice.randbytes(dice.randrange(100))
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 6)):
        changed[dice.randrange(min(len(changed), dice.choice([30, 70, 1 << 20])))] = dice.randrange(
            256
        )
    return bytes(changed)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
