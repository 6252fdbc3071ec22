"""The packets of a probe and their answers are told from others."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from lab.explain.hello import read_hello
from lab.explain.packets import Target, answer, is_probe, read

ALICE, APP, NAT = "172.16.201.2", "10.1.1.4", "192.0.2.2"
TCP, UDP, ICMP = socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP
SYN, SYN_ACK, RST = 0x02, 0x12, 0x14


def ip(source: str, destination: str, protocol: int, inner: bytes) -> bytes:
    ends = IPv4Address(source).packed + IPv4Address(destination).packed
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inner), 0, 0, 64, protocol, 0) + ends + inner


def tcp(source: str, destination: str, first: int, second: int, flags: int) -> bytes:
    body = struct.pack("!HHIIBBHHH", first, second, 1, 0, 0x50, flags, 0, 0, 0)
    return ip(source, destination, TCP, body)


def udp(source: str, destination: str, first: int, second: int, payload: bytes = b"") -> bytes:
    body = struct.pack("!HHHH", first, second, 8 + len(payload), 0) + payload
    return ip(source, destination, UDP, body)


def test_a_probe_is_known_behind_an_address_translator() -> None:
    target = Target(APP, UDP, 53, b"marker")
    for source in (ALICE, NAT):
        packet = read(udp(source, APP, 4000, 53, b"marker and more"))
        assert packet
        assert is_probe(packet, target)


@pytest.mark.parametrize(
    "data",
    [
        udp(ALICE, APP, 4000, 53, b"another"),
        udp(ALICE, APP, 4000, 54, b"marker"),
        udp(ALICE, NAT, 4000, 53, b"marker"),
        tcp(ALICE, APP, 4000, 53, SYN),
    ],
)
def test_other_packets_are_no_probe(data: bytes) -> None:
    packet = read(data)
    assert packet
    assert not is_probe(packet, Target(APP, UDP, 53, b"marker"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tcp(APP, ALICE, 80, 4000, SYN_ACK), f"SYN-ACK from {APP}"),
        (tcp(APP, ALICE, 80, 4000, RST), f"RST from {APP}"),
        (tcp(APP, ALICE, 81, 4000, RST), ""),
        (tcp(ALICE, APP, 4000, 80, SYN), ""),
    ],
)
def test_answers_of_tcp(data: bytes, words: str) -> None:
    packet = read(data)
    assert packet
    assert answer(packet, Target(APP, TCP, 80)) == words


@pytest.mark.parametrize(
    ("code", "words"), [(3, "port unreachable"), (13, "prohibited by a filter"), (99, "99")]
)
def test_an_icmp_error_answers_the_probe_that_it_quotes(code: int, words: str) -> None:
    about = udp(ALICE, APP, 4000, 53)
    packet = read(ip(APP, ALICE, ICMP, bytes((3, code, 0, 0, 0, 0, 0, 0)) + about))
    assert packet
    assert answer(packet, Target(APP, UDP, 53)) == f"ICMP {words} from {APP}"
    assert not answer(packet, Target(APP, UDP, 54))


@pytest.mark.parametrize("data", [b"", b"\x45", bytes(40), ip(ALICE, APP, TCP, b"ab")])
def test_what_is_no_packet_is_none(data: bytes) -> None:
    assert read(data) is None


def icmp(source: str, destination: str, kind: int, code: int, rest: bytes) -> bytes:
    return ip(source, destination, ICMP, bytes((kind, code, 0, 0)) + rest)


ID = struct.pack("!HH", 77, 1)


def test_an_echo_is_known_by_its_identifier() -> None:
    target = Target(APP, ICMP, 77)
    request, reply = read(icmp(ALICE, APP, 8, 0, ID)), read(icmp(APP, ALICE, 0, 0, ID))
    assert request
    assert reply
    assert is_probe(request, target)
    assert not is_probe(request, Target(APP, ICMP, 78))
    assert not is_probe(reply, target)
    assert answer(reply, target) == f"an answer from {APP}"
    assert not answer(request, Target(ALICE, ICMP, 77))


def test_a_packet_that_is_too_large_is_said_with_the_links_limit() -> None:
    about = icmp(ALICE, APP, 8, 0, ID)
    packet = read(icmp(NAT, ALICE, 3, 4, struct.pack("!HH", 0, 1400)) + about)
    assert packet
    assert packet.says_too_large
    words = f"ICMP fragmentation needed from {NAT} (the link takes 1400 bytes)"
    assert answer(packet, Target(APP, ICMP, 77)) == words
    cut = read(icmp(NAT, ALICE, 3, 4, struct.pack("!HH", 0, 1400)) + about[:12])
    assert cut is None or not cut.quotes


def hello(version: int, extension: bytes = b"") -> bytes:
    suites = struct.pack("!3H", 4, 0x2F, 0x35)
    body = struct.pack("!H", version) + bytes(32) + b"\0" + b"\0\6" + suites + b"\1\0"
    body += struct.pack("!H", len(extension)) + extension
    record = b"\1" + len(body).to_bytes(3) + body
    return b"\x16\3\1" + struct.pack("!H", len(record)) + record


def test_a_client_hello_names_its_newest_version() -> None:
    found = read_hello(bytes(54) + hello(0x0302))
    assert found
    assert (found.newest, found.suites, found.new) == ("TLS 1.1", (4, 0x2F, 0x35), False)
    assert found.names[:2] == ("TLS_RSA_WITH_RC4_128_MD5", "TLS_RSA_WITH_AES_128_CBC_SHA")
    assert replace(found, suites=(0x1301,)).names == ("0x1301",)
    newer = read_hello(hello(0x0303, struct.pack("!HHBHH", 43, 5, 4, 0x0304, 0x0303)))
    assert newer
    assert newer.newest == "TLS 1.3"
    assert newer.new
    assert read_hello(bytes(80)) is None
    assert read_hello(hello(0x0303)[:30]) is None
