"""The client's state machine ([MS-SSTP] section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from gateway.sstp.protocol import binding, building
from gateway.sstp.protocol.machine import COMMON, TIMERS, Ending, Machine, Rule, State, Timers
from gateway.sstp.protocol.packets import (
    NONCE,
    AttributeId,
    HashProtocol,
    Message,
    Status,
    status_infos,
)
from gateway.sstp.protocol.tamper import HONEST, Tamper, flipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.sstp.protocol.packets import Control

_MAC_AT = 80


class ClientMachine(Machine):
    """The client's end of one call; sends its request at once."""

    peer = "server"

    def __init__(
        self,
        *,
        hashes: Mapping[HashProtocol, bytes],
        supported: HashProtocol,
        now: float,
        timers: Timers = TIMERS,
        tamper: Tamper = HONEST,
    ) -> None:
        """`hashes`: of the server's certificate in TLS."""
        super().__init__(State.CONNECT_REQUEST_SENT, timers, now)
        self._hashes = hashes
        self._supported = supported
        self._tamper = tamper
        self._nonce = b""
        self._chosen = HashProtocol(0)
        self.connected_packet = b""
        if tamper.silent_at != "request":
            self._send(building.connect_request())

    def authenticated(self, key: binding.Key, now: float) -> None:
        """Bind the call: PPP authentication has succeeded (3.2.7.1)."""
        if self.state is not State.CONNECT_ACK_RECEIVED or self._tamper.silent_at == "binding":
            return
        packet = self._tamper.replayed or self._signed(key.key)
        self.connected_packet = packet
        for _ in range(1 + self._tamper.repeated):
            self._send(packet)
        self.bound = binding.Bound(self._chosen, key.form)
        self._enter(State.CONNECTED, self._timers.hello, now)

    def on_ack(self, control: Control, now: float) -> None:
        """3.2.5.3.2."""
        value = control.value(AttributeId.CRYPTO_BINDING_REQ)
        assert value is not None
        chosen = binding.strongest(HashProtocol(value[3]) & self._supported)
        if chosen is None:
            why = f"the server accepts none of our hash protocols, only {value[3]:#x}"
            self.abort(Status.VALUE_NOT_SUPPORTED, why, now)
            return
        self._chosen, self._nonce = chosen, value[4 : 4 + NONCE]
        self._enter(State.CONNECT_ACK_RECEIVED, self._timers.negotiation, now)

    def on_nak(self, control: Control, now: float) -> None:
        """3.2.5.3.3: end the call, because there is no other protocol than PPP to request."""
        reasons = ", ".join(str(info) for info in status_infos(control))
        self._end(Ending(f"the server refused the request: {reasons}", "protocol"))
        self.disconnect("the server refused the request", now)

    def on_echo_request(self, control: Control, now: float) -> None:
        """Answer an Echo Request, unless the client is to be silent."""
        if self._tamper.silent_at != "echo":
            super().on_echo_request(control, now)

    def _signed(self, hlak: bytes) -> bytes:
        wrong, nonce, seen = self._tamper.wrong, self._nonce, self._hashes[self._chosen]
        if wrong == "nonce":
            nonce = flipped(nonce)
        if wrong == "certificate hash":
            seen = flipped(seen)
        packet = binding.connected(hlak, self._chosen, nonce, seen)
        if wrong == "MAC":
            packet = packet[:_MAC_AT] + flipped(packet[_MAC_AT:])
        return packet

    rules: ClassVar[Mapping[tuple[State, Message], Rule]] = {
        **COMMON,
        (State.CONNECT_REQUEST_SENT, Message.CALL_CONNECT_ACK): on_ack,
        (State.CONNECT_REQUEST_SENT, Message.CALL_CONNECT_NAK): on_nak,
        (State.CONNECTED, Message.ECHO_REQUEST): on_echo_request,
    }
