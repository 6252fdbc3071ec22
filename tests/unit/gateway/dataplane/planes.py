"""A plane on a real TUN, for tests: one UDP socket of the VNet, and clients over TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from gateway.dataplane.flow import Flow
from gateway.dataplane.native import Native
from gateway.dataplane.plane import Plane
from gateway.dataplane.reactor import Reactor
from gateway.dataplane.tls import TlsConnection
from gateway.dataplane.tun import configure, open_tun
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.unit.gateway.dataplane.pieces import Client, connected, in_reactor, running

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


def one_round(reactor: Reactor) -> None:
    reactor.call_at(0, reactor.stop)
    reactor.run()
