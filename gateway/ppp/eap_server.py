"""The pass-through EAP authenticator (RFC 3748): the link's owner checks the peer's Responses."""

from __future__ import annotations

from gateway.common.vocabulary import Reason
from gateway.ppp import eap, frames
from gateway.ppp.authentication import ServerEnd
from gateway.ppp.eap import Code, Type
from gateway.ppp.events import Accept, EapAttempt, EapReply, Refuse, Verdict
from gateway.ppp.frames import Packet, encode_packet, parse_packet
from gateway.ppp.wire import Wire

RESEND = 5.0
"""Seconds until a retransmission; the peer may be asking a person for a PIN (RFC 3748 4.3)."""
TRIES = 12
LONGEST_REQUEST = 1500
"""Bytes; RADIUS servers fragment to the Framed-MTU, which is less."""


class PassThrough(ServerEnd):
    """Requests the identity, then turns each Response to the outstanding Request into an attempt;
    the verdict on it is the next Request."""

    def __init__(self, wire: Wire, peer_mru: int) -> None:
        super().__init__(wire, frames.EAP, interval=RESEND, tries=TRIES)
        self._room = min(peer_mru, LONGEST_REQUEST)
        self._identifier = wire.entropy(1)[0]
        self._identity: str | None = None
        self._method = ""
        self._waiting = False
        self._rounds = 0

    def start(self, now: float) -> None:
        """Request the identity."""
        self._request(eap.encode(Code.REQUEST, self._identifier, Type.IDENTITY), now)

    def receive(self, payload: bytes, now: float) -> None:  # noqa: ARG002 - no timer
        """Handle a Response to the outstanding Request; everything else is discarded."""
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
            self._end("refused", "too many EAP rounds")
            return
        self._ask(kind, packet)

    def answer(self, verdict: Verdict, now: float) -> None:
        """Send Success, Failure or the next Request."""
        if not self._waiting:
            return
        self._waiting = False
        if isinstance(verdict, Accept):
            self._accept(verdict)
        elif isinstance(verdict, Refuse):
            self._end(verdict.reason, verdict.message, verdict.eap)
        else:
            self._relay(verdict, now)

    def _ask(self, kind: int, packet: Packet) -> None:
        if kind == Type.IDENTITY:
            self._identity = eap.identity(packet)
        if kind > Type.NAK:
            self._method = eap.method_name(kind)
        self._waiting = True
        self._wire.ask(EapAttempt(encode_packet(*packet), self._identity, self._method, self._room))

    def _relay(self, reply: EapReply, now: float) -> None:
        packet = parse_packet(reply.packet)
        if packet is None or packet.code != Code.REQUEST or len(reply.packet) > self._room:
            self._end("refused", "the next EAP packet is not a Request, or too large for the link")
            return
        self._silence = reply.silence or self._silence
        self._request(encode_packet(*packet), now)

    def _request(self, packet: bytes, now: float) -> None:
        self._identifier = packet[1]
        self._resend.send(packet, now)

    def _end(self, reason: Reason, message: str, packet: bytes = b"") -> None:
        failure = packet or encode_packet(Code.FAILURE, self._identifier)
        self._wire.send(frames.EAP, failure)
        self._fail(reason, message)

    def _accept(self, verdict: Accept) -> None:
        success = verdict.eap or encode_packet(Code.SUCCESS, self._identifier)
        self._wire.send(frames.EAP, success)
        self._pass(self._identity or "", self._method, verdict.keys, verdict.address)
