"""The compiled part and the Python path do the same."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dataplane.carrier import CLIENT, GATEWAY, SLACK, Side
from gateway.dataplane.counters import PlaneCounters
from gateway.dataplane.flow import Flow
from gateway.dataplane.framing import PPP_HEADERS
from gateway.dataplane.plain import PlainTun
from tests.unit.gateway.dataplane.faketun import LONG, TEXT, Tun
from tests.unit.gateway.dataplane.packets import (
    ADDRESS,
    VNET,
    expand,
    gso,
    tcp,
    udp,
)
from tests.unit.gateway.dataplane.pieces import framed

OTHER = bytes((10, 1, 1, 5))


def plain_written(stream: bytes, side: Side = GATEWAY) -> tuple[int, list[bytes], Flow]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
        flow = Flow(
            None, address=IPv4Address(ADDRESS), ip_header=LONG, peer_mru=1400,  # type: ignore[arg-type]
            control=lambda _: None, closed=lambda _: None,
        )  # fmt: skip
        carrier = PlainTun(
            ours.fileno(), {}, 1400, PlaneCounters(), side=side, send=lambda *_: None
        )
        at = carrier.from_client(flow, bytearray(stream + bytes(SLACK)), len(stream))
        theirs.setblocking(False)
        return at, [theirs.recv(5000) for _ in range(flow.counters.packets_in)], flow


def by_flow(packets: list[bytes]) -> dict[bytes, list[bytes]]:
    """Packets by flow, in order; the identification of packets with DF is ignored."""
    flows: dict[bytes, list[bytes]] = {}
    for packet in packets:
        meant = packet
        if packet[6] & 0x40:
            meant = packet[:4] + b"\0\0" + packet[6:10] + b"\0\0" + packet[12:]
        flows.setdefault(packet[9:10] + packet[12:24], []).append(meant)
    return flows


BODIES = st.builds(
    lambda at, size: TEXT[at : at + size],
    st.integers(0, 60000),
    st.sampled_from([0, 1, 8, 100, 100, 100, 99]),
)
FIELDS = st.fixed_dictionaries({}, optional={
    "flags": st.sampled_from([0x10, 0x18, 0x11, 0x14]), "window": st.sampled_from([500, 501]),
    "tos": st.sampled_from([0, 2]), "fragment": st.sampled_from([0, 0x4000]),
    "gap": st.sampled_from([0, 0, 0, 1]), "corrupt": st.sampled_from([0, 0, 0, 1]),
})  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """IP packets of a few TCP and UDP flows that mostly continue each other."""
    sequences = {port: draw(st.integers(0, 2**32 - 1)) for port in (1000, 1001)}
    packets = []
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from([1000, 1001]), st.booleans(), BODIES, FIELDS), max_size=40
        )
    )
    for number, (port, datagram, body, extra) in enumerate(steps):
        corrupt, gap = extra.pop("corrupt", 0), extra.pop("gap", 0)
        if datagram:
            kept = {name: value for name, value in extra.items() if name in {"tos", "fragment"}}
            packet = udp(body, port=port, id=number, **kept)
        else:
            sequence = (sequences[port] + gap) & 0xFFFFFFFF
            packet = tcp(body, port=port, seq=sequence, id=number, **extra)
            sequences[port] = (sequence + len(body)) & 0xFFFFFFFF
        if corrupt:
            packet = packet[:-1] + bytes((packet[-1] ^ 1,))
        packets.append(packet)
    return packets


@settings(max_examples=300)
@given(streams(), st.sampled_from(PPP_HEADERS))
def test_the_kernel_gets_the_same_packets_as_from_the_python_path(
    packets: list[bytes], form: bytes
) -> None:
    stream = b"".join(framed(packet, form) for packet in packets)
    tun = Tun()
    with tun.ours, tun.theirs:
        at = tun.from_client(stream)
        written = tun.written()
    plain_at, plain, flow = plain_written(stream)
    assert at == plain_at == len(stream)
    assert by_flow(list(chain(*map(expand, written)))) == by_flow(plain) == by_flow(packets)
    assert tun.native.totals.packets == flow.counters.packets_in
    assert tun.native.totals.octets == flow.counters.bytes_in


@pytest.mark.parametrize("make", [tcp, udp])
def test_packets_of_two_senders_are_never_merged(make: Callable[..., bytes]) -> None:
    """At the client's end, where the packets of one connection have many sources."""
    packets = [
        make(TEXT[:100], source=source, destination=ADDRESS, id=number, seq=1 + 100 * number)
        for number, source in enumerate((VNET, OTHER, VNET))
    ]
    stream = b"".join(map(framed, packets))
    tun = Tun()
    with tun.ours, tun.theirs:
        tun.from_client(stream, side=CLIENT)
        written = tun.written()
    _, plain, _ = plain_written(stream, CLIENT)
    assert by_flow(list(chain(*map(expand, written)))) == by_flow(plain) == by_flow(packets)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 60000), st.integers(536, 1360)), max_size=5)
)
def test_a_client_gets_the_same_frames_as_from_the_python_path(
    sizes: list[tuple[bool, int, int]],
) -> None:
    tun = Tun()
    large = []
    for datagram, size, each in sizes:
        make = udp if datagram else tcp
        large.append(
            gso(make(TEXT[: min(size, 64 * each)], source=VNET, destination=ADDRESS), each)
        )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent: list[bytes] = []
    with tun.ours, tun.theirs, ours, theirs:
        tun.native.route([(ADDRESS, 1400, LONG)])
        runs = tun.from_tun(*large)
        ours.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
        flow = plain_written(b"")[2]
        carrier = PlainTun(
            ours.fileno(), {ADDRESS: flow}, 1400, PlaneCounters(), side=GATEWAY,
            send=lambda _, chunks, last: sent.extend(map(bytes, [*chunks, last])),
        )  # fmt: skip
        for packet in chain(*map(expand, large)):
            theirs.send(packet)
            carrier.from_tun()
    assert b"".join(frames for _, frames in runs) == b"".join(sent)


def test_ipv6_belongs_to_no_client() -> None:
    packet = b"\x60" + bytes(15) + ADDRESS + bytes(40)
    tun = Tun()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with tun.ours, tun.theirs, ours, theirs:
        tun.native.route([(ADDRESS, 1400, LONG)])
        assert tun.from_tun(bytes(10) + packet) == []
        assert tun.native.totals.unknown == 1
        ours.setblocking(False)
        counters, sent = PlaneCounters(), []
        carrier = PlainTun(
            ours.fileno(), {ADDRESS: plain_written(b"")[2]}, 1400, counters, side=GATEWAY,
            send=lambda *flush: sent.append(flush),
        )  # fmt: skip
        theirs.send(packet)
        carrier.from_tun()
        assert (sent, counters.unknown) == ([], 1)
