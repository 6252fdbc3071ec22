"""Helpers for the data plane's tests: TLS ends, framing, a reactor in a thread."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.dataplane.reactor import Reactor
from gateway.dataplane.tls import TlsConnection, restrict, server_context
from gateway.dataplane.tls_memory import MemoryTls
from gateway.dataplane.tls_socket import SocketTls

KINDS: dict[str, type[MemoryTls | SocketTls]] = {"memory": MemoryTls, "socket": SocketTls}


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's, TLS 1.2, ECDSA P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    with tempfile.NamedTemporaryFile() as file:
        pem = serialization.Encoding.PEM
        file.write(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + certificate.public_bytes(pem)
        )
        file.flush()
        server = server_context(file.name, file.name)
    client = restrict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


def connected(kind: str = "memory") -> tuple[TlsConnection, Client]:
    """The gateway's end, after the handshake, and a client's."""
    server_side, client_side = socket.socketpair()
    server_context, client_context = contexts()
    connection = KINDS[kind](server_side, server_context)
    other = KINDS["memory"](client_side, client_context, server_side=False)
    complete = [False, False]
    while not all(complete):
        ends = (connection, other)
        complete = [done or end.handshake() for done, end in zip(complete, ends, strict=True)]
        assert not connection.ended, connection.ended
    return connection, Client(other, client_side)


class Client:
    """The client's end, waiting at most five seconds for what it wants."""

    def __init__(self, connection: TlsConnection, stream: socket.socket) -> None:
        self.connection = connection
        self.stream = stream
        self._buffer = b""

    def send(self, *packets: bytes) -> None:
        self.stream.settimeout(5)
        self.connection.write([b"".join(packets)])
        assert not self.connection.wants_write

    def receive(self) -> bytes:
        """The next SSTP packet."""
        while len(self._buffer) < 4 or len(self._buffer) < self._length():
            self._more()
        length = self._length()
        packet, self._buffer = self._buffer[:length], self._buffer[length:]
        return packet

    def ip(self) -> bytes:
        """The IP packet of the next SSTP packet, which must be framed the long way."""
        packet = self.receive()
        assert packet[:2] + packet[4:8] == b"\x10\x00\xff\x03\x00\x21"
        return packet[8:]

    def pending(self) -> bytes:
        """The data received but not consumed."""
        self.stream.setblocking(False)
        return self._buffer + self.connection.read()

    def _length(self) -> int:
        return int.from_bytes(self._buffer[2:4], "big") & 0xFFF

    def _more(self) -> None:
        self.stream.settimeout(5)
        read = self.connection.read()
        assert read or not self.connection.ended, self.connection.ended
        self._buffer += read


def framed(packet: bytes, header: bytes = b"\xff\x03\x00\x21") -> bytes:
    return b"\x10\x00" + (4 + len(header) + len(packet)).to_bytes(2, "big") + header + packet


@contextmanager
def running(reactor: Reactor) -> Iterator[None]:
    """Run the reactor in a thread; an exception of a callback is raised at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            reactor.run()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        reactor.stop()
        thread.join(5)
        for failure in failures:
            raise failure
    assert not thread.is_alive()


def in_reactor(reactor: Reactor, function: Callable[[], None]) -> None:
    """Call it in the running reactor's thread, and wait until it has been called."""
    reading, writing = socket.socketpair()
    done = threading.Event()

    def call(_events: int) -> None:
        reactor.remove(reading.fileno())
        reading.close()
        function()
        done.set()

    with writing:
        reactor.add(reading.fileno(), 1, call)
        writing.send(b"x")
        assert done.wait(5)
