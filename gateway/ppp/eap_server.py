"""The EAP authenticator (RFC 3748): passing through, or ending EAP-TLS here (RFC 5216)."""

from __future__ import annotations

from abc import abstractmethod

from OpenSSL import SSL

from gateway.ppp import eap, frames, keys
from gateway.ppp.authentication import ServerEnd
from gateway.ppp.eap import Code, Type
from gateway.ppp.events import Accept, CertificateAttempt, EapAttempt, EapReply, Refuse, Verdict
from gateway.ppp.frames import Packet, encode_packet, parse_packet
from gateway.ppp.tls_messages import START, Fragments, Handshake
from gateway.ppp.wire import Wire

RESEND = 5.0
"""Seconds; the peer may be asking a person for a PIN (RFC 3748 4.3)."""
TRIES = 12
LONGEST_REQUEST = 1500
"""Bytes; RADIUS servers cut their packets to the Framed-MTU, which is less."""


class EapAuthenticator(ServerEnd):
    """The identity round, and Responses that fit the Request that is out."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, frames.EAP, interval=RESEND, tries=TRIES)
        self._identifier = wire.entropy(1)[0]
        self._identity: str | None = None
        self._waiting = False
        self._rounds = 0

    def start(self, now: float) -> None:
        """Who is there?"""
        self._request(eap.encode(Code.REQUEST, self._identifier, Type.IDENTITY), now)

    def receive(self, payload: bytes, now: float) -> None:
        """A Response to the Request that is out; everything else is discarded."""
        packet = parse_packet(payload)
        if packet is None or packet.code != Code.RESPONSE or not packet.data:
            return
        if self._waiting or self.outcome or packet.identifier != self._identifier:
            return
        kind = packet.data[0]
        if self._identity is None and kind != Type.IDENTITY:
            return
        self._resend.stop()
        self._rounds += 1
        if self._rounds > eap.MOST_ROUNDS:
            self._end("refused", "EAP without an end")
            return
        if kind == Type.IDENTITY:
            self._identity = eap.identity(packet)
        self._respond(kind, packet, now)

    @abstractmethod
    def _respond(self, kind: int, packet: Packet, now: float) -> None:
        """The peer's next word."""

    def _request(self, packet: bytes, now: float) -> None:
        self._identifier = packet[1]
        self._resend.send(packet, now)

    def _end(self, reason: str, message: str, packet: bytes = b"") -> None:
        failure = packet or encode_packet(Code.FAILURE, self._identifier)
        self._wire.send(frames.EAP, failure)
        self._fail(reason, message)

    def _accept(self, method: str, verdict: Accept, given: tuple[keys.BindingKey, ...]) -> None:
        success = verdict.eap or encode_packet(Code.SUCCESS, self._identifier)
        self._wire.send(frames.EAP, success)
        self._pass(self._identity or "", method, given, verdict.address)


class PassThrough(EapAuthenticator):
    """Every Response becomes an attempt; the RADIUS server's packets come back as verdicts."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._method = ""

    def _respond(self, kind: int, packet: Packet, now: float) -> None:  # noqa: ARG002 - no timer
        if kind > Type.NAK:
            self._method = eap.method_name(kind)
        self._waiting = True
        self._wire.ask(EapAttempt(encode_packet(*packet), self._identity, self._method))

    def answer(self, verdict: Verdict, now: float) -> None:
        """Success, Failure or the next Request."""
        if not self._waiting:
            return
        self._waiting = False
        if isinstance(verdict, Accept):
            self._accept(self._method, verdict, verdict.keys)
        elif isinstance(verdict, Refuse):
            self._end(verdict.reason, verdict.message, verdict.eap)
        else:
            self._relay(verdict, now)

    def _relay(self, reply: EapReply, now: float) -> None:
        packet = parse_packet(reply.packet)
        if packet is None or packet.code != Code.REQUEST or len(reply.packet) > LONGEST_REQUEST:
            self._end("refused", "the RADIUS server's EAP packet is no Request that fits the link")
            return
        self._request(encode_packet(*packet), now)


class LocalTls(EapAuthenticator):
    """EAP-TLS ended here; the verdict on the certificate decides between Success and Failure."""

    def __init__(self, wire: Wire, context: SSL.Context, fragment: int) -> None:
        super().__init__(wire)
        self._context = context
        self._fragments = Fragments(fragment)
        self._handshake: Handshake | None = None

    def _respond(self, kind: int, packet: Packet, now: float) -> None:
        if kind == Type.IDENTITY and self._handshake is None:
            self._handshake = Handshake(self._context, server=True)
            self._tls(bytes((START,)), now)
        elif kind == Type.TLS:
            self._received(packet.data[1:], now)
        elif kind == Type.NAK:
            wishes = " or ".join(eap.method_name(wish) for wish in packet.data[1:5])
            self._end("refused", f"the peer wants {wishes or 'nothing'}, not EAP-TLS")
        else:
            self._end("refused", f"the peer answers EAP-TLS with {eap.method_name(kind)}")

    def _received(self, data: bytes, now: float) -> None:
        try:
            flight = self._fragments.receive(data)
        except ValueError as error:
            self._end("tls", str(error))
            return
        if flight is None:
            self._tls(b"\0", now)
        elif self._fragments.pending:
            self._tls(self._fragments.next(), now)
        else:
            self._step(flight, now)

    def _step(self, flight: bytes, now: float) -> None:
        handshake = self._handshake
        if handshake is None:
            return
        if handshake.error:
            self._end(*_reason(handshake.error))
        elif handshake.done and flight:
            self._end("tls", "the peer breaks off after the handshake")
        elif handshake.done:
            self._waiting = True
            self._wire.ask(CertificateAttempt(self._identity or "", handshake.chain()))
        elif flight:
            self._forward(handshake, flight, now)
        else:
            self._end("tls", "the peer goes on without a word")

    def _forward(self, handshake: Handshake, flight: bytes, now: float) -> None:
        """The next flight; an alert goes out before the Failure (RFC 5216 2.1.3)."""
        out = handshake.step(flight)
        if handshake.error:
            self._silence = _reason(handshake.error)
        if handshake.error and not out:
            self._end(*_reason(handshake.error))
            return
        self._fragments.load(out)
        self._tls(self._fragments.next(), now)

    def _tls(self, data: bytes, now: float) -> None:
        following = self._identifier + 1 & 0xFF
        self._request(eap.encode(Code.REQUEST, following, Type.TLS, data), now)

    def answer(self, verdict: Verdict, now: float) -> None:  # noqa: ARG002 - no timer
        """Success with the keys of the handshake, or Failure."""
        if not self._waiting or self._handshake is None:
            return
        self._waiting = False
        if isinstance(verdict, Accept):
            given = keys.from_msk(self._handshake.msk())
            self._accept(eap.method_name(Type.TLS), verdict, given)
        elif isinstance(verdict, Refuse):
            self._end(verdict.reason, verdict.message, verdict.eap)
        else:
            self._end("refused", "an EAP packet cannot answer for a certificate")


def _reason(error: str) -> tuple[str, str]:
    lacks = "did not return a certificate" in error
    return ("no-certificate" if lacks else "tls"), error
