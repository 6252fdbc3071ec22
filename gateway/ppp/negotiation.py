"""The negotiation of options by one control protocol (LCP, IPCP): RFC 1661 sections 4 and 5."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from gateway.ppp.automaton import Event, State
from gateway.ppp.frames import Packet, parse_packet
from gateway.ppp.machine import Code, Machine
from gateway.ppp.options import Option, encode_options, parse_options
from gateway.ppp.wire import Wire

MAX_FAILURE = 5
"""Naks that we send before we send Rejects instead (RFC 1661 4.6)."""
MAX_CHANGES = 16
"""Naks and Rejects that we accept between two Acks before we give up."""


class Judgement(NamedTuple):
    """The judgement on a peer's options: `rejected` as requested, `naked` with our values."""

    rejected: tuple[Option, ...] = ()
    naked: tuple[Option, ...] = ()


class Negotiation(Machine):
    """Handles a protocol's packets; subclasses define its options."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._changes = 0
        self._seen_ack: Packet | None = None

    @abstractmethod
    def _judge(self, options: tuple[Option, ...], *, insist: bool) -> Judgement:
        """Judge a peer's request. `insist`: missing options may still be requested by Nak."""

    @abstractmethod
    def _agreed(self, options: tuple[Option, ...]) -> None:
        """The peer's request is acknowledged."""

    @abstractmethod
    def _naked(self, options: tuple[Option, ...]) -> None:
        """The peer proposes these options instead."""

    @abstractmethod
    def _rejected(self, options: tuple[Option, ...]) -> None:
        """The peer rejects these options."""

    def _other(self, packet: Packet, now: float) -> bool:  # noqa: ARG002 - for LCP's own codes
        """Handle a code beyond RFC 1661's seven; False: unknown."""
        return False

    def receive(self, payload: bytes, now: float) -> None:
        """Handle one packet of this protocol; malformed packets are discarded."""
        packet = parse_packet(payload)
        if packet is None:
            return
        handler = self._HANDLERS.get(packet.code)
        if handler is not None:
            handler(self, packet, now)
        elif not self._other(packet, now):
            self._packet = packet
            self._event(Event.UNKNOWN_CODE, now)

    def reject(self, now: float) -> None:
        """The peer has rejected a protocol or code that we cannot do without."""
        self.gave_up = self.gave_up or "the peer rejects the protocol"
        self._event(Event.REJECT_FATAL, now)

    def _request(self, packet: Packet, now: float) -> None:
        """Handle a request. If it repeats the acknowledged one, the Ack was late or lost and is
        sent again: as a new request, it would take the layer down (RFC 1661, state Opened).
        """
        options = parse_options(packet.data)
        if options is None or self._is_loop(options):
            return
        if self.state is State.OPENED and packet == self._acknowledged:
            self._send(Code.CONFIGURE_ACK, packet.identifier, packet.data)
            return
        insist = self._failures < MAX_FAILURE
        judgement = self._judge(options, insist=insist)
        self._packet = packet
        if self.gave_up:
            self._event(Event.CLOSE, now)
        elif judgement.rejected or (judgement.naked and not insist):
            doubtful = {option.kind for option in judgement.naked if not insist}
            refused = tuple(o for o in options if o in judgement.rejected or o.kind in doubtful)
            self._answer = Code.CONFIGURE_REJECT, refused
            self._event(Event.BAD_REQUEST, now)
        elif judgement.naked:
            self._answer = Code.CONFIGURE_NAK, judgement.naked
            self._event(Event.BAD_REQUEST, now)
        else:
            self._agreed(options)
            self._event(Event.GOOD_REQUEST, now)

    def _is_loop(self, options: tuple[Option, ...]) -> bool:  # noqa: ARG002 - for LCP
        """Whether this is our own request, echoed."""
        return False

    def _ack(self, packet: Packet, now: float) -> None:
        """Handle the Ack of our last request; a second one, to a retransmission, is ignored."""
        if packet.identifier != self._identifier or packet.data != encode_options(self._asked):
            return
        if packet == self._seen_ack and self.state in (State.ACK_RCVD, State.OPENED):
            return
        self._seen_ack = packet
        self._changes = 0
        self._event(Event.ACK, now)

    def _nak_or_reject(self, packet: Packet, now: float) -> None:
        options = parse_options(packet.data)
        if options is None or packet.identifier != self._identifier:
            return
        if packet.code == Code.CONFIGURE_REJECT:
            if not set(options) <= set(self._asked):
                return
            self._rejected(options)
        else:
            self._naked(options)
        self._changes += 1
        if self._changes > MAX_CHANGES:
            self.gave_up = self.gave_up or "the peer does not agree"
        if self.gave_up:
            self._event(Event.CLOSE, now)
            return
        self._event(Event.NAK, now)

    def _terminate_request(self, packet: Packet, now: float) -> None:
        self._packet = packet
        self._event(Event.TERMINATE_REQUEST, now)
        self._happenings.append("terminated")

    def _terminate_ack(self, packet: Packet, now: float) -> None:  # noqa: ARG002 - a handler
        self._event(Event.TERMINATE_ACK, now)

    def _code_reject(self, packet: Packet, now: float) -> None:
        """RFC 1661 5.6: fatal only for one of the seven codes."""
        if packet.data and packet.data[0] in self._HANDLERS:
            self.reject(now)
        else:
            self._event(Event.REJECT_PERMITTED, now)

    _HANDLERS: ClassVar[dict[int, Callable[[Negotiation, Packet, float], None]]] = {
        Code.CONFIGURE_REQUEST: _request,
        Code.CONFIGURE_ACK: _ack,
        Code.CONFIGURE_NAK: _nak_or_reject,
        Code.CONFIGURE_REJECT: _nak_or_reject,
        Code.TERMINATE_REQUEST: _terminate_request,
        Code.TERMINATE_ACK: _terminate_ack,
        Code.CODE_REJECT: _code_reject,
    }
