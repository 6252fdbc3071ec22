"""Packets by what tells their senders apart."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from lab.observe.arrivals import Arrival, read

V4 = Ether() / IP(src="172.16.0.1", dst="10.1.1.4", options=b"\x01\x01\x01\x01")
V6 = Ether() / IPv6(src="fd00::1", dst="fd00::4")
AT4, AT6 = "10.1.1.4", "fd00::4"


@pytest.mark.parametrize(
    ("packet", "arrival"),
    [
        (V4 / TCP(sport=40001, dport=80), Arrival(AT4, socket.IPPROTO_TCP, 40001)),
        (V4 / UDP(sport=40001, dport=7), Arrival(AT4, socket.IPPROTO_UDP, 40001)),
        (V4 / ICMP(type=8, id=777, seq=1), Arrival(AT4, socket.IPPROTO_ICMP, 777)),
        (V4 / ICMP(type=0, id=777, seq=1), None),
        (V6 / TCP(sport=40001, dport=80), Arrival(AT6, socket.IPPROTO_TCP, 40001)),
        (V6 / ICMPv6EchoRequest(id=777), Arrival(AT6, socket.IPPROTO_ICMPV6, 777)),
        (Ether() / ARP(pdst="10.1.1.4"), None),
    ],
    ids=["tcp", "udp", "echo", "echo-reply", "tcp6", "echo6", "arp"],
)
def test_a_packet_has_its_destination_and_its_senders_port(
    packet: Packet, arrival: Arrival | None
) -> None:
    assert read(bytes(packet)) == arrival


@given(st.binary(max_size=64))
def test_no_frame_raises(frame: bytes) -> None:
    read(frame)
    read(bytes(12) + b"\x08\x00" + frame)
