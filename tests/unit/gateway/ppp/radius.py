"""An EAP-MSCHAPv2 server as a RADIUS server would run it: EAP packets in, verdicts out."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.ppp import mschapv2
from gateway.ppp.chap import encode_value, parse_value
from gateway.ppp.eap import Code, Type, encode
from gateway.ppp.events import Accept, Attempt, EapAttempt, EapReply, MsChapV2Attempt, Refuse
from gateway.ppp.frames import Packet, encode_packet, parse_packet
from gateway.ppp.keys import BindingKey
from tests.unit.gateway.ppp.pair import GIVEN, PASSWORD

CHALLENGE = bytes(range(16))
Answer = Accept | Refuse | EapReply


@dataclass
class MsChapV2Radius:
    """`password`: the one it knows; `proof` False: it does not prove that it knows it."""

    password: str = PASSWORD
    proof: bool = True
    seen: list[EapAttempt] = field(default_factory=list)
    keys: tuple[BindingKey, ...] = ()

    def __call__(self, attempt: Attempt) -> Answer:
        assert isinstance(attempt, EapAttempt)
        self.seen.append(attempt)
        packet = parse_packet(attempt.packet)
        assert packet
        if packet.data[0] == Type.IDENTITY:
            following = packet.identifier + 7 & 0xFF
            body = encode_packet(1, 9, encode_value(CHALLENGE, "radius"))
            return EapReply(encode(Code.REQUEST, following, Type.MSCHAPV2, body))
        if packet.data[0] == Type.NAK:
            return Refuse("refused", "no common method", encode_packet(4, packet.identifier))
        operation = packet.data[1] if len(packet.data) > 1 else 0
        if operation == 2:
            return self._judge(packet.data[5:], packet)
        if operation == 3:
            return Accept(GIVEN, self.keys, eap=encode_packet(3, packet.identifier))
        return Refuse("password", "wrong", encode_packet(4, packet.identifier))

    def _judge(self, body: bytes, packet: Packet) -> Answer:
        found = parse_value(body)
        if not found or len(found[0]) != mschapv2.VALUE_LENGTH:
            return Refuse("refused", "malformed", encode_packet(4, packet.identifier))
        response = mschapv2.parse_response(found[0])
        verified = mschapv2.verify(
            MsChapV2Attempt(found[1], CHALLENGE, *response, 9), self.password
        )
        if verified is None:
            message = mschapv2.failure_message(691, bytes(16), "wrong", retry=False)
            body = encode_packet(4, 9, message)
        else:
            self.keys = verified.keys
            proof = verified.authenticator_response if self.proof else "S=" + "0" * 40
            body = encode_packet(3, 9, proof.encode() + b" M=ok")
        following = packet.identifier + 7 & 0xFF
        return EapReply(encode(Code.REQUEST, following, Type.MSCHAPV2, body))
