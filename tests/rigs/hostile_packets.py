"""Packets that a hostile client sends, each with a mark and the number of its case in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from scapy.layers.inet import (
    ICMP,
    IP,
    TCP,
    UDP,
    IPOption,
    IPOption_LSRR,
    IPOption_Router_Alert,
    IPOption_RR,
    IPOption_SSRR,
    IPOption_Timestamp,
)
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import GRE
from scapy.packet import Raw

MARK = b"hostile:"
_MARKED = re.compile(re.escape(MARK) + rb"(?P<number>\d{6})")
PORT = 31337
"""The source port of all that has ports."""
GRE_NUMBER, ESP, AH, ENCAPSULATED_6, IGMP, SCTP = 47, 50, 51, 41, 2, 132


@dataclass(frozen=True)
class Case:
    """What was sent, in words, and the addresses that it claims and aims at."""

    kind: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind} from {self.source} to {self.target}"


Make = Callable[[str, str, bytes], Sequence[IP]]


def _fragments(source: str, target: str, mark: bytes) -> Sequence[IP]:
    """The second has a mark, too."""
    body = bytes(UDP(sport=PORT, dport=7) / Raw(mark.ljust(16) + mark.ljust(16)))
    first = IP(src=source, dst=target, id=77, flags="MF", proto=17) / Raw(body[:24])
    return [first, IP(src=source, dst=target, id=77, frag=3, proto=17) / Raw(body[24:])]


def _late_fragment(source: str, target: str, mark: bytes) -> Sequence[IP]:
    return [IP(src=source, dst=target, id=78, frag=100, proto=6) / Raw(mark)]


def _with(option: IPOption) -> Make:
    return lambda source, target, mark: [
        IP(src=source, dst=target, options=[option]) / UDP(sport=PORT, dport=7) / Raw(mark)
    ]


def _raw(number: int) -> Make:
    return lambda source, target, mark: [IP(src=source, dst=target, proto=number) / Raw(mark)]


def _udp(port: int, **fields: int) -> Make:
    return lambda source, target, mark: [
        IP(src=source, dst=target, **fields) / UDP(sport=PORT, dport=port) / Raw(mark)
    ]


def _tcp(port: int, flags: str = "S") -> Make:
    return lambda source, target, mark: [
        IP(src=source, dst=target) / TCP(sport=PORT, dport=port, flags=flags) / Raw(mark)
    ]


def _icmp(**fields: object) -> Make:
    return lambda source, target, mark: [IP(src=source, dst=target) / ICMP(**fields) / Raw(mark)]


def _about(kind: int, code: int, **fields: object) -> Make:
    """An ICMP error about a packet that the target would have sent to the source."""

    def make(source: str, target: str, mark: bytes) -> Sequence[IP]:
        quoted = IP(src=target, dst=source) / UDP(sport=7, dport=PORT) / Raw(mark)
        return [IP(src=source, dst=target) / ICMP(type=kind, code=code, **fields) / quoted]

    return make


def _inside(outer: object, inner: Callable[[str, str], object]) -> Make:
    """Another packet inside: `outer` between the headers."""

    def make(source: str, target: str, mark: bytes) -> Sequence[IP]:
        packet = IP(src=source, dst=target)
        return [(packet / outer if outer else packet) / inner(source, target) / Raw(mark)]

    return make


def _honest_within(source: str, target: str) -> object:
    return IP(src=target, dst=source) / UDP(sport=PORT, dport=7)


def _six_within(_source: str, _target: str) -> object:
    return IPv6(src="fd00::66", dst="ff02::1") / ICMPv6EchoRequest(data=b"")


ORDINARY: Mapping[str, Make] = {
    "UDP": _udp(7),
    "TCP SYN": _tcp(7),
    "ping": _icmp(type=8),
    "UDP in fragments": _fragments,
    "IP option record route": _with(IPOption_RR(pointer=4, routers=["0.0.0.0"] * 3)),
    "ESP": _raw(ESP),
    "AH": _raw(AH),
}
"""What every network carries."""
ODD: Mapping[str, Make] = {
    "DNS": _udp(53),
    "RADIUS": _udp(1812),
    "IKE": _udp(500),
    "IKE behind NAT": _udp(4500),
    "HTTPS": _tcp(443),
    "TCP ACK": _tcp(443, "A"),
    "TCP RST": _tcp(7, "R"),
    "ICMP unreachable": _about(3, 3),
    "ICMP redirect": _about(5, 1, gw="172.16.201.66"),
    "ICMP fragmentation needed": _about(3, 4, nexthopmtu=68),
    "ping's answer": _icmp(type=0),
    "ICMP timestamp": _icmp(type=13),
    "a fragment alone": _late_fragment,
    "GRE": _inside(GRE(), _honest_within),
    "IP in IP": _inside(None, _honest_within),
    "IPv6 in IP": _inside(None, _six_within),
    "IGMP": _raw(IGMP),
    "SCTP": _raw(SCTP),
    "protocol 255": _raw(255),
    "time to live 1": _udp(7, ttl=1),
    "time to live 0": _udp(7, ttl=0),
    "IP option timestamp": _with(IPOption_Timestamp()),
    "IP option router alert": _with(IPOption_Router_Alert()),
    "wrong checksum": _udp(7, chksum=0x1234),
    "longer than it is": _udp(7, len=900),
}


class Cases:
    """All that has been sent, by number."""

    def __init__(self) -> None:
        self.sent: dict[int, Case] = {}
        self._numbers = count(1)

    def packets(
        self, kinds: Mapping[str, Make], sources: Sequence[str], targets: Sequence[str]
    ) -> Iterator[bytes]:
        """Every kind from everyone to everyone."""
        for kind, make in kinds.items():
            for source in sources:
                for target in targets:
                    yield from self.one(Case(kind, source, target), make)

    def source_routed(self, source: str, through: str, target: str) -> Iterator[bytes]:
        """By way of one address to another, loosely and strictly."""
        for name, option in (("loose", IPOption_LSRR), ("strict", IPOption_SSRR)):
            way = _with(option(routers=[target], pointer=4))
            case = Case(f"{name} source route by way of {through}", source, target)
            yield from self.one(case, lambda one, _, mark, way=way: way(one, through, mark))  # type: ignore[misc]

    def one(self, case: Case, make: Make) -> Iterator[bytes]:
        """A case's packets."""
        number = next(self._numbers)
        self.sent[number] = case
        for packet in make(case.source, case.target, MARK + b"%06d" % number):
            yield bytes(packet)

    def six(self, source: str, target: str) -> Iterator[bytes]:
        """IPv6 itself."""
        yield from self.one(
            Case("IPv6", source, target),
            lambda source, target, mark: [
                IPv6(src=source, dst=target) / UDP(sport=PORT) / Raw(mark)
            ],
        )

    def seen(self, data: bytes) -> list[Case]:
        """The cases whose mark is in these bytes."""
        return [self.sent[int(found["number"])] for found in _MARKED.finditer(data)]
