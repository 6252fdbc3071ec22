"""One TCP connection from its first byte to its last.

Theory of operation
-------------------
A connection is in one Phase. Its state is one value, which holds what that phase needs and nothing
else. `TRANSITIONS` lists every legal event of every phase; any other event is a fault of our own
and ends the connection (`_safely`).

HANDSHAKE  TLS. There is no call yet, and the gateway has not been asked anything.
CALL       We read and write the connection; all that is read goes to the ServerCall (HTTP, SSTP,
           PPP). This is the phase before a call is established, while IPCP is negotiated again,
           and while the call is torn down.
PLANE      The call is established. The connection is a Flow of the plane, which reads and writes
           it; the call gets control packets, and the time at which the client was last heard.
LEAVING    The call is no longer established. The plane may be in the middle of this flow, so we
           take the connection back in the reactor's next round.
CLOSED     Readiness, verdicts and control packets that were still on their way are ignored.

The reactor (the socket is ready), the plane (a control packet, the connection has ended), the
gateway (`answer`, `end`) and the worker (`throw_out`) move a connection on. After each of them
`_settle` reports the call's events, sends what the call has to send, and moves the connection
into the plane or out of it.

One timer runs: HANDSHAKE_LIMIT in HANDSHAKE, then the call's deadline, which bounds all phases of
the call (gateway.sstp.protocol.carrier). Bytes that cannot be sent yet wait in the call or in the
flow's queue, both bounded. IP packets that arrive before the flow exists come from a single read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from gateway.common.phases import IllegalEvent, Symbol, after
from gateway.dataplane.counters import Counters
from gateway.dataplane.flow import Flow
from gateway.dataplane.framing import headers, length_at
from gateway.dataplane.reactor import READABLE, WRITABLE, Alarm
from gateway.dataplane.secure import secure
from gateway.dataplane.tls import RECORD
from gateway.policy.diagnostics import now
from gateway.ppp.events import EapAttempt, MsChapV2Attempt, PapAttempt
from gateway.sstp.protocol.binding import Bound
from gateway.sstp.protocol.call import ServerCall
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused
from gateway.sstp.worker import handshakes

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Mapping

    from gateway.common.vocabulary import Reason
    from gateway.dataplane.plane import Plane
    from gateway.dataplane.reactor import Reactor, Timer
    from gateway.ppp.events import Attempt, Verdict
    from gateway.sstp.protocol.call import CallConfig
    from gateway.sstp.protocol.events import CallEvent

HANDSHAKE_LIMIT = 20.0
"""Seconds for TLS."""
_READ = 2 * RECORD
_HEADERS = headers(b"\x21")
"""For packets that came before the plane was there: any form that it reads."""
_HTTP, _HTTP_END = b"HTTP/", b"\r\n\r\n"


class Phase(Symbol):
    """See the theory of operation above."""

    HANDSHAKE = "TLS handshake"
    CALL = "call"
    PLANE = "plane"
    LEAVING = "leaving"
    CLOSED = "closed"


class Event(Symbol):
    """What happens to a connection."""

    SECURED = "the end of the TLS handshake"
    VERDICT = "a verdict"
    EARLY_PACKET = "an IP packet outside the plane"
    ESTABLISHED = "an established call"
    CONTROL = "a control packet"
    DOWN = "a call that is no longer established"
    TAKEN_BACK = "leaving the plane"
    CLOSE = "closing"


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.HANDSHAKE, Event.SECURED): Phase.CALL,
    (Phase.HANDSHAKE, Event.CLOSE): Phase.CLOSED,
    (Phase.CALL, Event.VERDICT): Phase.CALL,
    (Phase.CALL, Event.EARLY_PACKET): Phase.CALL,
    (Phase.CALL, Event.ESTABLISHED): Phase.PLANE,
    (Phase.CALL, Event.CLOSE): Phase.CLOSED,
    (Phase.PLANE, Event.VERDICT): Phase.PLANE,
    (Phase.PLANE, Event.CONTROL): Phase.PLANE,
    (Phase.PLANE, Event.DOWN): Phase.LEAVING,
    (Phase.PLANE, Event.CLOSE): Phase.CLOSED,
    (Phase.LEAVING, Event.VERDICT): Phase.LEAVING,
    (Phase.LEAVING, Event.CONTROL): Phase.LEAVING,
    (Phase.LEAVING, Event.TAKEN_BACK): Phase.CALL,
    (Phase.LEAVING, Event.CLOSE): Phase.CLOSED,
}


@dataclass(frozen=True, slots=True)
class _Handshake:
    phase: ClassVar = Phase.HANDSHAKE


@dataclass(frozen=True, slots=True)
class _Call:
    phase: ClassVar = Phase.CALL
    call: ServerCall


@dataclass(frozen=True, slots=True)
class _Plane:
    phase: ClassVar = Phase.PLANE
    call: ServerCall
    flow: Flow


@dataclass(frozen=True, slots=True)
class _Leaving:
    phase: ClassVar = Phase.LEAVING
    call: ServerCall
    flow: Flow
    timer: Timer
    """Takes the connection back."""


@dataclass(frozen=True, slots=True)
class _Closed:
    phase: ClassVar = Phase.CLOSED
    barred: int


_State = _Handshake | _Call | _Plane | _Leaving | _Closed


class WorkerServices(Protocol):
    """The worker as its connections see it."""

    reactor: Reactor
    plane: Plane
    tls: ssl.SSLContext
    calls: CallConfig

    def asks(self, connection: ClientConnection, attempt: Attempt) -> None:
        """An attempt to come in; `answer` is to be called."""

    def opened(self, connection: ClientConnection, binding: str) -> None:
        """Packets go."""

    def refused(
        self, connection: ClientConnection, reason: Reason, message: str, user: str
    ) -> None:
        """It was turned away."""

    def ended(self, connection: ClientConnection, why: str) -> None:
        """No packets go any more."""

    def gone(self, connection: ClientConnection) -> None:
        """The connection is closed."""

    def fault(self, connection: ClientConnection) -> None:
        """An exception is being handled that should not have been."""


class ClientConnection:
    """A connection; `number` is what the gateway calls it, `address` and `port` are where it comes
    from, `began` is when it was accepted."""

    def __init__(
        self, number: int, stream: socket.socket, source: tuple[str, int], services: WorkerServices
    ) -> None:
        self.number = number
        self.address = source[0]
        self.port = str(source[1])
        self.began = now()
        self.counters = Counters()
        self._services = services
        self._reactor = services.reactor
        self._tls = secure(stream, services.tls)
        self._state: _State = _Handshake()
        self._early: list[bytes] = []
        self._binding = ""
        self._alarm = Alarm(self._reactor, self._on_time)
        self._reactor.add(self._tls.fileno(), READABLE, self._ready)
        self._alarm.set(self._reactor.now + HANDSHAKE_LIMIT)

    def _safely(self, step: Callable[..., None], *arguments: object) -> None:
        """A fault of our own costs this call and no other."""
        try:
            step(*arguments)
        except Exception:  # noqa: BLE001 - any fault is reported, and ends this call only
            self._services.fault(self)
            self._lose("a fault of the gateway's own")

    # ------------------------------------------------------------------------------ the worker's

    @property
    def phase(self) -> Phase:
        """The phase of the connection."""
        return self._state.phase

    @property
    def barred(self) -> int:
        """Frames of it that were not let through: too early, or too late."""
        match self._state:
            case _Handshake():
                return 0
            case _Closed(barred):
                return barred
            case state:
                return state.call.dropped

    def answer(self, verdict: Verdict) -> None:
        """The verdict on its attempt."""
        self._safely(self._take, verdict)

    def end(self, why: str) -> None:
        """Hang up; no packet passes any more."""
        self._safely(self._hang_up, why)

    def throw_out(self, reason: Reason, why: str) -> None:
        """Close at once."""
        if self.phase is not Phase.CLOSED:
            self._services.refused(self, reason, why, "")
            self._lose(why)

    def _take(self, verdict: Verdict) -> None:
        if call := self._called(Event.VERDICT):
            call.answer(verdict, self._reactor.now)
            self._settle(call)

    def _hang_up(self, why: str) -> None:
        match self._state:
            case _Handshake():
                self._close()
            case _Call(call):
                call.end(why, self._reactor.now)
                self._settle(call)
            case _Plane(call, flow):
                call.end(why, self._reactor.now)
                self._take_back(self._leave(call, flow))
            case _Leaving(call) as leaving:
                call.end(why, self._reactor.now)
                self._take_back(leaving)

    # ------------------------------------------------------------------------- the connection's

    def _ready(self, events: int) -> None:
        self._safely(self._go_on, events)

    def _go_on(self, events: int) -> None:
        """The socket may be ready; a deferred look may find that the plane has it."""
        if self.phase not in (Phase.HANDSHAKE, Phase.CALL):
            return
        if events & WRITABLE:
            self._tls.flush()
        match self._state:
            case _Handshake():
                self._shake()
            case _Call(call):
                if events & ~WRITABLE:
                    self._read(call)
                self._settle(call)

    def _shake(self) -> None:
        if self._tls.handshake():
            call = ServerCall(self._services.calls, now=self._reactor.now, entropy=os.urandom)
            self._move(Event.SECURED, _Call(call))
            self._read(call)  # what came behind the handshake is not in the socket any more
            self._settle(call)
        elif self._tls.ended:
            why = handshakes.reason(self._tls.openssl_reason, self._tls.ended)
            self._services.refused(self, *why, "")
            self._close()
        else:
            self._watch()

    def _read(self, call: ServerCall) -> None:
        data = self._tls.read(_READ)
        if data:
            call.receive(data, self._reactor.now)
        if len(data) > _READ - RECORD:  # there may be more inside
            self._reactor.call_at(0.0, lambda: self._ready(READABLE))

    def _on_time(self) -> None:
        self._safely(self._tick)

    def _tick(self) -> None:
        match self._state:
            case _Handshake():
                self.throw_out("timeout", f"no TLS handshake within {HANDSHAKE_LIMIT:g} s")
            case _Call(call) if call.closed:
                self._close()
            case _Call(call):
                self._pass_time(call)
            case _Plane(call, flow) | _Leaving(call, flow):
                call.heard(flow.heard)
                self._pass_time(call)

    def _pass_time(self, call: ServerCall) -> None:
        call.tick(self._reactor.now)
        self._settle(call)

    # ------------------------------------------------------------------------------- the call's

    def _settle(self, call: ServerCall) -> None:
        """After anything has happened to the call."""
        if self._tls.ended:
            call.lost(self._tls.ended, self._reactor.now)
        self._tell(call)
        self._send(call)
        self._place(call)
        if self.phase is not Phase.CLOSED:
            self._watch()
            self._alarm.set(call.deadline())

    def _tell(self, call: ServerCall) -> None:
        while events := call.events():
            for event in events:
                self._on(event)

    def _on(self, event: CallEvent) -> None:
        match event:
            case MsChapV2Attempt() | PapAttempt() | EapAttempt():
                self._services.asks(self, event)
            case Bound(hash_protocol, form):
                self._binding = f"{hash_protocol.name}, {form}"
            case Connected():
                self._services.opened(self, self._binding)
            case Data(packet):
                after(TRANSITIONS, self.phase, Event.EARLY_PACKET)
                self._early.append(packet)
            case Refused(reason, message, user):
                self._services.refused(self, reason, message, user)
            case Ended(why):
                self._services.ended(self, why)
            case _:
                pass

    def _send(self, call: ServerCall) -> None:
        match self._state:
            case _Plane(flow=flow) | _Leaving(flow=flow):
                flow.send_control(call.outgoing())
            case _Call() if not self._tls.wants_write:  # else it waits in the call, which bounds it
                self._tls.write(records(call.outgoing()))

    def _place(self, call: ServerCall) -> None:
        """Into the plane and out of it, as the call is established and ends."""
        match self._state:
            case _Closed():
                pass
            case _ if self._tls.ended:
                self._close()
            case _Call() if call.closed and not self._tls.wants_write:
                self._close()
            case _Call() if call.established:
                self._enter_plane(call)
            case _Plane(flow=flow) if not call.established:
                self._leave(call, flow)

    def _enter_plane(self, call: ServerCall) -> None:
        assert call.address
        early = b"".join(_HEADERS[len(packet)] + packet for packet in self._early)
        self._early.clear()
        flow = Flow(
            self._tls,
            address=call.address,
            ip_header=call.ip_header,
            peer_mru=call.peer_mru,
            control=self._control,
            closed=self._lose,
            received=early + call.rest(),
        )
        self.counters = flow.counters
        self._move(Event.ESTABLISHED, _Plane(call, flow))
        self._services.plane.add(flow)

    def _leave(self, call: ServerCall, flow: Flow) -> _Leaving:
        """In the next round, since the plane may be calling us."""
        timer = self._reactor.call_at(0.0, lambda: self._safely(self._take_back, leaving))
        leaving = _Leaving(call, flow, timer)
        self._move(Event.DOWN, leaving)
        return leaving

    def _take_back(self, leaving: _Leaving) -> None:
        """Take the connection back for the call's last words."""
        leaving.timer.cancel()
        self._services.plane.remove(leaving.flow)
        self._move(Event.TAKEN_BACK, _Call(leaving.call))
        self._reactor.add(self._tls.fileno(), READABLE, self._ready)
        leaving.call.receive(leaving.flow.rest, self._reactor.now)
        self._settle(leaving.call)

    def _control(self, packet: bytes) -> None:
        """An SSTP packet that is not the plane's."""
        self._safely(self._take_control, packet)

    def _take_control(self, packet: bytes) -> None:
        if call := self._called(Event.CONTROL):
            call.receive(packet, self._reactor.now)
            self._settle(call)

    def _called(self, event: Event) -> ServerCall | None:
        """The call that an event is for; None if the connection is closed. Raises IllegalEvent."""
        match self._state:
            case _Closed():
                return None
            case _Handshake():
                raise IllegalEvent(f"{event.value} in phase {self.phase.value}")
            case state:
                after(TRANSITIONS, state.phase, event)
                return state.call

    def _lose(self, why: str) -> None:
        """The connection ended, or has to."""
        match self._state:
            case _Call(call) | _Plane(call) | _Leaving(call):
                call.lost(why, self._reactor.now)
                for event in call.events():
                    if not isinstance(event, Data):
                        self._on(event)
        self._close()

    # ---------------------------------------------------------------------------------- inside

    def _move(self, event: Event, state: _State) -> None:
        """Raises IllegalEvent where the table does not lead there."""
        if after(TRANSITIONS, self.phase, event) is not state.phase:
            raise IllegalEvent(f"{event.value} does not lead to phase {state.phase.value}")
        self._state = state

    def _watch(self) -> None:
        if self.phase not in (Phase.HANDSHAKE, Phase.CALL):  # the plane watches
            return
        wanted = READABLE | WRITABLE if self._tls.wants_write else READABLE
        self._reactor.modify(self._tls.fileno(), wanted)

    def _close(self) -> None:
        state = self._state
        if isinstance(state, _Closed):
            return
        self._move(Event.CLOSE, _Closed(self.barred))
        self._alarm.close()
        if isinstance(state, _Leaving):
            state.timer.cancel()
        if isinstance(state, _Plane | _Leaving):
            self._services.plane.remove(state.flow)
        self._reactor.remove(self._tls.fileno())
        self._tls.shutdown()
        self._tls.close()
        self._services.gone(self)


def records(data: bytes) -> list[bytes]:
    """What a call sends, cut into TLS records: one SSTP packet each, our HTTP answer first.

    The real sstpc takes one SSTP packet per wake-up of its socket (docs/facts.md §5), and before
    a call is established each packet may be the last for a while.
    """
    at = 0
    pieces = []
    while at < len(data):
        if data.startswith(_HTTP, at):
            behind = data.index(_HTTP_END, at) + len(_HTTP_END)
        else:
            behind = at + length_at(data, at)
        pieces.append(data[at:behind])
        at = behind
    return pieces
