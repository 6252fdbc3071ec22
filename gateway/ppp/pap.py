"""PAP (RFC 1334 section 2), both ends; used only if configured."""

from __future__ import annotations

from enum import IntEnum

from gateway.ppp import frames, keys
from gateway.ppp.authentication import PATIENCE, ClientEnd, ServerEnd
from gateway.ppp.events import Accept, PapAttempt, Refuse, Verdict
from gateway.ppp.frames import encode_packet, parse_packet
from gateway.ppp.wire import Wire

METHOD = "PAP"
LONGEST = 255
"""Maximum bytes of a name, a password or a message."""


class Code(IntEnum):
    """RFC 1334 2.2."""

    REQUEST = 1
    ACK = 2
    NAK = 3


def _counted(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:LONGEST]
    return bytes((len(data),)) + data


def _parse_counted(data: bytes) -> tuple[str, bytes] | None:
    if not data or len(data) < 1 + data[0]:
        return None
    return data[1 : 1 + data[0]].decode("utf-8", "replace"), data[1 + data[0] :]


class PapServer(ServerEnd):
    """Waits for name and password; the link's owner gives the verdict."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, frames.PAP)
        self._identifier = 0
        self._pending: PapAttempt | None = None
        self._reply: tuple[Code, str] | None = None

    def start(self, now: float) -> None:
        """The peer speaks first."""
        self._resend.wait(now, PATIENCE)

    def receive(self, payload: bytes, now: float) -> None:  # noqa: ARG002 - nothing is timed here
        """Handle a request; a retransmission after the end gets the same reply."""
        packet = parse_packet(payload)
        if packet is None or packet.code != Code.REQUEST or self._pending:
            return
        self._identifier = packet.identifier
        if self._reply:
            self._send(*self._reply)
            return
        name = _parse_counted(packet.data)
        password = _parse_counted(name[1]) if name else None
        if name and password:
            self._resend.stop()
            self._pending = PapAttempt(name[0], password[0])
            self._wire.ask(self._pending)

    def answer(self, verdict: Verdict, now: float) -> None:  # noqa: ARG002 - nothing is timed here
        """Send Ack or Nak."""
        attempt, self._pending = self._pending, None
        if attempt is None:
            return
        if isinstance(verdict, Accept):
            self._send(Code.ACK, verdict.message)
            self._pass(attempt.user, METHOD, keys.zeros(), verdict.address)
        elif isinstance(verdict, Refuse):
            self._send(Code.NAK, verdict.text_for_peer)
            self._fail(verdict.reason, verdict.message)
        else:
            self._fail("refused", "an EAP packet cannot answer PAP")

    def _send(self, code: Code, message: str) -> None:
        self._reply = code, message
        self._wire.send(frames.PAP, encode_packet(code, self._identifier, _counted(message)))


class PapClient(ClientEnd):
    """Sends name and password until there is an answer."""

    def __init__(self, wire: Wire, user: str, password: str) -> None:
        super().__init__(wire, frames.PAP)
        self._user = user
        self._body = _counted(user) + _counted(password)
        self._identifier = 1

    def start(self, now: float) -> None:
        """Send the first request; in PAP, the peer speaks first."""
        self._resend.send(encode_packet(Code.REQUEST, self._identifier, self._body), now)

    def receive(self, payload: bytes, now: float) -> None:  # noqa: ARG002 - nothing is timed here
        """Handle Ack or Nak."""
        packet = parse_packet(payload)
        if packet is None or self.outcome or packet.identifier != self._identifier:
            return
        if packet.code == Code.ACK:
            self._pass(self._user, METHOD, keys.zeros())
        elif packet.code == Code.NAK:
            message = _parse_counted(packet.data)
            text = message[0] if message else ""
            self._fail("password", text or "the server refuses")
