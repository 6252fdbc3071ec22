"""The packets of a probe and their answers are told from others."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address

import pytest

from lab.explain.hello import is_answer, read_hello
from lab.explain.packets import Target, alike, answer, answers, is_probe, mark, mark_of, read

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


def test_marks_tell_packets_to_the_same_target_apart() -> None:
    """Two computers behind one router try the same port at the same time."""
    numbers = (7, 8)
    own, other = (
        read(ip(NAT, APP, TCP, struct.pack("!HHIIBBHHH", 4000, 80, n, 0, 0x50, SYN, 0, 0, 0)))
        for n in numbers
    )
    assert own
    assert other
    assert mark(own) != mark(other)
    reply = read(
        ip(APP, NAT, TCP, struct.pack("!HHIIBBHHH", 80, 4000, 1, 8, 0x50, SYN_ACK, 0, 0, 0))
    )
    assert reply
    assert answers(reply, {mark(own)})
    assert not answers(reply, {mark(other)})
    assert mark_of(struct.pack("!HHI", 4000, 80, 7), TCP) == mark(own)


def test_a_mark_that_is_cut_off_is_still_the_packets() -> None:
    whole = read(udp(ALICE, APP, 4000, 53, b"a long payload"))
    assert whole
    cut = mark_of(struct.pack("!HHHH", 4000, 53, 22, 0) + b"a long", UDP)
    assert alike(cut, mark(whole))
    assert not alike(b"b", mark(whole))


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


def hello(version: int, extension: bytes = b"") -> bytes:
    suites = struct.pack("!3H", 4, 0x2F, 0x35)
    body = struct.pack("!H", version) + bytes(32) + b"\0" + b"\0\6" + suites + b"\1\0"
    body += struct.pack("!H", len(extension)) + extension
    record = b"\1" + len(body).to_bytes(3) + body
    return b"\x16\3\1" + struct.pack("!H", len(record)) + record


def test_a_client_hello_names_its_newest_version() -> None:
    found = read_hello(bytes(54) + hello(0x0302))
    assert found
    assert (found.newest, found.suites) == ("TLS 1.1", (4, 0x2F, 0x35))
    newer = read_hello(hello(0x0303, struct.pack("!HHBHH", 43, 5, 4, 0x0304, 0x0303)))
    assert newer
    assert newer.newest == "TLS 1.3"
    assert read_hello(bytes(80)) is None
    assert not is_answer(hello(0x0303))
    assert is_answer(hello(0x0303).replace(b"\1", b"\2"))
    assert read_hello(hello(0x0303)[:30]) is None
