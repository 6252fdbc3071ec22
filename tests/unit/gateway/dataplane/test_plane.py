"""The plane with a real TUN: TLS over a socketpair on one side, the kernel on the other."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from gateway.common.errors import EngineError
from gateway.dataplane import native
from gateway.dataplane.carrier import GATEWAY, ODD_PACKETS, SLACK
from gateway.dataplane.counters import Counters, PlaneCounters
from gateway.dataplane.flow import Flow
from gateway.dataplane.framing import PPP_HEADERS, FramingError
from gateway.dataplane.native import Native
from gateway.dataplane.outgoing import CONTROL_BYTES, QUEUE_BYTES
from gateway.dataplane.plain import PlainTun
from gateway.dataplane.plane import Plane
from gateway.dataplane.reactor import Reactor
from gateway.dataplane.tls import TlsConnection
from gateway.dataplane.tun import configure, has_vnet_hdr, open_tun
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.unit.gateway.dataplane.pieces import (
    Client,
    connected,
    framed,
    in_reactor,
    running,
)

INNER = "172.16.0.1"
MTU = 1400


def a_flow(
    connection: TlsConnection, number: int, *, mru: int = MTU, received: bytes = b""
) -> Flow:
    """The flow of 172.16.0.`number`; its callbacks do nothing."""
    return Flow(
        connection,
        address=IPv4Address(f"172.16.0.{number}"),
        ip_header=b"\xff\x03\x00\x21",
        peer_mru=mru,
        control=lambda _: None,
        closed=lambda _: None,
        received=received,
    )


@dataclass(frozen=True)
class Way:
    """How packets move: which TLS, and the compiled part or None."""

    tls: str
    native: Native | None


@pytest.fixture(params=["memory python", "socket native"])
def way(request: pytest.FixtureRequest) -> Way:
    tls, mover = request.param.split()
    made = Way(tls, native.load() if mover == "native" else None)
    assert made.native or mover == "python"
    return made


class Rig:
    """A plane on a TUN, its reactor running in a thread, and one UDP socket of the VNet."""

    def __init__(self, way: Way) -> None:
        self.kind = way.tls
        self.tun = open_tun("tun0", vnet_hdr=way.native is not None)
        configure("tun0", IPv4Interface(f"{INNER}/32"), MTU, [IPv4Network("172.16.0.0/24")])
        self.reactor = Reactor()
        self.plane = Plane(self.tun, way.native, self.reactor, MTU)
        self.vnet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.vnet.bind((INNER, 7))
        self.vnet.settimeout(5)
        self.control: list[bytes] = []
        self.closed: list[str] = []

    def client(self, number: int, *, mru: int = MTU, received: bytes = b"") -> tuple[Flow, Client]:
        connection, client = connected(self.kind)
        flow = a_flow(connection, number, mru=mru, received=received)
        flow.control, flow.closed = self.control.append, self.closed.append
        in_reactor(self.reactor, lambda: self.plane.add(flow))
        return flow, client

    def wait(self, condition: Callable[[], object]) -> None:
        asyncio.run(wait_until("the plane", 30, condition))

    def to_client(self, number: int, text: bytes) -> None:
        self.vnet.sendto(text, (f"172.16.0.{number}", 9))


def with_rig(test: Callable[[Rig], None], way: Way) -> None:
    def there() -> None:
        rig = Rig(way)
        with running(rig.reactor):
            test(rig)

    isolated(there)


def udp(source: int, text: bytes, *, to: str = INNER, **ip: object) -> bytes:
    return bytes(IP(src=f"172.16.0.{source}", dst=to, **ip) / UDP(sport=9, dport=7) / Raw(text))


def text_of(packet: bytes) -> bytes:
    return bytes(IP(packet)[UDP].payload)


def test_packets_go_both_ways_in_every_accepted_form(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, client = rig.client(2)
        for header in PPP_HEADERS:
            client.send(framed(udp(2, b"up " + header), header))
            assert rig.vnet.recv(2000) == b"up " + header
        rig.to_client(2, b"down")
        assert text_of(client.ip()) == b"down"
        assert flow.heard > 0
        rig.wait(lambda: flow.counters == Counters(4, 4 * 28 + 4 * 3 + 4 + 3 + 2 + 1, 1, 32))

    with_rig(test, way)


def test_a_packet_may_come_in_any_pieces(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2)
        for byte in framed(udp(2, b"one")) + framed(udp(2, b"two")):
            client.send(bytes([byte]))
        assert [rig.vnet.recv(2000), rig.vnet.recv(2000)] == [b"one", b"two"]

    with_rig(test, way)


def test_bytes_read_but_not_parsed_by_the_owner_are_not_lost(way: Way) -> None:
    def test(rig: Rig) -> None:
        stream = framed(udp(2, b"one")) + framed(udp(2, b"two"))
        _, client = rig.client(2, received=stream[:45])
        assert rig.vnet.recv(2000) == b"one"
        client.send(stream[45:])
        assert rig.vnet.recv(2000) == b"two"

    with_rig(test, way)


def test_other_packets_are_handed_out_complete_and_in_order(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2)
        echo, lcp = b"\x10\x01\x00\x08\x00\x08\x00\x00", b"\x10\x00\x00\x0a\xff\x03\xc0\x21\x09\x01"
        client.send(echo, framed(udp(2, b"data")), lcp)
        rig.wait(lambda: len(rig.control) == 2)
        assert rig.control == [echo, lcp]
        assert rig.vnet.recv(2000) == b"data"

    with_rig(test, way)


def test_a_flood_of_odd_packets_is_handled_by_turns_and_loses_none(way: Way) -> None:
    def there() -> None:
        rig = Rig(way)
        connection, client = connected(way.tls)
        flow = a_flow(connection, 2)
        flow.control, flow.closed = rig.control.append, rig.closed.append
        rig.plane.add(flow)
        odd = [b"\x10\x00\x00\x08\xc0\x21" + number.to_bytes(2, "big") for number in range(1000)]
        client.send(*odd, framed(udp(2, b"behind")))
        client.connection.close()
        seen = []
        while not rig.closed:
            one_round(rig.reactor)
            seen.append(len(rig.control))
            assert len(seen) < 100
        assert rig.control == odd
        # The first round has two turns: the socket's, and that of what the owner had left over.
        steps = [after - before for before, after in zip([0, *seen], seen, strict=False)]
        assert max(steps[1:]) <= ODD_PACKETS
        assert rig.vnet.recv(2000) == b"behind"

    isolated(there)


def test_only_valid_ipv4_from_its_own_address_is_accepted(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, client = rig.client(2)
        other, _ = rig.client(3)
        bad = udp(2, b"short")
        client.send(
            framed(udp(3, b"spoofed")), framed(udp(3, b"spoofed"), b"\x21"),
            framed(b"\x60" + bad[1:]), framed(bad[:-1]), framed(b""), framed(b"\x4f" + bad[1:30]),
            framed(udp(2, b"mine") + b"padding"),
        )  # fmt: skip
        assert rig.vnet.recv(2000) == b"mine"
        counted = flow.counters
        rig.wait(lambda: (counted.packets_in, counted.spoofed, counted.malformed) == (1, 2, 4))
        assert counted.bytes_in == 20 + 8 + 4  # without the padding
        assert other.counters == Counters()

    with_rig(test, way)


def test_no_client_gets_what_is_for_another(way: Way) -> None:
    def test(rig: Rig) -> None:
        flows = {number: rig.client(number) for number in (2, 3, 4)}
        for round_ in range(20):
            for number in flows:
                rig.to_client(number, b"for %d: %d" % (number, round_))
        rig.to_client(5, b"for nobody")
        for number, (_, client) in flows.items():
            for round_ in range(20):
                packet = client.ip()
                assert IP(packet).dst == f"172.16.0.{number}"
                assert text_of(packet) == b"for %d: %d" % (number, round_)
        rig.wait(lambda: rig.plane.counters.unknown)
        assert all(client.pending() == b"" for _, client in flows.values())

    with_rig(test, way)


def test_mss_is_clamped_both_ways(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2, mru=1300)
        watcher = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        watcher.bind(("tun0", 0))
        watcher.settimeout(5)
        asked = TCP(sport=5, dport=6, flags="S", options=[("MSS", 1460)])
        client.send(framed(bytes(IP(src="172.16.0.2", dst=INNER, id=77) / asked)))
        seen = IP(watcher.recv(2000))
        assert (seen.id, seen[TCP].options) == (77, [("MSS", 1260)])
        assert IP(client.ip())[TCP].flags == "RA"  # the kernel took it: the checksum was right
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            packet = IP(src=INNER, dst="172.16.0.2") / asked
            raw.sendto(bytes(packet), ("172.16.0.2", 0))
        seen = IP(client.ip())
        assert seen[TCP].options == [("MSS", 1260)]
        del packet[IP].chksum, packet[TCP].chksum
        packet[TCP].options = [("MSS", 1260)]
        assert seen[TCP].chksum == IP(bytes(packet))[TCP].chksum

    with_rig(test, way)


def test_the_sender_of_a_packet_beyond_the_mru_learns_the_mru(way: Way) -> None:
    def test(rig: Rig) -> None:
        flow, client = rig.client(2, mru=1000)
        discover, do, mtu = 10, 2, 14  # linux/in.h: IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU
        rig.vnet.setsockopt(socket.IPPROTO_IP, discover, do)
        rig.vnet.connect(("172.16.0.2", 9))
        rig.vnet.send(bytes(1200))
        rig.wait(lambda: rig.vnet.getsockopt(socket.IPPROTO_IP, mtu) == 1000)
        assert flow.counters.dropped == 1
        assert client.pending() == b""

    with_rig(test, way)


def test_a_packet_beyond_the_mru_that_may_be_cut_is_cut(way: Way) -> None:
    def test(rig: Rig) -> None:
        _, client = rig.client(2, mru=576)
        rig.vnet.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_PMTUDISC_DONT
        rig.to_client(2, bytes(1200))
        parts = [client.ip() for _ in range(3)]
        assert all(len(part) <= 576 for part in parts)
        assert sum(len(part) - 20 for part in parts) == 1208
        assert ICMP not in IP(parts[0])

    with_rig(test, way)


def test_the_last_packet_of_a_burst_has_a_record_of_its_own(way: Way) -> None:
    def there() -> None:
        rig = Rig(way)
        connection, client = connected(way.tls)
        flow = a_flow(connection, 2)
        rig.plane.add(flow)
        for number in range(10):
            rig.to_client(2, bytes([number]) * 1000)
        one_round(rig.reactor)
        sent, sizes = client.stream.recv(65536), []
        while sent:
            size = int.from_bytes(sent[3:5], "big")
            sizes.append(size - 24)
            sent = sent[5 + size :]
        assert sizes == [9 * 1036, 1036]

    isolated(there)


def test_a_large_burst_for_one_client_does_not_hold_up_the_others(way: Way) -> None:
    def there() -> None:
        rig = Rig(way)
        flows, clients = [], []
        for number in (2, 3):
            connection, client = connected(way.tls)
            so_sndbufforce = 32  # asm-generic/socket.h
            wire = socket.socket(fileno=os.dup(connection.fileno()))
            wire.setsockopt(socket.SOL_SOCKET, so_sndbufforce, 1 << 21)
            flows.append(a_flow(connection, number))
            clients.append(client)
            rig.plane.add(flows[-1])
        for number in range(285):
            rig.to_client(2, number.to_bytes(2, "big") + bytes(1300))
        for number in range(5):
            rig.to_client(3, bytes([number]))
        rounds = 0
        while flows[1].counters.packets_out < 5 or flows[1].outgoing:
            one_round(rig.reactor)
            rounds += 1
            assert rounds < 10
        assert [text_of(clients[1].ip()) for _ in range(5)] == [bytes([n]) for n in range(5)]
        assert len(flows[0].outgoing) > 0
        assert not flows[0].connection.wants_write
        while flows[0].outgoing:
            one_round(rig.reactor)
        assert flows[0].counters.packets_out == 285
        assert (flows[0].counters.dropped, flows[0].connection.wants_write) == (0, False)
        numbers = [int.from_bytes(text_of(clients[0].ip())[:2], "big") for _ in range(285)]
        assert numbers == list(range(285))

    isolated(there)


def one_round(reactor: Reactor) -> None:
    reactor.call_at(0, reactor.stop)
    reactor.run()


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
