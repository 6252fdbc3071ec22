"""From a client to the TUN: which packets are merged, and which never are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import pytest

from tests.unit.gateway.dataplane.faketun import TEXT, Tun
from tests.unit.gateway.dataplane.packets import (
    VNET,
    expand,
    gso,
    ip,
    tcp,
    udp,
)
from tests.unit.gateway.dataplane.pieces import framed


def test_segments_in_a_row_are_written_as_one(tun: Tun) -> None:
    segments = expand(
        gso(tcp(TEXT[:60000], flags=0x18, tcp_options=b"\x01\x01\x08\x0a" + bytes(8)), 1348)
    )
    stream = b"".join(map(framed, segments))
    assert tun.from_client(stream) == len(stream)
    (written,) = tun.written()
    assert expand(written) == segments
    assert len(written) == 10 + 52 + 60000
    assert (tun.native.totals.packets, tun.native.totals.octets) == (
        len(segments), sum(map(len, segments)),
    )  # fmt: skip


def test_datagrams_of_one_size_are_written_as_one_where_the_kernel_can(tun: Tun) -> None:
    datagrams = expand(gso(udp(TEXT[:10500]), 1000))
    stream = b"".join(map(framed, datagrams))
    tun.from_client(stream)
    (written,) = tun.written()
    assert expand(written) == datagrams
    tun.from_client(stream, udp=False)
    assert tun.written() == [bytes(10) + datagram for datagram in datagrams]


A = {"id": 7}
B = {"id": 8, "seq": 101}
BODY = b"b" * 100


@pytest.mark.parametrize(("what", "second"), [
    ("another port", tcp(BODY, port=1001, **B)),
    ("another destination", tcp(BODY, destination=bytes((10, 1, 1, 5)), **B)),
    ("a gap", tcp(BODY, id=8, seq=102)),
    ("a repetition", tcp(BODY, id=8, seq=1)),
    ("another acknowledgment", tcp(BODY, ack=2, **B)),
    ("another window", tcp(BODY, window=501, **B)),
    ("an urgent pointer", tcp(BODY, urgent=1, **B)),
    ("FIN", tcp(BODY, flags=0x11, **B)),
    ("RST", tcp(BODY, flags=0x14, **B)),
    ("URG", tcp(BODY, flags=0x30, **B)),
    ("ECE", tcp(BODY, flags=0x50, **B)),
    ("CWR", tcp(BODY, flags=0x90, **B)),
    ("no ACK", tcp(BODY, flags=0x00, **B)),
    ("TCP options", tcp(BODY, tcp_options=b"\x01" * 4, **B)),
    ("IP options", tcp(BODY, options=b"\x01" * 4, **B)),
    ("another type of service", tcp(BODY, tos=1, **B)),
    ("another time to live", tcp(BODY, ttl=63, **B)),
    ("may be fragmented", tcp(BODY, fragment=0, **B)),
    ("a fragment", tcp(BODY, fragment=0x2000, **B)),
    ("a larger payload", tcp(BODY + b"b", **B)),
    ("no payload", tcp(b"", **B)),
    ("a bad TCP checksum", (good := tcp(BODY, **B))[:-1] + bytes((good[-1] ^ 1,))),
    ("a bad IP checksum", good[:10] + bytes((good[10] ^ 1,)) + good[11:]),
    ("UDP", udp(BODY, id=8)),
    ("another protocol", ip(47, tcp(BODY)[20:], id=8)),
    ("a TCP header longer than the packet", good[:32] + b"\xf0" + good[33:60]),
])  # fmt: skip
def test_packets_that_are_no_continuation_are_never_merged(
    tun: Tun, what: str, second: bytes
) -> None:
    second = second[:2] + len(second).to_bytes(2, "big") + second[4:]
    first = tcp(b"a" * 100, **A)
    third = tcp(b"c" * 100, id=9, seq=201)
    for packets in ([first, second], [second, first], [first, second, third]):
        tun.from_client(b"".join(map(framed, packets)))
        written = [expand(data) for data in tun.written()]
        assert sorted(chain(*written)) == sorted(packets)
        assert all([second] == group for group in written if second in group)


def test_the_two_that_do_continue_are_merged(tun: Tun) -> None:
    packets = [tcp(b"a" * 100, **A), good]
    tun.from_client(b"".join(map(framed, packets)))
    (written,) = tun.written()
    assert expand(written) == packets


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_corrupt_segment_stays_corrupt(tun: Tun, bad: int) -> None:
    segments = expand(gso(tcp(TEXT[:3000]), 1000))
    segments[bad] = segments[bad][:500] + bytes((segments[bad][500] ^ 4,)) + segments[bad][501:]
    tun.from_client(b"".join(map(framed, segments)))
    assert list(chain(*map(expand, tun.written()))) == segments


def test_push_and_a_short_segment_end_a_packet(tun: Tun) -> None:
    for ending in ({"flags": 0x18}, {}):
        last = tcp(b"b" * (100 if ending else 99), id=8, seq=101, **ending)
        after = tcp(b"c" * 50, id=9, seq=201 if ending else 200)
        tun.from_client(b"".join(map(framed, [tcp(b"a" * 100, **A), last, after])))
        assert [len(expand(data)) for data in tun.written()] == [2, 1]


def test_a_datagram_without_checksum_is_not_given_one(tun: Tun) -> None:
    datagrams = [
        datagram[:26] + b"\0\0" + datagram[28:] for datagram in expand(gso(udp(TEXT[:2000]), 1000))
    ]
    tun.from_client(b"".join(map(framed, datagrams)))
    assert tun.written() == [bytes(10) + datagram for datagram in datagrams]


def test_a_datagram_whose_checksum_is_right_by_chance_still_has_none(tun: Tun) -> None:
    datagrams = []
    for number in range(2):
        bare = udp(bytes(2), id=number)
        value = int.from_bytes(bare[26:28], "big")
        whole = udp(value.to_bytes(2, "big"), id=number)
        assert whole[26:28] == b"\xff\xff"
        datagrams.append(whole[:26] + b"\0\0" + whole[28:])
    tun.from_client(b"".join(map(framed, datagrams)))
    assert tun.written() == [bytes(10) + datagram for datagram in datagrams]


def test_a_fragment_does_not_overtake_what_came_before_it(tun: Tun) -> None:
    packets = [tcp(b"a" * 100, **A), tcp(b"b" * 50, id=8, seq=101, fragment=0x2000)]
    tun.from_client(b"".join(map(framed, packets)))
    assert tun.written() == [bytes(10) + packet for packet in packets]


@pytest.mark.parametrize("make", [tcp, udp])
def test_no_packet_has_more_parts_than_every_kernel_takes(
    tun: Tun, make: Callable[..., bytes]
) -> None:
    packets = [part for _ in range(4) for part in expand(gso(make(TEXT[:2560]), 40))]
    if make is tcp:
        packets = expand(gso(tcp(TEXT[:10000]), 40))
    tun.from_client(b"".join(map(framed, packets)))
    groups = [expand(data) for data in tun.written()]
    assert list(chain(*groups)) == packets
    assert max(map(len, groups)) == 64


def test_more_flows_than_are_held_open_lose_nothing(tun: Tun) -> None:
    rounds = [[tcp(BODY, port=port, seq=1 + 100 * n, id=n) for port in range(40)] for n in range(3)]
    packets = list(chain(*rounds))
    tun.from_client(b"".join(map(framed, packets)))
    assert sorted(chain(*map(expand, tun.written()))) == sorted(packets)


def test_packets_without_df_are_merged_only_with_consecutive_identifications(tun: Tun) -> None:
    for second, merged in ((8, True), (9, False), (7, False)):
        packets = [tcp(b"a" * 100, id=7, fragment=0), tcp(BODY, id=second, seq=101, fragment=0)]
        tun.from_client(b"".join(map(framed, packets)))
        written = tun.written()
        assert len(written) == (1 if merged else 2)
        assert list(chain(*map(expand, written))) == packets


def test_it_stops_at_packets_for_python(tun: Tun) -> None:
    good_one = framed(udp(b"x"))
    for odd in (
        b"\x10\x01\x00\x08\x00\x08\x00\x00", b"\x11\x00\x00\x08....", b"\x10\x00\x00\x02",
        framed(b"\x45"), framed(tcp(b"", flags=2)), framed(udp(b"x", source=VNET)),
        framed(b"\x60" + bytes(40)), framed(udp(b"x"))[:-1], framed(b"\xc0\x21", b""),
        b"\x10\x00\x00", framed(udp(b"x")[:-1]),
    ):  # fmt: skip
        assert tun.from_client(good_one + odd) == len(good_one)
        assert len(tun.written()) == 1
