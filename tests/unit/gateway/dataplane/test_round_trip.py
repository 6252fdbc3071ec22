"""Both ends of the tunnel are planes, each in a namespace of its own: real TCP and UDP."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.common import calls
from gateway.dataplane import native
from gateway.dataplane.carrier import CLIENT
from gateway.dataplane.flow import Flow
from gateway.dataplane.native import FLAGS, Native, build
from gateway.dataplane.plane import Plane
from gateway.dataplane.reactor import Reactor
from gateway.dataplane.tls import TlsConnection
from gateway.dataplane.tun import configure, open_tun
from tests.rigs.isolated import isolated
from tests.unit.gateway.dataplane.pieces import connected, running

T = TypeVar("T")
INNER, ADDRESS = IPv4Address("172.16.0.1"), IPv4Address("172.16.0.2")
SIZE = 8_000_000


class Tunnel:
    """The gateway's end in the calling thread's namespace, the client's in one of its own."""

    def __init__(self, mtu: int, gateway: Native | None, client: Native | None) -> None:
        self._computer = ThreadPoolExecutor(1)
        self.on_client(lambda: calls.unshare(calls.NEWNET))
        self.reactor = Reactor()
        ours = self._end(INNER, ADDRESS, mtu, gateway)
        theirs = self.on_client(lambda: self._end(ADDRESS, INNER, mtu, client))
        connection, other = connected()
        self.flow = _flow(connection, mtu)
        Plane(ours, gateway, self.reactor, mtu).add(self.flow)
        Plane(theirs, client, self.reactor, mtu, side=CLIENT).add(_flow(other.connection, mtu))

    def _end(self, own: IPv4Address, other: IPv4Address, mtu: int, native: Native | None) -> int:
        tun = open_tun("tun0", vnet_hdr=native is not None)
        configure("tun0", IPv4Interface(f"{own}/32"), mtu, [IPv4Network(f"{other}/32")])
        return tun

    def on_client(self, function: Callable[[], T]) -> T:
        return self._computer.submit(function).result(10)


def _flow(connection: TlsConnection, mtu: int) -> Flow:
    return Flow(
        connection,
        address=ADDRESS,
        ip_header=b"\xff\x03\x00\x21",
        peer_mru=mtu,
        control=lambda _: None,
        closed=lambda _: None,
    )


@pytest.fixture(params=["native", "python", "mixed"])
def ends(request: pytest.FixtureRequest) -> tuple[Native | None, Native | None]:
    compiled = native.load()
    assert compiled
    second = Native(build(Path(os.environ["P2SLAB_CACHE"], "native"), FLAGS))
    return {"native": (compiled, second), "python": (None, None), "mixed": (compiled, None)}[
        request.param
    ]


def _received(stream: socket.socket) -> bytes:
    digest = hashlib.sha256()
    while data := stream.recv(1 << 20):
        digest.update(data)
    return digest.digest()


def test_tcp_arrives_whole_in_both_directions_at_once(
    ends: tuple[Native | None, Native | None],
) -> None:
    data = random.Random(5).randbytes(SIZE)

    def pump(stream: socket.socket) -> bytes:
        def send() -> None:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        digest = _received(stream)
        sending.join(20)
        return digest

    def there() -> None:
        tunnel = Tunnel(1400, *ends)
        with running(tunnel.reactor), ThreadPoolExecutor(1) as other:
            listener = socket.create_server((str(INNER), 80))
            stream = tunnel.on_client(lambda: socket.create_connection((str(INNER), 80), 10))
            far = listener.accept()[0]
            for end in (stream, far):
                end.settimeout(20)
            second = other.submit(pump, far)
            assert pump(stream) == second.result(20) == hashlib.sha256(data).digest()
        counters = tunnel.flow.counters
        assert (counters.spoofed, counters.malformed, counters.refused) == (0, 0, 0)
        if ends[0]:
            assert _packets("tun0") < counters.packets_in / 2

    isolated(there)


def _packets(name: str) -> int:
    """The number of packets that the kernel has received from the device."""
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        if line.strip().startswith(f"{name}:"):
            return int(line.split()[2])
    raise LookupError(name)


def test_datagrams_arrive_as_they_were_sent(ends: tuple[Native | None, Native | None]) -> None:
    def there() -> None:
        tunnel = Tunnel(1400, *ends)
        sizes = [*range(1, 60), *[1000] * 40, 999, 1372, 1373, 3000]
        with running(tunnel.reactor):
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((str(INNER), 9))
            client = tunnel.on_client(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            client.connect((str(INNER), 9))
            for end in (server, client):
                end.settimeout(5)
            for number, size in enumerate(sizes):
                client.send(bytes([number]) * size)
            got = [server.recv(4000) for _ in sizes]
            assert got == [bytes([number]) * size for number, size in enumerate(sizes)]
            address = client.getsockname()
            for number, size in enumerate(sizes):
                server.sendto(bytes([number]) * size, address)
            got = [client.recv(4000) for _ in sizes]
            assert got == [bytes([number]) * size for number, size in enumerate(sizes)]

    isolated(there)


def test_udp_with_segmentation_offload_arrives_in_datagrams(
    ends: tuple[Native | None, Native | None],
) -> None:
    def there() -> None:
        tunnel = Tunnel(1400, *ends)
        udp_segment = 103  # linux/udp.h
        with running(tunnel.reactor):
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((str(INNER), 9))
            server.settimeout(5)
            client = tunnel.on_client(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            client.connect((str(INNER), 9))
            client.setsockopt(socket.IPPROTO_UDP, udp_segment, 1000)
            data = random.Random(6).randbytes(40_500)
            client.send(data)
            got = [server.recv(4000) for _ in range(41)]
            assert [len(part) for part in got] == [1000] * 40 + [500]
            assert b"".join(got) == data

    isolated(there)
