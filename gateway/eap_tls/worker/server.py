"""The EAP-TLS server (RFC 5216) without I/O: EAP packets in, EAP packets out.

The client's chain is verified (gateway.policy.trust) before the TLS handshake uses it, so that no
key chosen by a stranger is ever used. A conversation ends with the identity in the certificate,
whose key the handshake has proved, or with the reason for refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.common.vocabulary import Reason
from gateway.eap_tls.worker import flights
from gateway.eap_tls.worker.messages import ROOM
from gateway.policy.trust import Finding, Roots, examine
from gateway.ppp import eap
from gateway.ppp.eap import Code, Type
from gateway.ppp.frames import Packet, encode_packet, parse_packet
from gateway.ppp.tls_messages import START, Fragments, Handshake

if TYPE_CHECKING:
    from OpenSSL import SSL

OVERHEAD = 10
"""Bytes of EAP's header, type, flags and length before a TLS fragment."""


@dataclass(frozen=True)
class Refusal:
    """Why a client is refused."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Reply:
    """The next EAP-Request. `refusal`: the reason for a TLS alert in it, if any."""

    packet: bytes = field(repr=False)
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Shown:
    """The client has proved the key of a valid certificate. `packet` is the EAP-Success for
    admission, `failure` the EAP-Failure for refusal."""

    finding: Finding
    msk: bytes = field(repr=False)
    packet: bytes
    failure: bytes


@dataclass(frozen=True)
class Failed:
    """The conversation has failed; `packet` is the EAP-Failure. `finding`: on the certificate, if
    one was received."""

    refusal: Refusal
    packet: bytes
    finding: Finding | None = None


Step = Reply | Shown | Failed


class Conversation:
    """One client's conversation, from its identity on. It ends with Shown or Failed."""

    def __init__(
        self,
        context: SSL.Context,
        roots: Roots,
        now: Callable[[], datetime],
        room: int = ROOM,
    ) -> None:
        """`room`: maximum bytes of a Request."""
        self._roots = roots
        self._now = now
        self._handshake = Handshake(context, server=True)
        self._fragments = Fragments(min(room, ROOM) - OVERHEAD)
        self._identifier = 0
        self._rounds = 0
        self._finding: Finding | None = None
        self._leaf = b""
        self._refusal: Refusal | None = None

    def receive(self, data: bytes) -> Step:
        """Handle one EAP-Response. Anything else ends the conversation: the caller has removed
        retransmissions."""
        packet = parse_packet(data)
        if packet is None or packet.code != Code.RESPONSE or not packet.data:
            return self._end("protocol", "not an EAP-Response")
        first, self._rounds = self._rounds == 0, self._rounds + 1
        if self._rounds > eap.MOST_ROUNDS:
            return self._end("refused", "too many EAP rounds")
        if first:
            return self._begin(packet)
        if packet.identifier != self._identifier:
            return self._end("protocol", "an EAP-Response to another request")
        return self._respond(packet.data[0], packet.data[1:])

    def _begin(self, packet: Packet) -> Step:
        self._identifier = packet.identifier
        if packet.data[0] != Type.IDENTITY:
            return self._end("protocol", "EAP does not begin with an identity")
        return self._tls(bytes((START,)))

    def _respond(self, kind: int, data: bytes) -> Step:
        if kind == Type.TLS:
            return self._received(data)
        if kind == Type.NAK:
            wishes = " or ".join(eap.method_name(wish) for wish in data[:4])
            return self._end("no-certificate", f"the peer wants {wishes or 'nothing'}, not EAP-TLS")
        return self._end("refused", f"the peer answers EAP-TLS with {eap.method_name(kind)}")

    def _received(self, data: bytes) -> Step:
        try:
            flight = self._fragments.receive(data)
        except ValueError as error:
            return self._end("tls", str(error))
        if flight is None:
            return self._tls(b"\0")
        if self._fragments.pending:
            return self._tls(self._fragments.next())
        return self._step(flight)

    def _step(self, flight: bytes) -> Step:
        if self._refusal:
            return self._end(self._refusal.reason, self._refusal.message)
        if self._handshake.done:
            return self._show(flight)
        if not flight:
            return self._end("tls", "the peer sent an empty TLS flight")
        return self._look(flight) or self._forward(flight)

    def _look(self, flight: bytes) -> Failed | None:
        """Verify the client's certificates before the handshake uses them, which it does once."""
        if self._leaf:
            return None
        try:
            chain = flights.certificates(flight)
        except ValueError as error:
            return self._end("tls", str(error))
        if not chain:  # OpenSSL reports what is missing
            return None
        self._leaf = chain[0]
        self._finding = examine(chain, self._roots, self._now())
        if self._finding.reason:
            return self._end(self._finding.reason, self._finding.message)
        return None

    def _forward(self, flight: bytes) -> Step:
        """The next flight; an alert is sent before the Failure (RFC 5216 2.1.3)."""
        out = self._handshake.step(flight)
        if error := self._handshake.error:
            lacks = "did not return a certificate" in error
            self._refusal = Refusal("no-certificate" if lacks else "tls", error)
            if not out:
                return self._end(self._refusal.reason, error)
        self._fragments.load(out)
        return self._tls(self._fragments.next(), self._refusal)

    def _show(self, flight: bytes) -> Step:
        if flight:
            return self._end("tls", "the peer sent TLS data after the handshake")
        proved = self._handshake.chain()[:1]
        if self._finding is None or proved != (self._leaf,):
            return self._end("tls", "the handshake used a different certificate")
        success = encode_packet(Code.SUCCESS, self._identifier)
        return Shown(self._finding, self._handshake.msk(), success, self._failure())

    def _tls(self, data: bytes, refusal: Refusal | None = None) -> Reply:
        self._identifier = self._identifier + 1 & 0xFF
        return Reply(eap.encode(Code.REQUEST, self._identifier, Type.TLS, data), refusal)

    def _end(self, reason: Reason, message: str) -> Failed:
        return Failed(Refusal(reason, message), self._failure(), self._finding)

    def _failure(self) -> bytes:
        return encode_packet(Code.FAILURE, self._identifier)
