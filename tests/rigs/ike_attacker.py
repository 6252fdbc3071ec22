"""A small IKEv2 initiator that shows the certificates it likes, in the order and bytes it likes.

With a plain certificate (CERT payloads, a signature) or with EAP-TLS. `Initiator` has no I/O;
`IkeAttacker` drives it over one UDP socket to port 4500, behind a NAT that is not there. It looks
at nothing that the gateway proves and renews no keys; tests.rigs.esp carries its packets.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.ppp.eap import Code, Type
from gateway.ppp.frames import encode_packet, parse_packet
from gateway.ppp.tls_messages import START, Fragments
from tests.rigs import ike_wire as wire
from tests.rigs.forged import Forged
from tests.rigs.ike_wire import Header, Payload
from tests.rigs.raw_tls import RawTls

MARKER = bytes(4)
"""Before IKE on port 4500 (RFC 3948)."""
PIECE = 1000
"""Bytes of TLS in an EAP packet."""
TRY, TRIES = 1.0, 12
PAD = b"Key Pad for IKEv2"


class TlsEnd(Protocol):
    """gateway.ppp.tls_messages.Handshake, or RawTls."""

    done: bool
    error: str

    def step(self, flight: bytes) -> bytes: ...
    def msk(self) -> bytes: ...


@dataclass(frozen=True)
class Manner:
    """How to sign in: by EAP-TLS where `tls` says how, else with CERT payloads and the key."""

    subject: bytes
    """DER of a name: IDi, and EAP's identity."""
    certificates: Sequence[bytes] = ()
    key: Any = field(default=None, repr=False)
    tls: Callable[[], TlsEnd] | None = None
    asks: bytes = wire.EVERYWHERE
    """For which addresses of its own: traffic selectors."""
    wishes: bytes = wire.wish(b"")
    """Which addresses it would have."""


def plainly(shown: Forged, named: Forged | None = None, before: Sequence[bytes] = ()) -> Manner:
    """A plain certificate, with others before it; IDi is the subject of `named`, else its own."""
    certificates = (*before, shown.der, *shown.others)
    return Manner((named or shown).subject, certificates, shown.key)


def by_eap_tls(shown: Forged, named: Forged | None = None, asks: bytes = wire.EVERYWHERE) -> Manner:
    """EAP-TLS with these very bytes; identities as above, EAP's as strongSwan's client has it."""
    certificates = (shown.der, *shown.others)
    return Manner((named or shown).subject, tls=lambda: RawTls(certificates, shown.key), asks=asks)


@dataclass
class Outcome:
    """What dialling came to."""

    established: bool = False
    addresses: list[IPv4Address] = field(default_factory=list)
    """Those that the gateway gave."""
    errors: tuple[int, ...] = ()
    eap_failure: bool = False
    silent: bool = False
    given: tuple[bytes, bytes] = (b"", b"")
    """The traffic selectors that the gateway has left: the client's and its own."""
    child: wire.Child | None = None

    @property
    def address(self) -> IPv4Address | None:
        """The first one."""
        return self.addresses[0] if self.addresses else None


class Initiator:
    """One IKE_SA without I/O: `outgoing` is the request that waits for an answer.

    `finished` once `outcome` will not change; then `probe` asks whether the gateway still knows it.
    """

    def __init__(self, manner: Manner) -> None:
        self.outcome = Outcome()
        self.finished = False
        self.ended = False
        """The gateway has deleted it."""
        self.answered = 0
        """Probes."""
        self.replies: list[bytes] = []
        """What the gateway asked, answered."""
        self._manner = manner
        self._own = ec.generate_private_key(ec.SECP256R1())
        self._spis = os.urandom(8), bytes(8)
        self._nonce = os.urandom(32)
        self._child_spi = os.urandom(4)
        self._keys: wire.Keys | None = None
        self._tls: TlsEnd | None = None
        self._fragments = Fragments(PIECE)
        self._number = 0
        self._first = self.outgoing = self._init(b"")
        self._peer_nonce = b""

    def receive(self, message: bytes) -> None:
        """A message without its marker; others' are none of ours."""
        if len(message) < wire.HEADER or message[:8] != self._spis[0]:
            return
        header = wire.parse_header(message)
        if header.exchange == wire.IKE_SA_INIT:
            if self._keys is None:
                self._started(header, message)
            return
        try:
            payloads = wire.unseal(self._keys, message) if self._keys else []
        except InvalidTag:
            return
        if not header.flags & wire.RESPONSE:
            self._asked(header, payloads)
        elif header.number == self._number:
            self._number += 1
            self.outgoing = b""
            self._answer(header, payloads)

    def probe(self) -> None:
        """An empty INFORMATIONAL exchange."""
        self._send(wire.INFORMATIONAL)

    def more(self, asks: bytes) -> None:
        """Another CHILD_SA, for these selectors of its own."""
        self._child_spi = os.urandom(4)
        self._send(
            wire.CREATE_CHILD_SA,
            wire.proposal(3, self._child_spi, wire.AES_GCM_256, wire.NO_ESN),
            Payload(wire.NONCE, os.urandom(32)),
            Payload(wire.TS_I, asks),
            Payload(wire.TS_R, wire.EVERYWHERE),
        )

    def leave(self) -> None:
        """DELETE of the IKE_SA."""
        self._send(wire.INFORMATIONAL, Payload(wire.DELETE, b"\1\0\0\0"))

    # ---- IKE_SA_INIT

    def _init(self, cookie: bytes) -> bytes:
        public = self._own.public_key().public_numbers()
        point = public.x.to_bytes(32, "big") + public.y.to_bytes(32, "big")
        payloads = [
            *([wire.notify(wire.COOKIE, cookie)] if cookie else []),
            wire.proposal(1, b"", wire.AES_GCM_256, wire.PRF_SHA256, wire.ECP_256),
            Payload(wire.KE, b"\0\x13\0\0" + point),
            Payload(wire.NONCE, self._nonce),
            wire.notify(wire.NAT_SOURCE, os.urandom(20)),
            wire.notify(wire.NAT_DESTINATION, os.urandom(20)),
            wire.notify(wire.SIGNATURE_HASHES, b"\0\2\0\3\0\4\0\5"),
        ]
        first, body = wire.chain(payloads)
        head = Header(*self._spis, first, wire.IKE_SA_INIT, wire.INITIATOR, 0)
        return head.encode(wire.HEADER + len(body)) + body

    def _started(self, header: Header, message: bytes) -> None:
        payloads = list(wire.unchain(header.first, message[wire.HEADER :]))
        notified = wire.told(payloads)
        if wire.COOKIE in notified:
            self._first = self.outgoing = self._init(notified[wire.COOKIE])
            return
        if self._failed(notified):
            return
        found = {payload.kind: payload.body for payload in payloads}
        point = b"\4" + found[wire.KE][4:]
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = self._own.exchange(ec.ECDH(), theirs)
        self._spis = self._spis[0], header.responder
        self._peer_nonce = found[wire.NONCE]
        self._keys = wire.derive(shared, self._nonce, self._peer_nonce, b"".join(self._spis))
        self._number = 1
        self._send(wire.IKE_AUTH, *self._claims())

    # ---- IKE_AUTH

    def _claims(self) -> list[Payload]:
        manner = self._manner
        certificates = [Payload(wire.CERT, wire.X509 + one) for one in manner.certificates]
        signed = []
        if manner.tls is None:
            signed = [Payload(wire.AUTH, wire.signature(manner.key, self._octets()))]
        return [
            Payload(wire.ID_I, self._identity()),
            *certificates,
            *signed,
            Payload(wire.CP, manner.wishes),
            wire.proposal(3, self._child_spi, wire.AES_GCM_256, wire.NO_ESN),
            Payload(wire.TS_I, manner.asks),
            Payload(wire.TS_R, wire.EVERYWHERE),
        ]

    def _identity(self) -> bytes:
        return bytes((wire.DN, 0, 0, 0)) + self._manner.subject

    def _octets(self) -> bytes:
        """Section 2.15."""
        assert self._keys
        return self._first + self._peer_nonce + wire.prf(self._keys.auth, self._identity())

    def _answer(self, header: Header, payloads: list[Payload]) -> None:
        if header.exchange == wire.INFORMATIONAL:
            self.answered += 1
            return
        found = {payload.kind: payload.body for payload in payloads}
        if header.exchange == wire.CREATE_CHILD_SA:
            self.answered += 1
            self.outcome.errors = tuple(k for k in wire.told(payloads) if k < wire.FIRST_STATUS)
            self.outcome.given = found.get(wire.TS_I, b""), found.get(wire.TS_R, b"")
            return
        if self._failed(wire.told(payloads)):
            return
        if wire.TS_R in found:
            assert self._keys
            self.outcome.established = True
            self.outcome.given = found[wire.TS_I], found[wire.TS_R]
            nonces = self._nonce + self._peer_nonce
            spis = self._child_spi, wire.spi(found[wire.SA])
            self.outcome.child = wire.child(self._keys, nonces, *spis)
            self.outcome.addresses = wire.addresses(payloads)
            self.finished = True
        elif wire.EAP in found:
            self._eap(found[wire.EAP])

    def _failed(self, notified: dict[int, bytes]) -> bool:
        errors = tuple(kind for kind in notified if kind < wire.FIRST_STATUS)
        self.outcome.errors += errors
        self.finished = self.finished or bool(errors)
        return bool(errors)

    def _eap(self, data: bytes) -> None:
        packet = parse_packet(data)
        if packet is None:
            return
        if packet.code == Code.SUCCESS:
            key = wire.prf(self._tls.msk(), PAD) if self._tls else b""
            body = bytes((wire.SHARED_KEY, 0, 0, 0)) + wire.prf(key, self._octets())
            self._send(wire.IKE_AUTH, Payload(wire.AUTH, body))
        elif packet.code == Code.FAILURE:
            self.outcome.eap_failure = self.finished = True
        elif packet.data:
            answer = self._method(packet.data[0], packet.data[1:])
            response = encode_packet(Code.RESPONSE, packet.identifier, answer)
            self._send(wire.IKE_AUTH, Payload(wire.EAP, response))

    def _method(self, kind: int, data: bytes) -> bytes:
        if kind == Type.IDENTITY:
            return bytes((Type.IDENTITY,)) + self._manner.subject
        if kind != Type.TLS or self._manner.tls is None:
            return bytes((Type.NAK, Type.TLS))
        return bytes((Type.TLS,)) + self._flight(data)

    def _flight(self, data: bytes) -> bytes:
        if data[0] & START and self._tls is None and self._manner.tls:
            self._tls = self._manner.tls()
            flight: bytes | None = b""
        else:
            flight = self._fragments.receive(data)
            if flight is None:
                return b"\0"
            if self._fragments.pending:
                return self._fragments.next()
        assert self._tls
        self._fragments.load(self._tls.step(flight or b""))
        return self._fragments.next()

    # ---- the gateway's own requests

    def _asked(self, header: Header, payloads: list[Payload]) -> None:
        """DELETE of the IKE_SA, or whether we are there: an empty answer is right for both."""
        assert self._keys
        for payload in payloads:
            if payload.kind == wire.DELETE and payload.body[0] == 1:
                self.ended = True
        flags = wire.INITIATOR | wire.RESPONSE
        head = Header(*self._spis, 0, header.exchange, flags, header.number)
        self.replies.append(wire.seal(self._keys, head, ()))

    def _send(self, exchange: int, *payloads: Payload) -> None:
        assert self._keys
        head = Header(*self._spis, 0, exchange, wire.INITIATOR, self._number)
        self.outgoing = wire.seal(self._keys, head, payloads)


class IkeAttacker:
    """An initiator on a UDP socket. Everything blocks; tests call it in a thread."""

    def __init__(self, line: socket.socket, gateway: str, manner: Manner) -> None:
        self._line = line
        self._to = gateway, 4500
        self._core = Initiator(manner)
        self.datagrams: list[bytes] = []
        """What has come that is not IKE."""

    def dial(self) -> Outcome:
        """To the end, one way or another; `silent` where the gateway says nothing for 12 s."""
        while not self._core.finished:
            waits_for = self._core.outgoing
            if not self._exchange(lambda sent=waits_for: self._moved(sent)):  # type: ignore[misc]
                self._core.outcome.silent = True
                break
        return self._core.outcome

    def alive(self, tries: int = 3) -> bool:
        """Whether the gateway still answers on this IKE_SA."""
        if not self._core.outcome.established or self._core.ended:
            return False
        before = self._core.answered
        self._core.probe()
        return self._exchange(lambda: self._core.answered > before or self._core.ended, tries) and (
            not self._core.ended
        )

    def more(self, asks: bytes) -> Outcome:
        """Ask for another CHILD_SA: `errors` and `given` are of this one."""
        before = self._core.answered
        self._core.more(asks)
        assert self._exchange(lambda: self._core.answered > before), "no answer"
        return self._core.outcome

    def send(self, datagram: bytes) -> None:
        """What is not IKE."""
        self._line.sendto(datagram, self._to)

    def listen(self, seconds: float) -> None:
        """Until something comes."""
        self._hear(seconds)

    def hang_up(self) -> None:
        """With a word to the gateway."""
        before = self._core.answered
        if self._core.outcome.established and not self._core.ended:
            self._core.leave()
            self._exchange(lambda: self._core.answered > before)
        self.close()

    def close(self) -> None:
        """Without one."""
        self._line.close()

    def _moved(self, sent: bytes) -> bool:
        return self._core.finished or self._core.outgoing != sent

    def _exchange(self, done: Callable[[], bool], tries: int = TRIES) -> bool:
        for _ in range(tries):
            self._line.sendto(MARKER + self._core.outgoing, self._to)
            end = time.monotonic() + TRY
            while not done() and (left := end - time.monotonic()) > 0:
                self._hear(left)
            if done():
                return True
        return False

    def _hear(self, seconds: float) -> None:
        self._line.settimeout(max(seconds, 0.001))
        try:
            data, _ = self._line.recvfrom(65536)
        except TimeoutError:
            return
        if data[:4] == MARKER:
            self._core.receive(data[4:])
            for reply in self._core.replies:
                self._line.sendto(MARKER + reply, self._to)
            self._core.replies.clear()
        else:
            self.datagrams.append(data)
