"""One connection in the worker, over TCP on the loopback, with the test as WorkerServices."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

import pytest

from gateway.dataplane.flow import Flow
from gateway.dataplane.reactor import Reactor
from gateway.policy.trust import Roots
from gateway.ppp import tls_contexts
from gateway.ppp.config import ClientConfig, ServerConfig
from gateway.ppp.events import Accept
from gateway.ppp.link import PppLink
from gateway.sstp.protocol import building, http
from gateway.sstp.protocol.binding import Bound
from gateway.sstp.protocol.call import CallConfig
from gateway.sstp.protocol.client_call import ClientCall, ClientCallConfig
from gateway.sstp.protocol.packets import HashProtocol
from gateway.sstp.worker import connection as connections
from gateway.sstp.worker.connection import ClientConnection
from tests.unit.gateway.ppp.local_eap_tls import LocalEapTls

LIMIT = 5.0


class Plane:
    """Carries nothing; its flows report to their owner that the connection has ended."""

    def __init__(self) -> None:
        self.rests: list[bytes] = []

    def add(self, flow: Flow) -> None:
        self.rests.append(flow.rest)
        flow.connection.ended = "the test has seen enough"
        flow.closed(flow.connection.ended)

    def remove(self, flow: Flow) -> None:
        flow.forget()


@dataclass
class WorkerServices:
    """Records calls; `until` runs the reactor."""

    reactor: Reactor
    tls: ssl.SSLContext
    calls: CallConfig
    plane: Any = field(default_factory=Plane)
    told: list[tuple[str, ...]] = field(default_factory=list)
    judge: Callable[[Any], Any] = lambda _attempt: Accept(IPv4Address("172.16.9.2"))
    open: int = 0

    def asks(self, connection: ClientConnection, attempt: Any) -> None:
        self.told.append(("asks", type(attempt).__name__))
        connection.answer(self.judge(attempt))

    def opened(self, connection: ClientConnection, binding: str) -> None:
        self.told.append(("opened", binding))

    def refused(self, connection: ClientConnection, reason: str, message: str, user: str) -> None:
        self.told.append(("refused", reason, message))

    def ended(self, connection: ClientConnection, why: str) -> None:
        self.told.append(("ended", why))

    def gone(self, connection: ClientConnection) -> None:
        self.told.append(("gone",))
        self.open -= 1
        if not self.open:
            self.reactor.stop()

    def fault(self, connection: ClientConnection) -> None:
        self.told.append(("fault",))

    def accept(self, listener: socket.socket) -> ClientConnection:
        self.open += 1
        return ClientConnection(self.open, listener.accept()[0], "192.0.2.2", self)

    def run(self) -> None:
        """Until everybody is gone; a test that hangs is told."""
        late = self.reactor.call_at(self.reactor.now + LIMIT, self.reactor.stop)
        self.reactor.run()
        late.cancel()
        assert not self.open, self.told


@pytest.fixture
def services(
    shown: tuple[ssl.SSLContext, Mapping[HashProtocol, bytes]],
) -> Iterator[WorkerServices]:
    tls, hashes = shown
    with Reactor() as reactor:
        yield WorkerServices(reactor, tls, CallConfig(hashes, _fails))


def _fails(_: float) -> Any:
    raise RuntimeError("a mistake of ours")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def stranger(listener: socket.socket, act: Callable[[socket.socket], None]) -> threading.Thread:
    """Connects and acts, in a thread."""
    stream = socket.create_connection(listener.getsockname())
    stream.settimeout(LIMIT)

    def go() -> None:
        with stream:
            act(stream)

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def secured(then: Callable[[ssl.SSLSocket], None]) -> Callable[[socket.socket], None]:
    """Acts over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def act(stream: socket.socket) -> None:
        with context.wrap_socket(stream) as tls:
            then(tls)

    return act


def to_the_end(stream: socket.socket) -> bytes:
    data = b""
    while part := stream.recv(65536):
        data += part
    return data


def test_bytes_that_are_not_tls_are_logged_in_one_line(
    services: WorkerServices, listener: socket.socket
) -> None:
    def act(stream: socket.socket) -> None:
        stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
        to_the_end(stream)

    thread = stranger(listener, act)
    services.accept(listener)
    services.run()
    thread.join()
    (refused, gone) = services.told
    assert refused[:2] == ("refused", "protocol")
    assert gone == ("gone",)


def test_a_closed_connection_is_freed_at_once(
    services: WorkerServices, listener: socket.socket
) -> None:
    """Its TLS has tens of kilobytes, which the garbage collector does not see and so leaves."""
    thread = stranger(listener, secured(lambda tls: tls.sendall(b"GET / HTTP/1.1\r\n\r\n")))
    gc.disable()
    try:
        there = weakref.ref(services.accept(listener))
        services.run()
        assert there() is None
    finally:
        gc.enable()
    thread.join()


def test_a_client_that_never_finishes_the_handshake_is_closed(
    services: WorkerServices, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HANDSHAKE_LIMIT", 0.05)

    def act(stream: socket.socket) -> None:
        stream.sendall(b"\x16\x03\x01\x02\x00")
        to_the_end(stream)

    thread = stranger(listener, act)
    services.accept(listener)
    services.run()
    thread.join()
    assert services.told == [("refused", "timeout", "no TLS handshake within 0.05 s"), ("gone",)]


def test_what_is_refused_at_http_is_answered_before_the_connection_ends(
    services: WorkerServices, listener: socket.socket
) -> None:
    answers = []

    def act(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answers.append(to_the_end(tls))

    thread = stranger(listener, secured(act))
    services.accept(listener)
    services.run()
    thread.join()
    assert answers[0].startswith(b"HTTP/1.1 405 ")
    assert [told[0] for told in services.told] == ["refused", "ended", "gone"]


def test_a_fault_of_our_own_costs_its_call_and_no_other(
    services: WorkerServices, listener: socket.socket
) -> None:
    guid = "{00000000-0000-0000-0000-000000000000}"

    def dial(tls: ssl.SSLSocket) -> None:
        tls.sendall(http.request("gw", guid) + building.connect_request())
        to_the_end(tls)

    def browse(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        to_the_end(tls)

    threads = [stranger(listener, secured(dial))]
    services.accept(listener)
    services.run()
    assert services.told[0] == ("fault",)
    assert services.told[-2:] == [("ended", "a fault of the gateway's own"), ("gone",)]
    threads.append(stranger(listener, secured(browse)))
    services.accept(listener)
    services.run()
    assert services.told[-3][:2] == ("refused", "protocol")
    for thread in threads:
        thread.join()


def test_ending_a_silent_client_closes_at_once(
    services: WorkerServices, listener: socket.socket
) -> None:
    thread = stranger(listener, _quiet)
    connection = services.accept(listener)
    services.reactor.call_at(0.0, lambda: connection.end("the gateway is being stopped"))
    services.run()
    thread.join()
    assert services.told == [("gone",)]


def _quiet(stream: socket.socket) -> None:
    to_the_end(stream)


IP = bytes.fromhex("4500001c0000000040010000ac100902 0a010004 0800000000000000")


def test_packets_that_follow_the_last_negotiation_packet_are_not_lost(
    services: WorkerServices, listener: socket.socket, pki_today: Any
) -> None:
    """A client in a hurry: whatever it sends once it is bound has an IP packet behind it, in one
    TLS record, and a piece of another."""
    server = pki_today["server-only"]
    key, contexts = pki_today.keys, tls_contexts
    eap = contexts.server_context(server, key["server-only"])
    services.judge = LocalEapTls(eap, Roots((pki_today["root"],)))
    config = ServerConfig(IPv4Address("172.16.9.1"))
    calls = CallConfig(
        services.calls.certificate_hashes, lambda now: PppLink(config, now=now, entropy=os.urandom)
    )
    services.calls = calls
    mine = contexts.client_context(pki_today["alice"], key["alice"], (), (pki_today["root"],))
    user = ClientConfig("alice", eap_tls=mine)
    dialled = ClientCallConfig(
        "gw", calls.certificate_hashes, lambda now: PppLink(user, now=now, entropy=os.urandom)
    )

    def dial(tls: ssl.SSLSocket) -> None:
        call = ClientCall(dialled, now=time.monotonic(), entropy=os.urandom)
        bound = False
        with suppress(OSError):
            while not call.closed:
                data = call.outgoing()
                extra = building.data(b"\x21" + IP) + b"\x10\x00\x00" if bound else b""
                if data:
                    tls.sendall(data + extra)
                    if extra:
                        tls.sendall(b"\x04")  # the rest of an empty packet
                got = tls.recv(65536)
                if not got:
                    return
                call.receive(got, time.monotonic())
                bound = bound or any(isinstance(event, Bound) for event in call.events())

    thread = stranger(listener, secured(dial))
    services.accept(listener)
    services.run()
    thread.join()
    told = [told for told in services.told if told[0] != "asks"]
    assert [one[0] for one in told] == ["opened", "ended", "gone"], services.told
    assert told[0] == ("opened", "SHA256, specification")
    (rest,) = services.plane.rests
    packet = building.data(b"\x21" + IP)
    assert rest in {packet, packet + b"\x10\x00\x00"}
