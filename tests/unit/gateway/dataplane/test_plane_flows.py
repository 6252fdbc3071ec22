"""The plane's flows beside each other: none holds up another, and each may end at any time."""

from __future__ import annotations

import os
import socket
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from gateway.common.errors import EngineError
from gateway.dataplane.carrier import GATEWAY, SLACK
from gateway.dataplane.counters import PlaneCounters
from gateway.dataplane.flow import Flow
from gateway.dataplane.framing import FramingError
from gateway.dataplane.outgoing import CONTROL_BYTES, QUEUE_BYTES
from gateway.dataplane.plain import PlainTun
from gateway.dataplane.tls import TlsConnection
from gateway.dataplane.tun import has_vnet_hdr, open_tun
from tests.rigs.isolated import isolated
from tests.unit.gateway.dataplane.pieces import connected, framed, in_reactor
from tests.unit.gateway.dataplane.planes import (
    INNER,
    MTU,
    Rig,
    Way,
    a_flow,
    one_round,
    text_of,
    udp,
    with_rig,
)


def enlarged(descriptor: int, size: int) -> bool:
    """Whether the socket's send buffer is now so large; only root may exceed wmem_max."""
    so_sndbufforce = 32  # asm-generic/socket.h
    with socket.socket(fileno=os.dup(descriptor)) as wire:
        try:
            wire.setsockopt(socket.SOL_SOCKET, so_sndbufforce, size)
        except PermissionError:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        return wire.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= size


def number_of(packet: bytes) -> int:
    return int.from_bytes(text_of(packet)[:2], "big")


def test_a_large_burst_for_one_client_does_not_hold_up_the_others(way: Way) -> None:
    def there() -> None:
        rig = Rig(way)
        flows, clients = [], []
        for number in (2, 3):
            connection, client = connected(way.tls)
            roomy = enlarged(connection.fileno(), 1 << 20)
            flows.append(a_flow(connection, number))
            clients.append(client)
            rig.plane.add(flows[-1])
        for number in range(285):
            rig.to_client(2, number.to_bytes(2, "big") + bytes(1300))
        for number in range(5):
            rig.to_client(3, bytes([number]))
        rounds, numbers = 0, list[int]()
        while flows[1].counters.packets_out < 5 or flows[1].outgoing:
            one_round(rig.reactor)
            rounds += 1
            assert rounds < 10
        assert [text_of(clients[1].ip()) for _ in range(5)] == [bytes([n]) for n in range(5)]
        assert len(flows[0].outgoing) > 0
        assert not (roomy and flows[0].connection.wants_write)
        while flows[0].outgoing:
            one_round(rig.reactor)
            if not roomy:
                numbers += [number_of(clients[0].ip())]
        assert flows[0].counters.packets_out == 285
        assert (flows[0].counters.dropped, flows[0].connection.wants_write) == (0, False)
        numbers += [number_of(clients[0].ip()) for _ in range(285 - len(numbers))]
        assert numbers == list(range(285))

    isolated(there)


def test_a_client_that_does_not_read_stalls_no_other_and_loses_only_the_tail(way: Way) -> None:
    def test(rig: Rig) -> None:
        slow, slow_client = rig.client(2)
        _, client = rig.client(3)
        for number in range(1000):
            rig.to_client(2, number.to_bytes(2, "big") + bytes(1300))
            if number % 50 == 0:
                rig.to_client(3, b"lively")
                assert text_of(client.ip()) == b"lively"
        rig.wait(lambda: slow.counters.packets_out == 1000)
        assert slow.counters.dropped > 0
        assert QUEUE_BYTES - 1400 < len(slow.outgoing) <= QUEUE_BYTES
        left = 1000 - slow.counters.dropped
        numbers = [int.from_bytes(text_of(slow_client.ip())[:2], "big") for _ in range(left)]
        assert numbers == list(range(left))
        rig.to_client(2, b"well again")
        assert text_of(slow_client.ip()) == b"well again"
        assert slow.counters.dropped == 1000 - left

    with_rig(test, way)


def test_a_client_that_does_not_read_answers_is_closed(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, _ = rig.client(2)
        echo = b"\x10\x01\x00\x08\x00\x09\x00\x00"

        def flood() -> None:
            for _ in range(200):
                flow.send_control(echo * 1000)

        in_reactor(rig.reactor, flood)
        assert len(flow.outgoing) <= QUEUE_BYTES + CONTROL_BYTES
        rig.wait(lambda: rig.closed)
        assert rig.closed == ["the client does not read answers"]

    with_rig(test, way)


def test_a_stream_that_cannot_be_delimited_closes_that_flow_alone(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2)
        _, other = rig.client(3)
        client.send(
            framed(udp(2, b"before")), b"\x20\x00\x00\x08" + bytes(4), framed(udp(2, b"after"))
        )
        rig.wait(lambda: rig.closed)
        assert rig.closed == ["SSTP version 0x20"]
        assert rig.vnet.recv(2000) == b"before"
        other.send(framed(udp(3, b"other")))
        assert rig.vnet.recv(2000) == b"other"

    with_rig(test, way)


def test_a_client_that_disconnects_is_reported_and_its_address_is_free(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2)
        client.send(framed(udp(2, b"last words")))
        client.connection.close()
        rig.wait(lambda: rig.closed)
        assert rig.closed == ["closed by the peer"]
        assert rig.vnet.recv(2000) == b"last words"
        _, again = rig.client(2)
        again.send(framed(udp(2, b"again")))
        assert rig.vnet.recv(2000) == b"again"

    with_rig(test, way)


def test_two_flows_cannot_have_one_address(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2)

        def refused() -> None:
            with pytest.raises(ValueError, match="one address"):
                rig.plane.add(a_flow(connected()[0], 2))

        in_reactor(rig.reactor, refused)
        client.send(framed(udp(2, b"still here")))
        assert rig.vnet.recv(2000) == b"still here"

    with_rig(test, way)


def test_a_flow_that_finishes_sends_what_waits_and_carries_no_more_ip(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, client = rig.client(2)
        rig.to_client(2, b"data")
        assert text_of(client.ip()) == b"data"
        bye = b"\x10\x01\x00\x08\x00\x07\x00\x00"

        def end() -> None:
            flow.send_control(bye)
            flow.finish("disconnected")
            assert rig.closed == []  # nobody is called back from within his own call

        in_reactor(rig.reactor, end)
        assert client.receive() == bye
        rig.wait(lambda: rig.closed)
        assert rig.closed == ["disconnected"]
        rig.to_client(2, b"for nobody")
        rig.wait(lambda: rig.plane.counters.unknown)

    with_rig(test, way)


def test_packets_after_the_last_control_packet_are_not_carried(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, client = rig.client(2)
        flow.control = lambda _: flow.finish("disconnected")
        nameless = bytes(IP(src="0.0.0.0", dst=INNER) / UDP(sport=9, dport=7) / Raw(b"nameless"))
        client.send(b"\x10\x01\x00\x08\x00\x06\x00\x00", framed(udp(2, b"own")), framed(nameless))
        rig.wait(lambda: rig.closed)
        assert (flow.counters.packets_in, flow.counters.spoofed) == (0, 0)

    with_rig(test, way)


def test_callbacks_are_never_called_from_within_a_call(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, _ = rig.client(2)

        def end() -> None:
            flow.finish("nothing to wait for")
            assert rig.closed == []

        in_reactor(rig.reactor, end)
        rig.wait(lambda: rig.closed)
        assert rig.closed == ["nothing to wait for"]

    with_rig(test, way)


def test_the_tun_has_its_turn_between_clients_that_send_much(way: Way) -> None:
    def there() -> None:
        rig = Rig(way)
        clients = []
        for number in (2, 3, 4):
            connection, client = connected(way.tls)
            rig.plane.add(a_flow(connection, number))
            clients.append(client)
        one_round(rig.reactor)
        turns = []
        carrier = rig.plane._carrier
        carrier.from_tun = lambda: turns.append(1)  # type: ignore[method-assign]
        for number, client in zip((2, 3, 4), clients, strict=True):
            client.send(framed(udp(number, bytes(1300), to="172.16.0.250")) * 60)
        rig.reactor.remove(rig.tun)  # not told that anything came
        one_round(rig.reactor)
        assert turns

    isolated(there)


@pytest.mark.parametrize("behind", [0, 1])
def test_an_owner_may_remove_the_flow_while_it_is_handed_a_packet(way: Way, behind: int) -> None:
    def test(rig: Rig) -> None:
        flow, client = rig.client(2)

        def control(packet: bytes) -> None:
            rig.control.append(packet)
            rig.plane.remove(flow)
            flow.connection.shutdown()
            flow.connection.close()

        flow.control = control
        ping = b"\x10\x01\x00\x08\x00\x08\x00\x00"
        client.send(ping, *[ping, framed(udp(2, b"never"))] * behind)
        rig.wait(lambda: rig.control)
        _, other = rig.client(3)
        other.send(framed(udp(3, b"other")))
        assert rig.vnet.recv(2000) == b"other"
        assert (rig.control, rig.closed) == ([ping], [])
        assert flow.rest.startswith(ping * behind)  # for whoever goes on reading

    with_rig(test, way)


def nobody(flow: Flow, chunks: object, last: object) -> None:
    """No flow accepts packets from the TUN."""


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60) | st.builds(framed, st.binary(max_size=60)), max_size=8))
def test_any_bytes_end_in_control_or_are_counted_and_never_raise_past_the_parser(
    parts: list[bytes],
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        flow = a_flow(cast("TlsConnection", None), 2)
        carrier = PlainTun(ours.fileno(), {}, MTU, PlaneCounters(), side=GATEWAY, send=nobody)
        stream = b"".join(parts)  # fewer packets than ODD_PACKETS
        buffer = bytearray(stream + b"\xaa" * SLACK)
        try:
            at = carrier.from_client(flow, buffer, len(stream))
        except FramingError:
            return
        assert 0 <= at <= len(stream)
        assert len(stream) - at < 4096
        theirs.setblocking(False)
        for _ in range(flow.counters.packets_in):
            assert theirs.recv(5000)[12:16] == flow.address
        with pytest.raises(BlockingIOError):
            theirs.recv(5000)


def test_the_kind_of_a_tun_is_known_from_its_descriptor() -> None:
    def there() -> None:
        for kind in (True, False):
            descriptor = open_tun("tun0", vnet_hdr=kind)
            assert has_vnet_hdr(descriptor) is kind
            os.close(descriptor)
        with pytest.raises(EngineError, match="cannot make the TUN device a/b: Invalid argument"):
            open_tun("a/b", vnet_hdr=False)

    isolated(there)
