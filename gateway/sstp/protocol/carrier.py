"""What both ends of a call share: HTTP, then a machine and a PPP link over one stream of bytes.

Theory of operation
-------------------
A call is in one Phase. `TRANSITIONS` lists every legal event of every phase; any other event ends
the call with the reason "protocol".

HTTP           The header is being read; there is neither machine nor link. The subclass reads it
               and makes the machine once the answer is 200; the link is made at the same time.
REQUEST        SSTP negotiates (Call Connect Request and Acknowledge). No PPP frame passes.
LINK           LCP and authentication. The owner receives the attempts.
BINDING        PPP has authenticated the user. A server waits for Call Connected, a client sends it.
REFUSED        Authentication has failed, and `Refused` has been reported. PPP closes its link.
NETWORK        The call is bound. IPCP has to agree on an address.
ESTABLISHED    IP packets pass, in this phase only.
RENEGOTIATING  The peer has started IPCP again. As NETWORK, but `Connected` has been reported.
ENDING         `Ended` has been reported, the last event of a call. PPP and SSTP are torn down.
CLOSED         Input is ignored. What is left in `outgoing` may still be sent.

The peer's bytes (`receive`), the owner (`end`, `lost`, a server's `answer`) and the clock (`tick`)
move a call on. Each changes the machine or the link; `_settle` then passes packets, frames and
events between them and the owner until nothing is left to pass. Machine and link do not know each
other.

Timers: HTTP and NETWORK last `limit` seconds each, CLOSED lasts LINGER. The machine's timers
(gateway.sstp.protocol.machine) bound REQUEST, LINK, REFUSED, BINDING and ENDING; the link's limited
number of tries bounds LINK, REFUSED and ENDING as well. ESTABLISHED and RENEGOTIATING last as long
as the peer is heard within the machine's hello time. Memory: less than one packet waits in the
framer, at most MOST_UNSENT bytes in `outgoing`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from gateway.common.phases import IllegalEvent, Symbol, after
from gateway.dataplane.framing import HEADER
from gateway.ppp.events import Attempt, Authenticated, AuthenticationFailed, LinkDown
from gateway.ppp.frames import ip_packet, split
from gateway.sstp.protocol import building
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused, user_of
from gateway.sstp.protocol.machine import Machine
from gateway.sstp.protocol.packets import Framer, Status, is_control

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Address

    from gateway.common.vocabulary import Reason
    from gateway.ppp.events import LinkEvent
    from gateway.sstp.protocol.events import CallEvent
    from gateway.sstp.protocol.link import CallLink

MOST_UNSENT = 256 * 1024
"""Bytes that may wait in `outgoing` before the peer counts as one who does not read."""

LINGER = 3.0
"""Seconds in which what is left to send may go out after `closed`."""

_CONTROL_PROTOCOLS = 0x8000
"""Protocol numbers from here on are PPP's own control protocols (RFC 1661 section 2)."""


class Phase(Symbol):
    """See the theory of operation above."""

    HTTP = "HTTP"
    REQUEST = "SSTP request"
    LINK = "PPP link"
    BINDING = "crypto binding"
    REFUSED = "refused"
    NETWORK = "IPCP"
    ESTABLISHED = "established"
    RENEGOTIATING = "IPCP again"
    ENDING = "ending"
    CLOSED = "closed"


class Event(Symbol):
    """What moves a call from phase to phase."""

    ACCEPTED = "HTTP 200"
    ACKNOWLEDGED = "Call Connect Acknowledge"
    ATTEMPT = "an attempt to authenticate"
    AUTHENTICATED = "authentication"
    AUTHENTICATION_FAILED = "failed authentication"
    BOUND = "the binding"
    NETWORK_UP = "IPCP up"
    NETWORK_DOWN = "IPCP down"
    END = "the end"
    CLOSE = "closing"


_TAKEN_DOWN = (
    Phase.REQUEST,
    Phase.LINK,
    Phase.BINDING,
    Phase.REFUSED,
    Phase.NETWORK,
    Phase.ESTABLISHED,
    Phase.RENEGOTIATING,
)
TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.HTTP, Event.ACCEPTED): Phase.REQUEST,
    (Phase.HTTP, Event.END): Phase.CLOSED,
    (Phase.REQUEST, Event.ACKNOWLEDGED): Phase.LINK,
    (Phase.LINK, Event.ATTEMPT): Phase.LINK,
    (Phase.LINK, Event.AUTHENTICATED): Phase.BINDING,
    (Phase.LINK, Event.AUTHENTICATION_FAILED): Phase.REFUSED,
    (Phase.BINDING, Event.BOUND): Phase.NETWORK,
    (Phase.NETWORK, Event.NETWORK_UP): Phase.ESTABLISHED,
    (Phase.ESTABLISHED, Event.NETWORK_DOWN): Phase.RENEGOTIATING,
    (Phase.RENEGOTIATING, Event.NETWORK_UP): Phase.ESTABLISHED,
    **{(phase, Event.END): Phase.ENDING for phase in _TAKEN_DOWN},
    (Phase.ENDING, Event.CLOSE): Phase.CLOSED,
}

_OVER = frozenset({Phase.ENDING, Phase.CLOSED})
_UNBOUND = frozenset({Phase.REQUEST, Phase.LINK, Phase.BINDING, Phase.REFUSED})
_MAY_BE_REFUSED = frozenset({Phase.HTTP, Phase.REQUEST, Phase.LINK, Phase.BINDING, Phase.NETWORK})
"""Neither Connected nor Refused has been reported."""

M = TypeVar("M", bound=Machine)


@dataclass(frozen=True, slots=True)
class _Http:
    phase: ClassVar = Phase.HTTP
    due: float


@dataclass(frozen=True, slots=True)
class _Running(Generic[M]):
    """From the answer 200 until the connection is to be closed."""

    phase: Phase
    machine: M
    link: CallLink
    due: float | None
    """When the phase must end, if it has its own limit."""


@dataclass(frozen=True, slots=True)
class _Closed:
    phase: ClassVar = Phase.CLOSED
    due: float


class Carrier(ABC, Generic[M]):
    """One end of a call. Bytes of TLS in and out, events out; the owner brings the time.

    `dropped` counts frames that were not let through.
    """

    def __init__(self, make_link: Callable[[float], CallLink], now: float, limit: float) -> None:
        self.dropped = 0
        self._make_link = make_link
        self._limit = limit
        self._state: _Http | _Running[M] | _Closed = _Http(now + limit)
        self._framer = Framer()
        self._outgoing: list[bytes] = []
        self._unsent = 0
        self._events: list[CallEvent] = []
        self._user = ""

    # ------------------------------------------------------------------------------ the owner's

    @property
    def phase(self) -> Phase:
        """The phase of the call."""
        return self._state.phase

    @property
    def established(self) -> bool:
        """Bound and IPCP open: IP packets pass."""
        return self._state.phase is Phase.ESTABLISHED

    @property
    def closed(self) -> bool:
        """The connection is to be closed once `outgoing` is sent, or at `deadline()`."""
        return self._state.phase is Phase.CLOSED

    @property
    def ip_header(self) -> bytes:
        """The PPP header of IP packets to the peer."""
        return self._link.ip_header if self._link else b""

    @property
    def peer_mru(self) -> int:
        """The largest IP packet to send to the peer."""
        return self._link.peer_mru if self._link else 0

    @property
    def address(self) -> IPv4Address | None:
        """The client's."""
        return self._link.address if self._link else None

    def receive(self, data: bytes, now: float) -> None:
        """Bytes out of TLS, cut anywhere. Never raises."""
        if isinstance(self._state, _Http):
            accepted = self._read_http(data, now)
            if accepted is None:
                return
            machine, data = accepted
            self._state = _Running(
                after(TRANSITIONS, self.phase, Event.ACCEPTED), machine, self._make_link(now), None
            )
            self._settle(now)
        for packet in self._framer.feed(data):
            self._packet(packet, now)
        if self._framer.broken:
            self._give_up("protocol", self._framer.broken, now)

    def tick(self, now: float) -> None:
        """Timers whose time has come."""
        state = self._state
        due = state.due is not None and now >= state.due
        if isinstance(state, _Http) and due:
            self._http_timed_out(now)
        elif isinstance(state, _Running):
            state.machine.tick(now)
            if due and state.machine.carries:
                why = f"no IP address agreed on within {self._limit:g} s"
                state.machine.abort(Status.NEGOTIATION_TIMEOUT, why, now, fault="timeout")
            if state.machine.carries:
                state.link.tick(now)
            self._settle(now)

    def deadline(self) -> float | None:
        """When `tick` is wanted; after `closed`, when the connection is closed in any case."""
        state = self._state
        if not isinstance(state, _Running):
            return state.due
        links = state.link.deadline() if state.machine.carries else None
        times = (state.due, state.machine.deadline(), links)
        return min((time for time in times if time is not None), default=None)

    def outgoing(self) -> bytes:
        """Take the bytes to send."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self._unsent = 0
        return data

    def events(self) -> list[CallEvent]:
        """Take the events, in order."""
        events, self._events = self._events, []
        return events

    def rest(self) -> bytes:
        """Take the bytes of a packet that is not whole yet: a data plane cuts the stream from now
        on, and gives `receive` whole packets.
        """
        return self._framer.take()

    def heard(self, now: float) -> None:
        """When packets of the peer last went past the call (the data plane took them): it lives."""
        if isinstance(self._state, _Running):
            self._state.machine.heard(now)

    def send(self, packet: bytes, now: float) -> None:
        """An IP packet for the peer, for owners without a data plane of their own."""
        if self.established:
            self._put(building.data(self.ip_header + packet), now)

    def end(self, why: str, now: float) -> None:
        """Our side hangs up: PPP is taken down, then SSTP (3.2.4.2)."""
        if self.phase in _OVER:
            return
        self._end(why, now)
        if isinstance(self._state, _Running):
            if self._state.machine.carries:
                self._state.link.terminate(why, now)
            else:
                self._state.machine.disconnect(why, now)
            self._settle(now)

    def lost(self, why: str, now: float) -> None:
        """The connection below is gone."""
        if not self.closed:
            self._outgoing.clear()
            self._give_up(None, why, now)

    # ------------------------------------------------------------------------- each end's own

    @abstractmethod
    def _read_http(self, data: bytes, now: float) -> tuple[M, bytes] | None:
        """Take the HTTP header: once it is accepted the machine, and what came behind it."""

    @abstractmethod
    def _http_timed_out(self, now: float) -> None:
        """No whole HTTP header in time."""

    @abstractmethod
    def _authenticated(self, machine: M, event: Authenticated, now: float) -> None:
        """PPP has let the user in."""

    def _started(self, now: float) -> None:
        """PPP has just been started."""

    def _passes(self, frame: bytes) -> bool:
        """Whether a frame of ours is sent."""
        del frame
        return True

    # ------------------------------------------------------------------------------- inside

    @property
    def _link(self) -> CallLink | None:
        return self._state.link if isinstance(self._state, _Running) else None

    def _packet(self, packet: bytes, now: float) -> None:
        state = self._state
        if not isinstance(state, _Running):
            return
        if is_control(packet):
            state.machine.receive(packet, now)
            self._settle(now)
            return
        state.machine.heard(now)
        frame = packet[HEADER:]
        if self.established and (inner := ip_packet(frame)) is not None:
            self._events.append(Data(inner))
            return
        parts = split(frame)
        control = parts is not None and parts[0] >= _CONTROL_PROTOCOLS
        if state.machine.carries and (control or self.established):
            state.link.receive(frame, now)
            self._settle(now)
        else:
            self.dropped += 1

    def _settle(self, now: float) -> None:
        """Pass on what machine and link have for each other and the owner."""
        while isinstance(self._state, _Running):
            machine, link = self._state.machine, self._state.link
            self._follow_machine(machine, link, now)
            if not machine.carries or not self._follow_link(machine, link, now):
                break
        if isinstance(self._state, _Running):
            self._follow_network(self._state.link, now)

    def _follow_machine(self, machine: M, link: CallLink, now: float) -> None:
        for packet in machine.outgoing():
            self._put(packet, now)
        if machine.carries and self.phase is Phase.REQUEST:
            self._move(Event.ACKNOWLEDGED, now)
            link.open(now)
            self._started(now)
        if machine.bound and self.phase in _UNBOUND and self._move(Event.BOUND, now):
            self._events.append(machine.bound)
        if machine.ending:
            self._end(machine.ending.why, now, machine.ending.fault)
        if machine.closed and not self.closed:
            self._move(Event.CLOSE, now)

    def _follow_link(self, machine: M, link: CallLink, now: float) -> bool:
        """Whether it had frames or events."""
        frames, events = link.outgoing(), link.events()
        for frame in frames:
            if self._passes(frame):
                self._put(building.data(frame), now)
        for event in events:
            if not self.closed:
                self._on(event, machine, now)
        return bool(frames or events)

    def _on(self, event: LinkEvent, machine: M, now: float) -> None:
        if isinstance(event, Attempt):
            if self._move(Event.ATTEMPT, now):
                self._user = user_of(event) or self._user
                self._events.append(event)
        elif isinstance(event, Authenticated):
            if self._move(Event.AUTHENTICATED, now):
                self._user = event.user or self._user
                self._authenticated(machine, event, now)
        elif isinstance(event, AuthenticationFailed):
            if self._move(Event.AUTHENTICATION_FAILED, now):
                self._events.append(Refused(event.reason, event.message, self._user))
        elif isinstance(event, LinkDown):
            # Who leaves before it was connected was not turned away; who falls silent was.
            self._end(event.why, now, event.reason)
            machine.disconnect(event.why, now)

    def _follow_network(self, link: CallLink, now: float) -> None:
        """IPCP may open and close several times; `Connected` is reported once."""
        phase = self.phase
        if phase is Phase.ESTABLISHED and not link.network_open:
            self._move(Event.NETWORK_DOWN, now)
        elif phase is Phase.RENEGOTIATING and link.network_open:
            self._move(Event.NETWORK_UP, now)
        elif phase is Phase.NETWORK and link.network_open and (address := link.address):
            self._move(Event.NETWORK_UP, now)
            self._events.append(Connected(address))

    def _put(self, packet: bytes, now: float) -> None:
        if self.closed:
            return
        if self._unsent + len(packet) > MOST_UNSENT:
            self._outgoing.clear()
            self._give_up("protocol", "the peer does not read what is sent to it", now)
            return
        self._outgoing.append(packet)
        self._unsent += len(packet)

    def _end(self, why: str, now: float, reason: Reason | None = None) -> None:
        """Report that the call ends, once."""
        phase = self.phase
        if phase in _OVER:
            return
        if reason and phase in _MAY_BE_REFUSED:
            self._events.append(Refused(reason, why, self._user))
        self._events.append(Ended(why))
        self._move(Event.END, now)

    def _give_up(self, reason: Reason | None, why: str, now: float) -> None:
        """Close without a word (3.1.5.1)."""
        self._end(why, now, reason)
        if not self.closed:
            self._move(Event.CLOSE, now)

    def _move(self, event: Event, now: float) -> bool:
        """Enter the next phase. An illegal event ends the call; then False."""
        try:
            phase = after(TRANSITIONS, self.phase, event)
        except IllegalEvent as error:
            self._give_up("protocol", str(error), now)
            return False
        if phase is Phase.CLOSED:
            self._state = _Closed(now + LINGER)
        elif isinstance(self._state, _Running):
            due = now + self._limit if phase is Phase.NETWORK else None
            self._state = _Running(phase, self._state.machine, self._state.link, due)
        return True
