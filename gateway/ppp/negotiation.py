"""One control protocol of one end (LCP, IPCP): RFC 1661's automaton with its packets and timer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar, Literal, NamedTuple

from gateway.ppp import frames
from gateway.ppp.automaton import TIMED, TRANSITIONS, Event, State
from gateway.ppp.frames import Packet, encode_packet, parse_packet
from gateway.ppp.options import Option, encode_options, parse_options
from gateway.ppp.wire import Wire

RESTART = 3.0
"""Seconds (RFC 1661 4.6)."""
MAX_CONFIGURE = 10
MAX_TERMINATE = 2
MAX_FAILURE = 5
"""Naks we send before the rest are Rejects (RFC 1661 4.6)."""
MAX_CHANGES = 16
"""Naks and Rejects we take between two Acks before we give up: peers that never agree."""

Happening = Literal["up", "down", "started", "finished", "terminated"]
"""What a negotiation tells the link: this-layer-up and so on; the peer said goodbye."""


class Code(IntEnum):
    """RFC 1661 section 5."""

    CONFIGURE_REQUEST = 1
    CONFIGURE_ACK = 2
    CONFIGURE_NAK = 3
    CONFIGURE_REJECT = 4
    TERMINATE_REQUEST = 5
    TERMINATE_ACK = 6
    CODE_REJECT = 7
    ECHO_REPLY = 10


class Judgement(NamedTuple):
    """What is thought of a peer's options: `rejected` go back as they are, `naked` with values."""

    rejected: tuple[Option, ...] = ()
    naked: tuple[Option, ...] = ()


class Negotiation(ABC):
    """Packets in, packets out through the wire; `happenings` are for the link to take."""

    protocol: int

    def __init__(self, wire: Wire) -> None:
        self.state = State.INITIAL
        self.deadline: float | None = None
        self.gave_up = ""
        """Why it finished, where it was not the owner's wish."""
        self._wire = wire
        self._happenings: list[Happening] = []
        self._left = 0
        self._identifier = 0
        self._magic = bytes(4)
        self._asked: tuple[Option, ...] = ()
        self._changes = 0
        self._failures = 0
        self._packet = Packet(0, 0, b"")
        self._answer: tuple[int, tuple[Option, ...]] = (0, ())
        self._event_now, self._now = Event.DOWN, 0.0

    @abstractmethod
    def _wants(self) -> tuple[Option, ...]:
        """The options to ask for now."""

    @abstractmethod
    def _judge(self, options: tuple[Option, ...], *, insist: bool) -> Judgement:
        """Look at a peer's request. `insist`: options that it lacks may be asked for by Nak."""

    @abstractmethod
    def _agreed(self, options: tuple[Option, ...]) -> None:
        """We acknowledge what the peer asked for."""

    @abstractmethod
    def _naked(self, options: tuple[Option, ...]) -> None:
        """The peer would rather have these."""

    @abstractmethod
    def _rejected(self, options: tuple[Option, ...]) -> None:
        """The peer will not hear of these."""

    def _other(self, packet: Packet, now: float) -> bool:  # noqa: ARG002 - for LCP's own codes
        """A code beyond RFC 1661's seven; False: unknown."""
        return False

    def open(self, now: float) -> None:
        """The lower layer is up and this one is wanted."""
        self._event(Event.OPEN, now)
        self._event(Event.UP, now)

    def close(self, now: float) -> None:
        """This layer is no longer wanted."""
        self._event(Event.CLOSE, now)

    def down(self, now: float) -> None:
        """The lower layer is gone."""
        self._event(Event.DOWN, now)

    def tick(self, now: float) -> None:
        """Send again, or give up."""
        if self.deadline is None or now < self.deadline:
            return
        if self._left > 0:
            self._event(Event.TIMEOUT, now)
            return
        if self.state not in (State.CLOSING, State.STOPPING):
            self.gave_up = self.gave_up or "no answer"
        self._event(Event.TRIES_USED, now)

    def take(self) -> list[Happening]:
        """What has happened since the last time."""
        happenings, self._happenings = self._happenings, []
        return happenings

    def receive(self, payload: bytes, now: float) -> None:
        """One packet of this protocol; what cannot be read is discarded."""
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
        """The peer's Protocol-Reject or Code-Reject strikes at what we cannot do without."""
        self.gave_up = self.gave_up or "the peer rejects the protocol"
        self._event(Event.REJECT_FATAL, now)

    def _request(self, packet: Packet, now: float) -> None:
        options = parse_options(packet.data)
        if options is None or self._is_loop(options):
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
        """Our own request come back."""
        return False

    def _ack(self, packet: Packet, now: float) -> None:
        if packet.identifier == self._identifier and packet.data == encode_options(self._asked):
            self._changes = 0
            self._event(Event.ACK, now)

    def _nak_or_reject(self, packet: Packet, now: float) -> None:
        options = parse_options(packet.data)
        if options is None or packet.identifier != self._identifier or self._is_loop(options):
            return
        if packet.code == Code.CONFIGURE_REJECT:
            if not set(options) <= set(self._asked):
                return
            self._rejected(options)
        else:
            self._naked(options)
        self._changes += 1
        if self._changes > MAX_CHANGES:
            self.gave_up = self.gave_up or "the peer never agrees"
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
        """RFC 1661 5.6: harmless unless it is one of the seven codes."""
        if packet.data and packet.data[0] in self._HANDLERS:
            self.reject(now)
        else:
            self._event(Event.REJECT_PERMITTED, now)

    def _event(self, event: Event, now: float) -> None:
        found = TRANSITIONS.get((event, self.state))
        if found is None:
            return
        self._event_now, self._now = event, now
        actions, self.state = found
        for action in actions:
            self._ACTIONS[action](self)
        if self.state not in TIMED:
            self.deadline = None

    def _up(self) -> None:
        self._happenings.append("up")

    def _down(self) -> None:
        self._happenings.append("down")

    def _started(self) -> None:
        self._happenings.append("started")

    def _finished(self) -> None:
        self._happenings.append("finished")

    def _count(self) -> None:
        closing = self.state in (State.CLOSING, State.STOPPING)
        self._left = MAX_TERMINATE if closing else MAX_CONFIGURE

    def _count_nothing(self) -> None:
        self._left = 0
        self.deadline = self._now + RESTART

    def _send_request(self) -> None:
        if self._event_now is not Event.TIMEOUT:
            self._asked = self._wants()
            self._identifier = self._identifier + 1 & 0xFF
        self._sent()
        self._send(Code.CONFIGURE_REQUEST, self._identifier, encode_options(self._asked))

    def _send_ack(self) -> None:
        self._failures = 0
        self._send(Code.CONFIGURE_ACK, self._packet.identifier, self._packet.data)

    def _send_nak(self) -> None:
        code, options = self._answer
        self._failures += code == Code.CONFIGURE_NAK
        self._send(code, self._packet.identifier, encode_options(options))

    def _send_terminate(self) -> None:
        if self._event_now is not Event.TIMEOUT:
            self._identifier = self._identifier + 1 & 0xFF
        self._sent()
        self._send(Code.TERMINATE_REQUEST, self._identifier)

    def _send_terminate_ack(self) -> None:
        if self._event_now is Event.TERMINATE_REQUEST:
            self._send(Code.TERMINATE_ACK, self._packet.identifier, self._packet.data)
        else:
            self._identifier = self._identifier + 1 & 0xFF
            self._send(Code.TERMINATE_ACK, self._identifier)

    def _send_code_reject(self) -> None:
        self._identifier = self._identifier + 1 & 0xFF
        whole = encode_packet(*self._packet)
        self._send(Code.CODE_REJECT, self._identifier, whole[: frames.DEFAULT_MRU - 4])

    def _send_echo_reply(self) -> None:
        data = self._magic + self._packet.data[4:]
        self._send(Code.ECHO_REPLY, self._packet.identifier, data)

    def _sent(self) -> None:
        self._left -= 1
        self.deadline = self._now + RESTART

    def _send(self, code: int, identifier: int, data: bytes = b"") -> None:
        self._wire.send(self.protocol, encode_packet(code, identifier, data))

    _HANDLERS: ClassVar[dict[int, Callable[[Negotiation, Packet, float], None]]] = {
        Code.CONFIGURE_REQUEST: _request,
        Code.CONFIGURE_ACK: _ack,
        Code.CONFIGURE_NAK: _nak_or_reject,
        Code.CONFIGURE_REJECT: _nak_or_reject,
        Code.TERMINATE_REQUEST: _terminate_request,
        Code.TERMINATE_ACK: _terminate_ack,
        Code.CODE_REJECT: _code_reject,
    }
    _ACTIONS: ClassVar[dict[str, Callable[[Negotiation], None]]] = {
        "tlu": _up,
        "tld": _down,
        "tls": _started,
        "tlf": _finished,
        "irc": _count,
        "zrc": _count_nothing,
        "scr": _send_request,
        "sca": _send_ack,
        "scn": _send_nak,
        "str": _send_terminate,
        "sta": _send_terminate_ack,
        "scj": _send_code_reject,
        "ser": _send_echo_reply,
    }
