"""The plane with a real TUN: TLS over a socketpair on one side, the kernel on the other."""

from __future__ import annotations

import socket

from scapy.layers.inet import ICMP, IP, TCP

from gateway.dataplane.carrier import ODD_PACKETS
from gateway.dataplane.counters import Counters
from gateway.dataplane.framing import PPP_HEADERS
from tests.rigs.isolated import isolated
from tests.unit.gateway.dataplane.pieces import connected, framed
from tests.unit.gateway.dataplane.planes import (
    INNER,
    Rig,
    Way,
    a_flow,
    one_round,
    text_of,
    udp,
    with_rig,
)


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
