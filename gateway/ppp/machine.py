"""RFC 1661's automaton for one control protocol: its state, timer and packets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar, Literal

from gateway.ppp import frames
from gateway.ppp.automaton import TIMED, TRANSITIONS, Event, State
from gateway.ppp.frames import Packet, encode_packet
from gateway.ppp.options import Option, encode_options
from gateway.ppp.wire import Wire

RESTART = 3.0
"""Seconds between two transmissions (RFC 1661 4.6)."""
MAX_CONFIGURE = 10
MAX_TERMINATE = 2

Happening = Literal["up", "down", "started", "finished", "terminated"]
"""Notices for the link: this-layer-up and so on; "terminated": the peer requested it."""


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


class Machine(ABC):
    """Events in; packets out through the wire, happenings for the link."""

    protocol: int

    def __init__(self, wire: Wire) -> None:
        self.state = State.INITIAL
        self.deadline: float | None = None
        self.gave_up = ""
        """Why it finished, unless the owner closed it."""
        self.timed_out = False
        """Whether it finished because the peer did not answer."""
        self._wire = wire
        self._happenings: list[Happening] = []
        self._left = 0
        self._identifier = 0
        self._magic = bytes(4)
        self._asked: tuple[Option, ...] = ()
        self._failures = 0
        self._packet = Packet(0, 0, b"")
        """The packet of the current event."""
        self._answer: tuple[int, tuple[Option, ...]] = (Code.CONFIGURE_NAK, ())
        """Code and options of the Nak or Reject that answers the current event."""
        self._acknowledged: Packet | None = None
        self._event_now, self._now = Event.DOWN, 0.0

    @abstractmethod
    def _wants(self) -> tuple[Option, ...]:
        """The options to request now."""

    def open(self, now: float) -> None:
        """Open this layer; the lower layer is up."""
        self._event(Event.OPEN, now)
        self._event(Event.UP, now)

    def close(self, now: float) -> None:
        """Close this layer."""
        self._event(Event.CLOSE, now)

    def tick(self, now: float) -> None:
        """Retransmit or give up, if due."""
        if self.deadline is None or now < self.deadline:
            return
        if self._left > 0:
            self._event(Event.TIMEOUT, now)
            return
        if self.state not in (State.CLOSING, State.STOPPING) and not self.gave_up:
            self._unanswered()
        self._event(Event.TRIES_USED, now)

    def _unanswered(self) -> None:
        """Handle that the last try was not answered."""
        self.gave_up, self.timed_out = "no answer", True

    def take(self) -> list[Happening]:
        """Take the happenings since the last call."""
        happenings, self._happenings = self._happenings, []
        return happenings

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
        self._acknowledged = self._packet
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

    _ACTIONS: ClassVar[dict[str, Callable[[Machine], None]]] = {
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
