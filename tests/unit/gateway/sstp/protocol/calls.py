"""A server's and a client's call joined in memory, with a clock set by the test."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Address
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.policy.trust import Roots
from gateway.ppp.config import ClientConfig, ServerConfig
from gateway.ppp.events import (
    Accept,
    Attempt,
    MsChapV2Attempt,
    PapAttempt,
    Refuse,
    Verdict,
)
from gateway.ppp.keys import zeros
from gateway.ppp.link import PppLink
from gateway.ppp.mschapv2 import verify
from gateway.ppp.tls_contexts import client_context, server_context
from gateway.sstp.protocol.binding import certificate_hashes
from gateway.sstp.protocol.call import CallConfig, ServerCall
from gateway.sstp.protocol.carrier import Carrier
from gateway.sstp.protocol.client_call import ClientCall, ClientCallConfig
from gateway.sstp.protocol.events import CallEvent
from tests.unit.gateway.ppp.local_eap_tls import LocalEapTls

ADDRESS = IPv4Address("172.16.201.2")
PASSWORD = "correct horse"
HASHES = certificate_hashes(b"the certificate that the server shows in TLS")
E = TypeVar("E")

PASSWORDS = ServerConfig(IPv4Address("172.16.201.1"), methods=("MS-CHAPv2",))
ALICE = ClientConfig("alice", PASSWORD)


def ip_packet(payload: bytes = b"ping") -> bytes:
    """An IPv4 packet good enough for a call, which only checks PPP's protocol number."""
    return b"\x45\0" + (20 + len(payload)).to_bytes(2, "big") + bytes(16) + payload


def verdict(attempt: object) -> Verdict | None:
    """Accepts whoever knows the password."""
    match attempt:
        case MsChapV2Attempt():
            verified = verify(attempt, PASSWORD)
            if verified is None:
                return Refuse("password", "wrong user name or password")
            return Accept(ADDRESS, verified.keys, verified.authenticator_response)
        case PapAttempt() if attempt.password == PASSWORD:
            return Accept(ADDRESS, zeros())
        case PapAttempt():
            return Refuse("password", "wrong user name or password")
        case _:
            return None


class Pair:
    """Both ends. `to_client` and `to_server` keep every byte that went that way."""

    def __init__(
        self,
        server: ServerConfig = PASSWORDS,
        client: ClientConfig = ALICE,
        *,
        seed: int = 1,
        chunk: int = 1 << 20,
        answer: Callable[[Any], Verdict | None] = verdict,
        busy: bool = False,
        **options: Any,
    ) -> None:
        self.now = 0.0
        self._chunk = chunk
        self._answer = answer
        entropy = random.Random(seed).randbytes
        self.server = ServerCall(
            CallConfig(
                HASHES,
                lambda now: PppLink(server, now=now, entropy=entropy),
                busy=lambda: busy,
                unix_time=lambda: 0,
            ),
            now=0,
            entropy=entropy,
        )
        config = ClientCallConfig(
            "gw.example", HASHES, lambda now: PppLink(client, now=now, entropy=entropy)
        )
        self.client = ClientCall(replace(config, **options), now=0, entropy=entropy)
        self.server_saw: list[CallEvent] = []
        self.client_saw: list[CallEvent] = []
        self.to_client = self.to_server = b""

    def run(self) -> Pair:
        """Run until neither end sends anything."""
        moving = True
        while moving:
            up, down = self.client.outgoing(), self.server.outgoing()
            self.to_server += up
            self.to_client += down
            self._feed(self.server, up)
            self._feed(self.client, down)
            events = self.server.events()
            self.server_saw += events
            self.client_saw += self.client.events()
            for event in events:
                answer = self._answer(event) if isinstance(event, Attempt) else None
                if answer:
                    self.server.answer(answer, self.now)
            moving = bool(up or down or events)
        return self

    def _feed(self, call: Carrier[Any], data: bytes) -> None:
        for at in range(0, len(data), self._chunk):
            call.receive(data[at : at + self._chunk], self.now)

    def pass_time(self, seconds: float) -> Pair:
        """Advance the clock from deadline to deadline."""
        until = self.now + seconds
        while True:
            dues = [call.deadline() for call in (self.server, self.client) if not call.closed]
            self.now = min([until, *(due for due in dues if due is not None)])
            self.server.tick(self.now)
            self.client.tick(self.now)
            self.run()
            if self.now >= until:
                return self


def only(events: list[CallEvent], kind: type[E]) -> E:
    """The only event of this kind."""
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def kinds(events: list[CallEvent]) -> list[str]:
    """Names of the events, in order."""
    return [type(event).__name__ for event in events]


@cache
def certificates() -> tuple[ServerConfig, ClientConfig, Callable[[], LocalEapTls]]:
    """Both ends of EAP-TLS, and the server's owner."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        ServerConfig(IPv4Address("172.16.201.1"), methods=("EAP",)),
        ClientConfig("alice", eap_tls=client_context(certificate, key, (), (certificate,))),
        lambda: LocalEapTls(server_context(certificate, key), Roots((certificate,))),
    )
