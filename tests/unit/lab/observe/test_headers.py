"""The headers that are read of a packet are those that scapy finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.packet import Packet, Raw

from lab.observe.headers import Header, read

OUTER = {"src": "192.168.77.10", "dst": "203.0.113.2"}
INNER = IP(src="172.16.201.1", dst="10.1.1.4") / TCP(sport=4000, dport=80) / Raw(b"GET /")
SIX = IPv6(src="fd00::1", dst="fd00::2")
FRAMES = {
    "udp": IP(**OUTER) / UDP(sport=4500, dport=4500) / Raw(bytes(INNER)),
    "options": IP(**OUTER, options=[b"\x94\x04\0\0"]) / TCP(sport=1, dport=2),
    "vlan": Dot1Q(vlan=7) / Dot1Q(vlan=8) / IP(**OUTER) / UDP(sport=1, dport=2),
    "ip in ip": IP(**OUTER) / IP(**OUTER) / INNER,
    "6in4": IP(**OUTER) / SIX / TCP(sport=1, dport=2),
    "4in6": SIX / INNER,
    "gre": IP(**OUTER) / GRE(key_present=1, seqnum_present=1) / INNER,
    "gre with 6": SIX / GRE(chksum_present=1) / SIX / UDP(sport=1, dport=2),
    "error": IP(**OUTER) / ICMP(type=3, code=4) / INNER,
    "error of 6": SIX / ICMPv6DestUnreach() / SIX / UDP(sport=1, dport=2),
    "echo": IP(**OUTER) / ICMP(type=8) / INNER,
    "extensions": SIX / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UDP(sport=1, dport=2),
    "arp": ARP(pdst="10.1.1.4"),
}


def by_scapy(frame: Packet) -> list[tuple[str, str]]:
    layer, found = frame, []
    while layer:
        if isinstance(layer, IP | IPv6):
            found.append((layer.src, layer.dst))
        layer = layer.payload
    return found


@pytest.mark.parametrize("name", FRAMES)
def test_they_are_scapys(name: str) -> None:
    data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / FRAMES[name])
    frame = read(data)
    found = [(header.source, header.destination) for header in frame.headers]
    assert found == by_scapy(Ether(data))
    assert (frame.sender, frame.receiver) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert bool(found) == (name != "arp")


def test_ports_are_read_of_tcp_and_udp_alone() -> None:
    outer, inner = read(bytes(Ether() / IP(**OUTER) / INNER)).headers
    assert outer == Header(**_ends(OUTER), protocol=4)
    assert inner == Header("172.16.201.1", "10.1.1.4", 6, (4000, 80))
    assert str(inner) == "172.16.201.1:4000 > 10.1.1.4:80 TCP"


def _ends(ends: dict[str, str]) -> dict[str, str]:
    return {"source": ends["src"], "destination": ends["dst"]}


def test_a_later_fragment_has_no_ports() -> None:
    later = Ether() / IP(**OUTER, frag=100, proto=17) / Raw(bytes(20))
    assert [header.ports for header in read(bytes(later)).headers] == [None]


@given(name=st.sampled_from(sorted(FRAMES)), data=st.data())
def test_any_bytes_are_read_without_an_error(name: str, data: st.DataObject) -> None:
    """Cut off anywhere, and changed anywhere."""
    whole = bytearray(bytes(Ether() / FRAMES[name]))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[at] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert len(read(cut).headers) <= len(cut) // 20
