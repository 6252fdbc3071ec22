"""Changes of IPv4 packets, compared with scapy's."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
from scapy.packet import Raw

from gateway.dataplane import ip


def syn(
    mss: int | None, *, before: list[tuple[str, object]] | None = None, flags: str = "S"
) -> bytes:
    options = (before or []) + ([("MSS", mss)] if mss is not None else [])
    return bytes(
        IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2, flags=flags, options=options)
    )


def checksums_hold(packet: bytes) -> bool:
    again = IP(packet)
    del again.chksum
    for layer in (TCP, UDP, ICMP):
        if layer in again:
            del again[layer].chksum
    return bytes(again) == packet


@pytest.mark.parametrize(
    "before", [[], [("NOP", None)], [("SAckOK", b"")], [("WScale", 3), ("NOP", None)]]
)
@pytest.mark.parametrize("flags", ["S", "SA", "SEC"])
def test_a_large_mss_is_clamped_wherever_the_option_stands(
    before: list[tuple[str, object]], flags: str
) -> None:
    clamped = ip.clamp_mss(syn(1460, before=before, flags=flags), 1400)
    assert clamped is not None
    assert clamped == syn(1360, before=before, flags=flags)


def test_what_needs_no_clamping_stays() -> None:
    for packet in (syn(1360), syn(536), syn(None), syn(1460, flags="A"), syn(9000)[:39]):
        assert ip.clamp_mss(packet, 1400) is None
    fragment = bytearray(syn(1460))
    fragment[7] = 1
    assert ip.clamp_mss(fragment, 1400) is None


@given(st.binary(max_size=80))
def test_any_bytes_after_a_syn_are_survived(options: bytes) -> None:
    head = bytearray(syn(None))
    head[32] = min(15, 5 + len(options) // 4) << 4
    clamped = ip.clamp_mss(bytes(head) + options, 1400)
    assert clamped is None or len(clamped) == len(head) + len(options)


@given(st.binary(max_size=100))
def test_is_sound_accepts_any_bytes(packet: bytes) -> None:
    if ip.is_sound(packet):
        ip.clamp_mss(packet, 1400)
        ip.too_big(packet, 1400)
        assert ip.may_fragment(packet) in {True, False}


@pytest.mark.parametrize("size", [1, 576, 1373, 4000])
@pytest.mark.parametrize("mtu", [68, 576, 1300])
def test_fragments_fit_and_put_together_are_the_packet(size: int, mtu: int) -> None:
    body = random.Random(size).randbytes(size)
    packet = bytes(IP(src="10.0.0.1", dst="10.0.0.2", id=7, proto=253) / Raw(body))
    parts = list(ip.fragments(packet, mtu))
    assert all(len(part) <= mtu and checksums_hold(part) for part in parts)
    got = bytearray(size)
    for part in map(IP, parts):
        assert (part.src, part.dst, part.id, part.proto) == ("10.0.0.1", "10.0.0.2", 7, 253)
        load = bytes(part.payload)
        got[part.frag * 8 : part.frag * 8 + len(load)] = load
    assert bytes(got) == body
    assert [bool(IP(part).flags.MF) for part in parts] == [True] * (len(parts) - 1) + [False]


def test_a_middle_fragment_is_cut_into_middle_fragments() -> None:
    packet = bytes(IP(src="10.0.0.1", dst="10.0.0.2", flags="MF", frag=10) / Raw(bytes(800)))
    parts = [IP(part) for part in ip.fragments(packet, 300)]
    assert [part.frag for part in parts] == [10, 45, 80]
    assert all(part.flags.MF for part in parts)


def test_too_big_comes_from_the_packets_destination() -> None:
    packet = bytes(
        IP(src="10.0.0.1", dst="10.0.0.2", flags="DF") / UDP(sport=1, dport=2) / Raw(bytes(1400))
    )
    answer = ip.too_big(packet, 1300)
    assert answer is not None
    assert checksums_hold(answer)
    message = IP(answer)
    assert (message.src, message.dst) == ("10.0.0.2", "10.0.0.1")
    assert (message[ICMP].type, message[ICMP].code, message[ICMP].nexthopmtu) == (3, 4, 1300)
    assert len(answer) <= 576
    assert bytes(message[IPerror]).startswith(packet[:20])


def test_no_icmp_about_errors_later_fragments_and_strange_senders() -> None:
    error = IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3, code=1) / Raw(bytes(1400))
    later = IP(src="10.0.0.1", dst="10.0.0.2", frag=3) / Raw(bytes(1400))
    strange = [
        IP(src=source, dst="10.0.0.2") / UDP() for source in ("0.0.0.0", "127.0.0.1", "224.0.0.1")
    ]
    for packet in (error, later, *strange):
        assert ip.too_big(bytes(packet), 1300) is None
    ping = IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8) / Raw(bytes(1400))
    assert ip.too_big(bytes(ping), 1300) is not None
