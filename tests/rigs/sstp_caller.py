"""A small SSTP client for tests of the gateway program: ClientCall over TLS over a socket.

It has no TUN: packets are made and read here. Everything blocks; tests call it in a thread.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.dataplane.ip import checksum
from gateway.ppp.config import ClientConfig
from gateway.ppp.link import PppLink
from gateway.ppp.tls_contexts import client_context
from gateway.sstp.protocol.binding import certificate_hashes
from gateway.sstp.protocol.client_call import ClientCall, ClientCallConfig
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused
from gateway.sstp.protocol.tamper import HONEST, Tamper
from lab.pki.authority import Credential
from tests.rigs.patience import PATIENCE

SLICE = 0.05


@dataclass
class SstpCaller:
    """One call on a connected TCP socket."""

    stream: socket.socket
    host: str
    credential: Credential
    server_root: x509.Certificate
    user: ClientConfig | None = None
    """In place of the certificate, sent only to the gateway."""
    tamper: Tamper = HONEST
    key_form: Any = "specification"
    events: list[Any] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.server_root.public_bytes(Encoding.PEM).decode())
        self.stream.settimeout(PATIENCE)
        self._tls = context.wrap_socket(self.stream, server_hostname=self.host)
        leaf = self._tls.getpeercert(binary_form=True)
        assert leaf
        config = self.user or with_certificate(self.credential, self.server_root)
        self.call = ClientCall(
            ClientCallConfig(
                self.host,
                certificate_hashes(leaf),
                lambda now: PppLink(config, now=now, entropy=os.urandom),
                tamper=self.tamper,
                key_form=self.key_form,
            ),
            now=time.monotonic(),
            entropy=os.urandom,
        )
        self._tls.settimeout(SLICE)

    @property
    def version(self) -> str | None:
        return self._tls.version()

    def until(self, *kinds: type, limit: float = PATIENCE) -> Any:
        """Go on until an event of these kinds, which is returned; "closed" when TCP ends before."""
        deadline = time.monotonic() + limit
        while True:
            for event in self.events:
                if isinstance(event, kinds):
                    self.events.remove(event)
                    return event
            if self.closed:
                return "closed"
            if time.monotonic() > deadline:
                raise TimeoutError(f"none of {kinds} within {limit} s, but {self.events}")
            self._turn()

    def dial(self) -> Connected | Refused | Ended | str:
        """Dial; return "connected", or why it failed."""
        return self.until(Connected, Refused, Ended)  # type: ignore[no-any-return]

    def hang_up(self) -> None:
        self.call.end("the user hung up", time.monotonic())
        while not self.closed and not self.call.closed:
            self._turn()
        self._tls.close()

    def close(self) -> None:
        """Close without notice."""
        self._tls.close()

    def send(self, packet: bytes) -> None:
        self.call.send(packet, time.monotonic())
        self._flush()

    def ping(
        self,
        destination: str,
        source: IPv4Address | None = None,
        size: int = 56,
        limit: float = PATIENCE,
    ) -> bool:
        """Send an echo request; whether it is answered."""
        own = source or self.call.address
        assert own
        self.send(echo_request(own, IPv4Address(destination), size))
        try:
            answer = self.until(Data, limit=limit)
        except TimeoutError:
            return False
        return (
            isinstance(answer, Data) and answer.packet[20] == 0 and len(answer.packet) == 28 + size
        )

    def turn(self, times: int) -> None:
        """Run the call for a moment, whatever arrives."""
        for _ in range(times):
            self._turn()

    def _turn(self) -> None:
        self._flush()
        now = time.monotonic()
        try:
            data = self._tls.recv(65536)
            if not data:
                self._lost()
            self.call.receive(data, now)
        except TimeoutError:
            self.call.tick(now)
        except OSError:
            self._lost()
        self.events += self.call.events()
        self._flush()

    def _lost(self) -> None:
        self.closed = True
        self.call.lost("the connection ended", time.monotonic())

    def _flush(self) -> None:
        data = self.call.outgoing()
        if data and not self.closed:
            try:
                self._tls.sendall(data)
            except OSError:
                self._lost()


def with_certificate(credential: Credential, server_root: x509.Certificate) -> ClientConfig:
    """A client that authenticates by EAP-TLS to a server with a certificate of that root."""
    shown, issuers = credential.certificate, credential.issuers[:-1]
    context = client_context(shown, credential.key, issuers, (server_root,))
    return ClientConfig(user=credential.common_name, eap_tls=context)


def echo_request(source: IPv4Address, destination: IPv4Address, size: int) -> bytes:
    body = struct.pack(">BBHHH", 8, 0, 0, 7, 1) + bytes(size)
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0, source.packed, destination.packed
    )
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body
