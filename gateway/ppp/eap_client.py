"""The EAP peer (RFC 3748) with EAP-TLS (RFC 5216) or EAP-MSCHAPv2.

The latter is draft-kamath-pppext-eap-mschapv2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum

from OpenSSL import SSL

from gateway.common.vocabulary import Reason
from gateway.ppp import eap, frames, keys, mschapv2
from gateway.ppp.authentication import PATIENCE, ClientEnd
from gateway.ppp.chap import encode_value, parse_value
from gateway.ppp.eap import Code, Type
from gateway.ppp.frames import Packet, encode_packet, parse_packet
from gateway.ppp.tls_messages import START, Fragments, Handshake
from gateway.ppp.wire import Entropy, Wire

LAST_WORD = 3.0
"""Seconds to wait for the server's Failure after the method has failed here."""


class EapMethod(ABC):
    """A method of the EAP peer. `failure`: reason and message if it has failed."""

    kind: Type
    finished = False
    failure: tuple[Reason, str] | None = None

    @abstractmethod
    def respond(self, data: bytes) -> bytes | None:
        """The answer to a Request of this type; None: no answer, it is malformed."""

    @abstractmethod
    def keys(self) -> tuple[keys.BindingKey, ...]:
        """The method's keys, once it has finished."""


class TlsMethod(EapMethod):
    """EAP-TLS with the context's certificate."""

    kind = Type.TLS

    def __init__(self, context: SSL.Context, fragment: int) -> None:
        self._context = context
        self._fragments = Fragments(fragment)
        self._handshake: Handshake | None = None

    def respond(self, data: bytes) -> bytes | None:
        """Handle a flight, a fragment of one, or an acknowledgement."""
        if data[:1] and data[0] & START and self._handshake is None:
            self._handshake = Handshake(self._context, server=False)
            return self._step(self._handshake, b"")
        if self._handshake is None:
            return None
        try:
            flight = self._fragments.receive(data)
        except ValueError as error:
            self.failure = "tls", str(error)
            return None
        if flight is None:
            return b"\0"
        if self._fragments.pending:
            return self._fragments.next()
        return self._step(self._handshake, flight)

    def _step(self, handshake: Handshake, flight: bytes) -> bytes:
        self._fragments.load(handshake.step(flight))
        self.finished = handshake.done
        if handshake.error:
            self.failure = "tls", handshake.error
        return self._fragments.next()

    def keys(self) -> tuple[keys.BindingKey, ...]:
        """The binding keys according to the specification and to pppd."""
        return keys.from_msk(self._handshake.msk()) if self._handshake else ()


class MsChapV2Method(EapMethod):
    """EAP-MSCHAPv2."""

    kind = Type.MSCHAPV2

    class Op(IntEnum):
        """The draft's section 2."""

        CHALLENGE = 1
        RESPONSE = 2
        SUCCESS = 3
        FAILURE = 4

    def __init__(self, user: str, password: str, entropy: Entropy) -> None:
        self._user = user
        self._entropy = entropy
        self._exchange = mschapv2.Exchange(user, password)

    def respond(self, data: bytes) -> bytes | None:
        """Handle a Request by its OpCode; inner lengths, which repeat EAP's, are ignored."""
        if len(data) < 4:
            return None
        code, identifier, body = data[0], data[1], data[4:]
        if code == self.Op.CHALLENGE:
            return self._challenged(identifier, body)
        if code == self.Op.SUCCESS:
            self.finished = self._exchange.proves(body)
            if not self.finished:
                self.failure = "refused", "the server does not know the password"
                return None
            return bytes((self.Op.SUCCESS,))
        if code == self.Op.FAILURE:
            self.failure = "password", mschapv2.explain_failure(body)
            return bytes((self.Op.FAILURE,))
        return None

    def _challenged(self, identifier: int, body: bytes) -> bytes | None:
        found = parse_value(body)
        if found is None or len(found[0]) != mschapv2.CHALLENGE_LENGTH:
            return None
        value = self._exchange.respond(found[0], self._entropy)
        return encode_packet(self.Op.RESPONSE, identifier, encode_value(value, self._user))

    def keys(self) -> tuple[keys.BindingKey, ...]:
        """The same keys as in MS-CHAPv2 itself."""
        return self._exchange.keys


class EapClient(ClientEnd):
    """Answers every Request once, and a retransmitted one with the same Response."""

    def __init__(self, wire: Wire, user: str, method: EapMethod) -> None:
        super().__init__(wire, frames.EAP)
        self._user = user
        self._method = method
        self._last: tuple[bytes, bytes] = (b"", b"")

    def start(self, now: float) -> None:
        """The server speaks first."""
        self._resend.wait(now, PATIENCE)

    def receive(self, payload: bytes, now: float) -> None:
        """Handle a Request, Success or Failure."""
        packet = parse_packet(payload)
        if packet is None or self.outcome:
            return
        if packet.code == Code.SUCCESS:
            self.network_begins()
        elif packet.code == Code.FAILURE:
            self._fail(*(self._method.failure or ("refused", "the server refuses (EAP Failure)")))
        elif packet.code == Code.REQUEST and packet.data:
            self._requested(packet, now)

    def network_begins(self) -> None:
        """Treat IPCP as a lost Success (RFC 3748 4.2), but only if the method has finished."""
        if self._method.finished:
            name = eap.method_name(self._method.kind)
            self._pass(self._user, name, self._method.keys())

    def _requested(self, packet: Packet, now: float) -> None:
        self._resend.wait(now, PATIENCE)
        request = encode_packet(*packet)
        if request == self._last[0]:
            self._wire.send(frames.EAP, self._last[1])
            return
        body = self._respond(packet.data[0], packet.data[1:])
        if body is not None:
            response = encode_packet(Code.RESPONSE, packet.identifier, body)
            self._last = request, response
            self._wire.send(frames.EAP, response)
        if self._method.failure:
            self._abort(self._method.failure, now, answered=body is not None)

    def _abort(self, failure: tuple[Reason, str], now: float, *, answered: bool) -> None:
        """Fail; if the server was sent the reason, first wait for its Failure."""
        if answered:
            self._silence = failure
            self._resend.wait(now, LAST_WORD)
        else:
            self._fail(*failure)

    def _respond(self, kind: int, data: bytes) -> bytes | None:
        if kind == Type.IDENTITY:
            return bytes((Type.IDENTITY,)) + self._user.encode("utf-8", "replace")
        if kind == Type.NOTIFICATION:
            return bytes((Type.NOTIFICATION,))
        if kind != self._method.kind:
            return bytes((Type.NAK, self._method.kind))
        answer = self._method.respond(data)
        return None if answer is None else bytes((kind,)) + answer
