"""CHAP (RFC 1994) with algorithm 0x81, MS-CHAPv2 (RFC 2759), both ends."""

from __future__ import annotations

from enum import IntEnum

from gateway.ppp import frames, mschapv2
from gateway.ppp.authentication import PATIENCE, ClientEnd, ServerEnd
from gateway.ppp.events import Accept, MsChapV2Attempt, Refuse, Verdict
from gateway.ppp.frames import encode_packet, parse_packet
from gateway.ppp.wire import Wire

METHOD = "MS-CHAPv2"
MOST_TRIES = 3
"""Passwords that a peer may try on one link, if verdicts allow a retry."""
LONGEST_MESSAGE = 255
"""Bytes of a Success; characters of a Failure's text."""


class Code(IntEnum):
    """RFC 1994 section 4."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


def encode_value(value: bytes, name: str) -> bytes:
    """The body of a Challenge or a Response."""
    return bytes((len(value),)) + value + name.encode("utf-8", "replace")


def parse_value(data: bytes) -> tuple[bytes, str] | None:
    """Value and name; None if the body is shorter than its length says."""
    if not data or len(data) <= data[0]:
        return None
    return data[1 : 1 + data[0]], data[1 + data[0] :].decode("utf-8", "replace")


class ChapServer(ServerEnd):
    """Challenges the peer; the link's owner gives the verdict on its response."""

    def __init__(self, wire: Wire, name: str) -> None:
        super().__init__(wire, frames.CHAP)
        self._name = name
        self._identifier = wire.entropy(1)[0]
        self._challenge = b""
        self._pending: MsChapV2Attempt | None = None
        self._tries = 0
        self._reply = b""

    def start(self, now: float) -> None:
        """Challenge the peer."""
        self._challenge = self._wire.entropy(mschapv2.CHALLENGE_LENGTH)
        body = encode_value(self._challenge, self._name)
        self._resend.send(encode_packet(Code.CHALLENGE, self._identifier, body), now)

    def receive(self, payload: bytes, now: float) -> None:  # noqa: ARG002 - nothing is timed here
        """Handle a Response; a retransmission after the end gets the same reply (RFC 1994 4.2)."""
        packet = parse_packet(payload)
        if packet is None or packet.code != Code.RESPONSE or self._pending:
            return
        if self._reply:
            self._wire.send(frames.CHAP, self._reply)
            return
        retried = bool(self._tries) and packet.identifier == self._identifier + 1 & 0xFF
        if packet.identifier != self._identifier and not retried:
            return
        found = parse_value(packet.data)
        if found is None or len(found[0]) != mschapv2.VALUE_LENGTH:
            return
        value, user = found
        self._resend.stop()
        self._identifier = packet.identifier
        self._pending = MsChapV2Attempt(
            user, self._challenge, *mschapv2.parse_response(value), packet.identifier
        )
        self._wire.ask(self._pending)

    def answer(self, verdict: Verdict, now: float) -> None:
        """Send Success with the verdict's proof, or Failure."""
        attempt, self._pending = self._pending, None
        if attempt is None:
            return
        if isinstance(verdict, Accept):
            message = verdict.message.encode("utf-8", "replace")[:LONGEST_MESSAGE]
            self._finish(encode_packet(Code.SUCCESS, self._identifier, message))
            self._pass(attempt.user, METHOD, verdict.keys, verdict.address)
        elif isinstance(verdict, Refuse):
            self._refuse(verdict, now)
        else:
            self._fail("refused", "an EAP packet cannot answer MS-CHAPv2")

    def _refuse(self, verdict: Refuse, now: float) -> None:
        self._tries += 1
        again = verdict.retry and self._tries < MOST_TRIES
        self._challenge = self._wire.entropy(mschapv2.CHALLENGE_LENGTH)
        text = verdict.text_for_peer[:LONGEST_MESSAGE]
        message = mschapv2.failure_message(verdict.error, self._challenge, text, retry=again)
        packet = encode_packet(Code.FAILURE, self._identifier, message)
        if again:
            self._resend.send(packet, now)
        else:
            self._finish(packet)
            self._fail(verdict.reason, verdict.message)

    def _finish(self, packet: bytes) -> None:
        self._reply = packet
        self._wire.send(frames.CHAP, packet)


class ChapClient(ClientEnd):
    """Answers the challenge, and verifies that the server knows the password, too."""

    def __init__(self, wire: Wire, user: str, password: str) -> None:
        super().__init__(wire, frames.CHAP)
        self._user = user
        self._exchange = mschapv2.Exchange(user, password)
        self._identifier = -1

    def start(self, now: float) -> None:
        """The server speaks first."""
        self._resend.wait(now, PATIENCE)

    def receive(self, payload: bytes, now: float) -> None:
        """Handle a Challenge, Success or Failure."""
        packet = parse_packet(payload)
        if packet is None or self.outcome:
            return
        if packet.code == Code.CHALLENGE:
            self._challenged(packet.identifier, packet.data, now)
        elif packet.identifier != self._identifier:
            return
        elif packet.code == Code.SUCCESS:
            self._succeed(packet.data)
        elif packet.code == Code.FAILURE:
            self._fail("password", mschapv2.explain_failure(packet.data))

    def _challenged(self, identifier: int, data: bytes, now: float) -> None:
        found = parse_value(data)
        if found is None or len(found[0]) != mschapv2.CHALLENGE_LENGTH:
            return
        self._identifier = identifier
        self._resend.wait(now, PATIENCE)
        value = self._exchange.respond(found[0], self._wire.entropy)
        body = encode_value(value, self._user)
        self._wire.send(frames.CHAP, encode_packet(Code.RESPONSE, identifier, body))

    def _succeed(self, message: bytes) -> None:
        if self._exchange.proves(message):
            self._pass(self._user, METHOD, self._exchange.keys)
        else:
            self._fail("refused", "the server does not know the password")
