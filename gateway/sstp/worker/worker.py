"""The worker: accepts connections, asks the gateway about them and executes its decisions."""

from __future__ import annotations

import errno
import itertools
import os
import sys
import traceback
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from gateway.common.rate_limit import RateLimit
from gateway.dataplane.reactor import READABLE, WRITABLE
from gateway.ppp.config import ServerConfig
from gateway.ppp.link import PppLink
from gateway.sstp.protocol.call import CallConfig
from gateway.sstp.worker import translation
from gateway.sstp.worker.connection import ClientConnection
from gateway.sstp.worker.messages import (
    Admitted,
    Asked,
    Busy,
    Closed,
    Configure,
    Configured,
    Continue,
    Counts,
    Denied,
    End,
    Noted,
    Opened,
    Ping,
    Pong,
    Refused,
    Report,
)
from gateway.unprivileged.channel import ChannelError
from gateway.unprivileged.halfopen import HalfOpen
from radius.printable import printable

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping

    from gateway.common.vocabulary import Reason
    from gateway.dataplane.plane import Plane
    from gateway.dataplane.reactor import Reactor
    from gateway.ppp.events import Attempt
    from gateway.sstp.protocol.packets import HashProtocol
    from gateway.sstp.worker.messages import ToWorker
    from gateway.unprivileged.channel import Channel

MOST_HALF_OPEN = 1024
SHARE = 256
"""Maximum half-open connections per source: many clients may be behind one NAT."""
_AT_ONCE = 64
"""Connections accepted before other events' turn."""
GOODBYE = 1.0
"""Seconds that calls get to end when the worker stops."""
_SUMMARY = 10.0


class Worker:
    """Runs in one thread; `run` returns when the gateway has exited or sent SIGTERM."""

    def __init__(
        self,
        *,
        reactor: Reactor,
        channel: Channel[ToWorker],
        listener: socket.socket,
        plane: Plane,
        tls: ssl.SSLContext,
        hashes: Mapping[HashProtocol, bytes],
        kept: str,
    ) -> None:
        self.reactor = reactor
        self.plane = plane
        self.tls = tls
        self.calls = CallConfig(
            certificate_hashes=hashes, make_link=self._link, busy=lambda: self._busy
        )
        self._channel = channel
        self._listener = listener
        self._kept = kept
        self._busy = False
        self._stopping = False
        self._ppp: ServerConfig | None = None
        self._numbers = itertools.count(1)
        self._connections: dict[int, ClientConnection] = {}
        self._asked: set[int] = set()
        self._denied: dict[int, Denied] = {}
        """The gateway's refusal, by call."""
        self._half_open: HalfOpen[ClientConnection] = HalfOpen(total=MOST_HALF_OPEN, share=SHARE)
        self._limits = {known: RateLimit(reactor.now) for known in (False, True)}
        self._totals: Counter[str] = Counter()
        reactor.add(channel.fileno(), READABLE, self._on_channel)

    def run(self) -> None:
        """Run until the reactor is stopped, then end all calls."""
        self.reactor.run()
        self._stopping = True
        for end in (self._listener, self._channel):
            self.reactor.remove(end.fileno())
        for connection in list(self._connections.values()):
            connection.end("the gateway is being stopped")
        if self._connections:
            self.reactor.call_at(self.reactor.now + GOODBYE, self.reactor.stop)
            self.reactor.run()

    # ------------------------------------------------------------------------------- connections

    def _on_listener(self, _events: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                stream, source = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    self._throw_out(self._half_open.crowded())
                    return
                continue  # a connection that ended before it was accepted (accept(2))
            self._totals["connections"] += 1
            connection = ClientConnection(next(self._numbers), stream, source, self)
            self._connections[connection.number] = connection
            self._throw_out(self._half_open.add(connection, connection.address))

    def _throw_out(self, connection: ClientConnection | None) -> None:
        if connection:
            connection.throw_out("timeout", "closed: too many half-open connections")

    def _link(self, now: float) -> PppLink:
        assert self._ppp
        return PppLink(self._ppp, now=now, entropy=os.urandom)

    # ----------------------------------------------------------------- connection.WorkerServices

    def asks(self, connection: ClientConnection, attempt: Attempt) -> None:
        """Ask the gateway about an attempt."""
        message = Asked(
            call=connection.number,
            address=connection.address,
            port=connection.port,
            began=connection.began,
            attempt=translation.attempt(attempt),
        )
        self._tell(message)
        self._half_open.waits(connection, connection.address)
        self._asked.add(connection.number)

    def opened(self, connection: ClientConnection, binding: str) -> None:
        """Tell the gateway to open a session."""
        self._totals["opened"] += 1
        self._tell(Opened(call=connection.number, binding=binding))

    def refused(
        self, connection: ClientConnection, reason: Reason, message: str, user: str
    ) -> None:
        """Report a refusal for the log, unless there are too many."""
        denied = self._denied.get(connection.number)
        name = (denied and denied.user) or user
        self._totals[f"refused: {reason}"] += 1
        if self._may_log(reason, known=bool(name)):
            self._tell(
                Refused(
                    reason=reason,
                    message=printable(message),
                    address=connection.address,
                    port=connection.port,
                    began=connection.began,
                    user=printable(name),
                    thumbprint=denied.thumbprint if denied else "",
                    radius_server=denied.radius_server if denied else "",
                )
            )

    def ended(self, connection: ClientConnection, why: str) -> None:
        """Tell the gateway that the call carries no more packets."""
        if connection.number in self._asked:
            self._asked.remove(connection.number)
            self._tell(Closed(call=connection.number, why=printable(why)))

    def gone(self, connection: ClientConnection) -> None:
        """Forget a closed connection."""
        self.ended(connection, "the connection was closed")
        self._connections.pop(connection.number, None)
        self._totals.update(translation.losses(connection.counters, connection.barred))
        self._denied.pop(connection.number, None)
        self._half_open.remove(connection, connection.address)
        if not self._connections and self._stopping:
            self.reactor.stop()

    def fault(self, connection: ClientConnection) -> None:
        """Report a fault of our own; its traceback is written to the worker's log."""
        self._totals["faults"] += 1
        if self._may_log("fault", known=False):
            traceback.print_exc()
            fault = f"a fault of the gateway's own: {type(sys.exception()).__name__}"
            self._tell(Noted(message=f"call {connection.number}: {fault}"))

    def _may_log(self, word: str, *, known: bool) -> bool:
        """Whether a record may be logged on its own; the others are summed up later."""
        limit = self._limits[known]
        if limit.allows(word, self.reactor.now):
            return True
        if limit.left_out == 1:
            self.reactor.call_at(self.reactor.now + _SUMMARY, partial(self._sum_up, limit))
        return False

    def _sum_up(self, limit: RateLimit) -> None:
        self._tell(Noted(message=printable(limit.summary())))

    # ------------------------------------------------------------------------------- the gateway

    def _tell(
        self, message: Configured | Asked | Opened | Closed | Refused | Noted | Counts | Pong
    ) -> None:
        try:
            self._channel.send(message)
        except ChannelError:
            if not self._stopping:
                self.reactor.stop()
        self._watch_channel()

    def _watch_channel(self) -> None:
        if self._stopping:
            return
        events = READABLE | WRITABLE if self._channel.wants_write else READABLE
        self.reactor.modify(self._channel.fileno(), events)

    def _on_channel(self, events: int) -> None:
        try:
            if events & WRITABLE:
                self._channel.flush()
                self._watch_channel()
            for order in self._channel.receive():
                self._handle(order)
        except ChannelError:  # the gateway has exited
            self.reactor.stop()

    def _handle(self, order: ToWorker) -> None:
        match order:
            case Configure():
                self._configure(order)
            case Busy():
                self._busy = order.busy
            case Report():
                self._tell(self._counts())
            case Ping():
                self._tell(Pong())
            case End():
                if connection := self._connections.get(order.call):
                    connection.end(order.why)
            case Admitted() | Denied() | Continue():
                self._answer(order)

    def _configure(self, order: Configure) -> None:
        first = self._ppp is None
        self._ppp = ServerConfig(
            local_address=order.local_address,
            methods=order.methods,
            dns=order.dns,
        )
        if first:
            self.reactor.add(self._listener.fileno(), READABLE, self._on_listener)
        self._tell(Configured(number=order.number, kept=self._kept))

    def _answer(self, order: Admitted | Denied | Continue) -> None:
        connection = self._connections.get(order.call)
        if connection is None:
            return
        if isinstance(order, Admitted):
            self._half_open.remove(connection, connection.address)
        if isinstance(order, Denied):
            self._denied[connection.number] = order
        connection.answer(translation.verdict(order))

    def _counts(self) -> Counts:
        traffic = tuple(
            translation.traffic(number, connection.counters)
            for number, connection in self._connections.items()
            if number in self._asked
        )
        totals = self._totals.copy()
        for connection in self._connections.values():
            totals.update(translation.losses(connection.counters, connection.barred))
        totals.update(translation.losses_without_call(self.plane.counters))
        totals["half-open"] = len(self._half_open)
        return Counts(traffic=traffic, totals=totals)
