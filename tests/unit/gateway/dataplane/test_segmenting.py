"""From the TUN to a client: the compiled part against scapy and a reference of the kernel's."""

from __future__ import annotations

import random
import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

from gateway.dataplane.framing import PPP_HEADERS
from tests.unit.gateway.dataplane.faketun import LONG, TEXT, Tun
from tests.unit.gateway.dataplane.packets import (
    ADDRESS,
    ECN,
    TCPV4,
    UDP_L4,
    VNET,
    expand,
    gso,
    tcp,
    udp,
)
from tests.unit.gateway.dataplane.pieces import framed


def scapy_segments(
    mss: int, size: int, options: list[tuple[str, object]], flags: str
) -> list[bytes]:
    parts = [TEXT[at : min(at + mss, size)] for at in range(0, size, mss)]
    segments = []
    for number, part in enumerate(parts):
        kept = flags if number == len(parts) - 1 else flags.replace("P", "").replace("F", "")
        kept = kept if number == 0 else kept.replace("C", "")
        header = IP(
            src="10.1.1.4", dst="172.16.0.2", id=(65534 + number) & 0xFFFF, flags="DF", tos=4
        )
        segment = TCP(sport=80, dport=9, seq=0xFFFFF000 + number * mss & 0xFFFFFFFF, ack=5,
                      flags=kept, options=options)  # fmt: skip
        segments.append(bytes(header / segment / Raw(part)))
    return segments


def whole(segments: list[bytes], header: int) -> bytes:
    """One unsegmented packet with all their payload, as the sender makes it."""
    first = bytearray(segments[0][:header])
    body = b"".join(segment[header:] for segment in segments)
    struct.pack_into(">H", first, 2, header + len(body))
    return bytes(first) + body


@pytest.mark.parametrize("options", [[], [("NOP", None), ("NOP", None), ("Timestamp", (9, 8))]])
@pytest.mark.parametrize(("mss", "size"), [(1348, 60000), (1348, 1349), (100, 5000), (1, 40)])
@pytest.mark.parametrize(
    ("flags", "form"), list(zip(["A", "PA", "FPA", "CPA"], PPP_HEADERS, strict=True))
)
def test_tcp_is_segmented_as_scapy_would_have_made_the_segments(
    tun: Tun, *, options: list[tuple[str, object]], mss: int, size: int, flags: str, form: bytes
) -> None:
    segments = scapy_segments(mss, size, options, flags)
    header = len(segments[0]) - mss
    packet = bytearray(whole(segments, header))
    packet[33] = TCP(flags=flags).flags.value
    tun.native.route([(ADDRESS, 1400, form)])
    given = gso(bytes(packet), mss, TCPV4 | (ECN if "C" in flags else 0))
    assert expand(given) == segments  # so much for the reference
    runs = tun.from_tun(given)
    assert runs == [(0, b"".join(framed(segment, form) for segment in segments))]


def test_segments_fit_the_clients_mru_even_where_the_sender_had_more(tun: Tun) -> None:
    tun.native.route([(ADDRESS, 1000, LONG)])
    packet = tcp(TEXT[:9000], source=VNET, destination=ADDRESS)
    ((odd, frames),) = tun.from_tun(gso(packet, 1360))
    assert not odd
    assert frames == b"".join(map(framed, expand(gso(packet, 960))))


@pytest.mark.parametrize(("each", "size"), [(1372, 60000), (500, 501), (9, 100)])
def test_udp_is_segmented_as_scapy_would_have_made_the_datagrams(
    tun: Tun, each: int, size: int
) -> None:
    datagrams = [
        bytes(IP(src="10.1.1.4", dst="172.16.0.2", id=number) / UDP(sport=5, dport=9)
              / Raw(TEXT[at : min(at + each, size)]))
        for number, at in enumerate(range(0, size, each))
    ]  # fmt: skip
    packet = whole(datagrams, 28)
    tun.native.route([(ADDRESS, 1400, LONG)])
    changed = packet[:24] + (len(packet) - 20).to_bytes(2, "big") + packet[26:]
    assert tun.from_tun(gso(changed, each)) == [(0, b"".join(map(framed, datagrams)))]


def test_datagrams_beyond_the_mru_go_to_python_each_by_itself(tun: Tun) -> None:
    tun.native.route([(ADDRESS, 600, LONG)])
    packet = udp(TEXT[:3000], source=VNET, destination=ADDRESS)
    assert tun.from_tun(gso(packet, 1000)) == [(1, part) for part in expand(gso(packet, 1000))]


@pytest.mark.parametrize("packet", [
    tcp(b"x" * 101, source=VNET, destination=ADDRESS),
    udp(b"y" * 100, source=VNET, destination=ADDRESS),
    udp(b"\x00\x00" + (0xFFFF - 0x0001).to_bytes(2, "big"), source=VNET, destination=ADDRESS),
    tcp(b"", source=VNET, destination=ADDRESS, options=b"\x01" * 4),
])  # fmt: skip
def test_a_checksum_that_is_left_to_us_is_completed(tun: Tun, packet: bytes) -> None:
    tun.native.route([(ADDRESS, 1400, LONG)])
    given_ = gso(packet, 0, 0, l4=(packet[0] & 15) * 4)
    assert tun.from_tun(given_) == [(0, framed(packet))]


def test_a_udp_checksum_of_nothing_is_written_as_its_complement(tun: Tun) -> None:
    packet = udp(b"\0\0", source=VNET, destination=ADDRESS)
    value = int.from_bytes(packet[26:28], "big")
    packet = udp(value.to_bytes(2, "big"), source=VNET, destination=ADDRESS)
    assert packet[26:28] == b"\xff\xff"
    tun.native.route([(ADDRESS, 1400, LONG)])
    assert tun.from_tun(gso(packet, 0, 0)) == [(0, framed(packet))]


def test_syns_and_large_packets_go_to_python_and_unknown_addresses_nowhere(tun: Tun) -> None:
    tun.native.route([(ADDRESS, 1000, LONG)])
    plain = bytes(10)
    syn = tcp(b"", flags=2, source=VNET, destination=ADDRESS)
    large = udp(b"x" * 1000, source=VNET, destination=ADDRESS)
    small = udp(b"x", source=VNET, destination=ADDRESS)
    stranger = udp(b"x", source=VNET, destination=bytes((172, 16, 0, 3)))
    runs = tun.from_tun(*(plain + packet for packet in (small, syn, small, large, stranger, small)))
    assert runs == [
        (0, framed(small)),
        (1, syn),
        (0, framed(small)),
        (1, large),
        (0, framed(small)),
    ]
    tun.from_tun(plain + b"\x60" + bytes(39), plain, b"")
    assert (tun.native.totals.unknown, tun.native.totals.unusable) == (3, 0)


def test_every_packet_is_found_its_flow_among_many(tun: Tun) -> None:
    numbers = list(range(1, 200))
    random.Random(3).shuffle(numbers)
    addresses = [bytes((172, 16, 0, number)) for number in numbers]
    tun.native.route([(address, 1400, LONG) for address in addresses])
    packets = [bytes(10) + udp(address, source=VNET, destination=address) for address in addresses]
    for number, packet in enumerate(packets):
        tun.theirs.send(packet)
        (run,) = tun.native.from_tun(tun.ours.fileno(), 16)
        assert run.flow == number


def test_the_packets_of_two_flows_are_kept_apart(tun: Tun) -> None:
    addresses = [ADDRESS, bytes((172, 16, 0, 3))]
    tun.native.route([(address, 1400, LONG) for address in addresses])
    packets = [udp(b"x", source=VNET, destination=addresses[n % 3 == 1]) for n in range(6)]
    assert tun.from_tun(*(bytes(10) + packet for packet in packets)) == [
        (0, framed(packets[0])), (0, framed(packets[1])),
        (0, framed(packets[2]) + framed(packets[3])), (0, framed(packets[4])),
        (0, framed(packets[5])),
    ]  # fmt: skip


@pytest.mark.parametrize("packet", [
    gso(tcp(b"x" * 5, source=VNET, destination=ADDRESS)[:32] + b"\xf0" + bytes(12), 100),
    gso(tcp(b"x" * 500, flags=2, source=VNET, destination=ADDRESS), 100),
    gso(tcp(b"x" * 500, source=VNET, destination=ADDRESS), 0),
    gso(tcp(b"x" * 500, source=VNET, destination=ADDRESS), 100, UDP_L4),
    gso(udp(b"x" * 500, source=VNET, destination=ADDRESS), 100, TCPV4),
    gso(udp(b"x" * 500, source=VNET, destination=ADDRESS), 100, 3),
    gso(udp(b"x" * 500, source=VNET, destination=ADDRESS), 100, 0, l4=525),
    gso(udp(b"x" * 500, source=VNET, destination=ADDRESS), 100)[:-1],
])  # fmt: skip
def test_packets_that_no_kernel_sends_are_dropped_and_counted(tun: Tun, packet: bytes) -> None:
    tun.native.route([(ADDRESS, 1400, LONG)])
    assert tun.from_tun(packet) == []
    assert tun.native.totals.unusable == 1


def test_no_more_is_read_than_there_is_room_for(tun: Tun) -> None:
    tun.native.route([(ADDRESS, 1400, LONG)])
    packet = gso(tcp(TEXT[:64000], source=VNET, destination=ADDRESS), 1360)
    for _ in range(12):
        tun.theirs.send(packet)
    taken = []
    while runs := tun.from_tun():
        taken.append(sum(len(frames) for _, frames in runs))
    assert len(taken) > 1
    assert sum(taken) == 12 * len(b"".join(map(framed, expand(packet))))


def test_a_packet_in_absurdly_many_segments_is_given_up(tun: Tun) -> None:
    tun.native.route([(ADDRESS, 1400, LONG)])
    packet = gso(tcp(TEXT[:65000], source=VNET, destination=ADDRESS), 1)
    assert tun.from_tun(packet) == []
    assert tun.native.totals.unusable == 1
