"""One TCP connection from its first byte to its last.

TLS handshake -> ServerCall (HTTP, SSTP, PPP) -> once established a Flow of the plane, with control
packets still going through the ServerCall -> ServerCall again while the call is torn down.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from gateway.dataplane.counters import Counters
from gateway.dataplane.flow import Flow
from gateway.dataplane.framing import headers
from gateway.dataplane.reactor import READABLE, WRITABLE
from gateway.dataplane.secure import secure
from gateway.dataplane.tls import RECORD
from gateway.ppp.events import EapAttempt, MsChapV2Attempt, PapAttempt
from gateway.sstp.protocol.binding import Bound
from gateway.sstp.protocol.call import ServerCall
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused
from gateway.sstp.worker import handshakes
from gateway.sstp.worker.records import records

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from gateway.common.vocabulary import Reason
    from gateway.dataplane.plane import Plane
    from gateway.dataplane.reactor import Reactor, Timer
    from gateway.ppp.events import Attempt, Verdict
    from gateway.sstp.protocol.call import CallConfig
    from gateway.sstp.protocol.events import CallEvent

HANDSHAKE_LIMIT = 20.0
"""Seconds for TLS."""
_READ = 4 * RECORD
_HEADERS = headers(b"\x21")
"""For packets that came before the plane was there: any form that it reads."""


class WorkerServices(Protocol):
    """The worker as its callers see it."""

    reactor: Reactor
    plane: Plane
    tls: ssl.SSLContext
    calls: CallConfig

    def asks(self, caller: ClientConnection, attempt: Attempt) -> None:
        """An attempt to come in; `answer` is to be called."""

    def opened(self, caller: ClientConnection, binding: str) -> None:
        """Packets go."""

    def refused(self, caller: ClientConnection, reason: Reason, message: str, user: str) -> None:
        """It was turned away."""

    def ended(self, caller: ClientConnection, why: str) -> None:
        """No packets go any more."""

    def gone(self, caller: ClientConnection) -> None:
        """The connection is closed."""

    def fault(self, caller: ClientConnection) -> None:
        """An exception is being handled that should not have been."""


class ClientConnection:
    """A connection; `number` is what the gateway calls it, `address` where it comes from."""

    def __init__(
        self, number: int, stream: socket.socket, address: str, services: WorkerServices
    ) -> None:
        self.number = number
        self.address = address
        self.counters = Counters()
        self._services = services
        self._reactor = services.reactor
        self._tls = secure(stream, services.tls)
        self._call: ServerCall | None = None
        self._flow: Flow | None = None
        self._leaving = False
        self._early: list[bytes] = []
        self._binding = ""
        self._timer: Timer | None = None
        self._due: float | None = None
        self._watched = READABLE
        self._open = True
        self._reactor.add(self._tls.fileno(), READABLE, self._ready)
        self._arm(self._reactor.now + HANDSHAKE_LIMIT)

    def _safely(self, step: Callable[..., None], *arguments: object) -> None:
        """A fault of our own costs this call and no other."""
        try:
            step(*arguments)
        except Exception:  # noqa: BLE001 - whatever it is, it is told, and the others go on
            self._services.fault(self)
            self._lose("a fault of the gateway's own")

    # ------------------------------------------------------------------------------ the worker's

    @property
    def barred(self) -> int:
        """Frames of it that were not let through: too early, or too late."""
        return self._call.dropped if self._call else 0

    def answer(self, verdict: Verdict) -> None:
        """The verdict on its attempt."""
        self._safely(self._take, verdict)

    def end(self, why: str) -> None:
        """Hang up; no packet passes any more."""
        self._safely(self._hang_up, why)

    def _take(self, verdict: Verdict) -> None:
        if self._call and self._open:
            self._call.answer(verdict, self._reactor.now)
            self._settle()

    def _hang_up(self, why: str) -> None:
        if not self._open:
            return
        if self._call is None:
            self._close()
            return
        self._call.end(why, self._reactor.now)
        if self._flow:
            self._leave_plane()
        else:
            self._settle()

    def throw_out(self, reason: Reason, why: str) -> None:
        """Close at once."""
        if self._open:
            self._services.refused(self, reason, why, "")
            self._lose(why)

    # ------------------------------------------------------------------------- the connection's

    def _ready(self, events: int) -> None:
        self._safely(self._go_on, events)

    def _go_on(self, events: int) -> None:
        if not self._open or self._flow:
            return
        if events & WRITABLE:
            self._tls.flush()
        if self._call is None and not self._shake():
            return
        if events & ~WRITABLE:
            self._read()
        self._settle()

    def _shake(self) -> bool:
        if self._tls.handshake():
            self._call = ServerCall(self._services.calls, now=self._reactor.now, entropy=os.urandom)
            # what came behind the handshake is not told by the socket
            self._reactor.call_at(0.0, lambda: self._ready(READABLE))
            return True
        if self._tls.ended:
            why = handshakes.reason(self._tls.openssl_reason, self._tls.ended)
            self._services.refused(self, *why, "")
            self._close()
        else:
            self._watch()
        return False

    def _read(self) -> None:
        assert self._call
        data = self._tls.read(_READ)
        if data:
            self._call.receive(data, self._reactor.now)
        if len(data) > _READ - RECORD:  # there may be more inside
            self._reactor.call_at(0.0, lambda: self._ready(READABLE))

    def _on_time(self) -> None:
        self._safely(self._tick)

    def _tick(self) -> None:
        self._due = None
        now = self._reactor.now
        if not self._open:
            return
        if self._call is None:
            self.throw_out("timeout", f"no TLS handshake within {HANDSHAKE_LIMIT:g} s")
        elif self._call.closed:
            self._close()
        else:
            if self._flow:
                self._call.heard(self._flow.heard)
            self._call.tick(now)
            self._settle()

    # ------------------------------------------------------------------------------- the call's

    def _settle(self) -> None:
        """After anything has happened to the call."""
        call = self._call
        if call is None or not self._open:
            return
        if self._tls.ended:
            call.lost(self._tls.ended, self._reactor.now)
        while events := call.events():
            for event in events:
                self._on(event)
        self._send(call)
        if self._tls.ended or (call.closed and not self._tls.wants_write and not self._flow):
            self._close()
            return
        self._place(call)
        self._watch()
        self._arm(call.deadline())

    def _on(self, event: CallEvent) -> None:
        match event:
            case MsChapV2Attempt() | PapAttempt() | EapAttempt():
                self._services.asks(self, event)
            case Bound(hash_protocol, form):
                self._binding = f"{hash_protocol.name}, {form}"
            case Connected():
                self._services.opened(self, self._binding)
            case Data(packet):
                self._early.append(packet)
            case Refused(reason, message, user):
                self._services.refused(self, reason, message, user)
            case Ended(why):
                self._services.ended(self, why)
            case _:
                pass

    def _send(self, call: ServerCall) -> None:
        if self._flow:
            self._flow.send_control(call.outgoing())
        elif not self._tls.wants_write:  # else it waits in the call, which bounds it
            self._tls.write(records(call.outgoing()))

    def _place(self, call: ServerCall) -> None:
        """Into the plane and out of it, as the call is established and ends."""
        if call.established and not self._flow:
            self._enter_plane(call)
        elif self._flow and not call.established and not self._leaving:
            self._leaving = True  # not now: the plane may be calling
            self._reactor.call_at(0.0, lambda: self._safely(self._leave_plane))

    def _enter_plane(self, call: ServerCall) -> None:
        assert call.address
        early = b"".join(_HEADERS[len(packet)] + packet for packet in self._early)
        self._early.clear()
        self._flow = Flow(
            self._tls,
            address=call.address,
            ip_header=call.ip_header,
            peer_mru=call.peer_mru,
            control=self._control,
            closed=self._lose,
            received=early + call.rest(),
        )
        self.counters = self._flow.counters
        self._services.plane.add(self._flow)

    def _leave_plane(self) -> None:
        """Take the connection back for the call's last words."""
        flow, self._flow = self._flow, None
        if flow is None or self._call is None or not self._open:
            return
        self._services.plane.remove(flow)
        self._watched = READABLE
        self._reactor.add(self._tls.fileno(), READABLE, self._ready)
        self._call.receive(flow.rest, self._reactor.now)
        self._settle()

    def _control(self, packet: bytes) -> None:
        """An SSTP packet that is not the plane's."""
        self._safely(self._take_control, packet)

    def _take_control(self, packet: bytes) -> None:
        assert self._call
        self._call.receive(packet, self._reactor.now)
        self._settle()

    def _lose(self, why: str) -> None:
        """The connection ended, or has to."""
        if self._flow:
            self._services.plane.remove(self._flow)
            self._flow = None
        if self._call:
            self._call.lost(why, self._reactor.now)
            for event in self._call.events():
                self._on(event)
        self._close()

    # ---------------------------------------------------------------------------------- inside

    def _watch(self) -> None:
        if self._flow:
            return
        wanted = READABLE | WRITABLE if self._tls.wants_write else READABLE
        if wanted != self._watched:
            self._watched = wanted
            self._reactor.modify(self._tls.fileno(), wanted)

    def _arm(self, due: float | None) -> None:
        """Be called at this time, and at no other."""
        if due == self._due:
            return
        if self._timer:
            self._timer.cancel()
        self._due = due
        self._timer = self._reactor.call_at(due, self._on_time) if due is not None else None

    def _close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._arm(None)
        if self._flow:
            self._services.plane.remove(self._flow)
            self._flow = None
        self._reactor.remove(self._tls.fileno())
        self._tls.shutdown()
        self._tls.close()
        self._services.gone(self)
