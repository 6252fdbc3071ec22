"""A small SSTP server on gateway.sstp.protocol, for tests of clients: who may come in is the test's
choice.

It carries no packets: it sends each one back as it came.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.dataplane.reactor import READABLE, WRITABLE, Reactor, Timer
from gateway.dataplane.secure import secure
from gateway.dataplane.tls import TlsConnection, server_context
from gateway.ppp.config import ServerConfig
from gateway.ppp.events import (
    Attempt,
    EapAttempt,
    MsChapV2Attempt,
    PapAttempt,
    Verdict,
)
from gateway.ppp.link import PppLink
from gateway.sstp.protocol.binding import certificate_hashes
from gateway.sstp.protocol.call import CallConfig, ServerCall
from gateway.sstp.protocol.events import CallEvent, Data
from gateway.sstp.protocol.machine import TIMERS, Timers

Judge = Callable[[Attempt], Verdict]
_ATTEMPTS = (EapAttempt, MsChapV2Attempt, PapAttempt)


class Server:
    """Listens; `events`: those of all calls. `pem`: certificate and key in one file."""

    def __init__(
        self,
        reactor: Reactor,
        listener: socket.socket,
        pem: Path,
        links: ServerConfig,
        *,
        judge: Judge,
        timers: Timers = TIMERS,
    ) -> None:
        self.reactor = reactor
        self.judge = judge
        self.events: list[CallEvent] = []
        self._listener = listener
        self._served: set[_Served] = set()
        self._context = server_context(pem, pem)
        leaf = x509.load_pem_x509_certificate(pem.read_bytes())
        self.config = CallConfig(
            certificate_hashes(leaf.public_bytes(Encoding.DER)),
            lambda now: PppLink(links, now=now, entropy=os.urandom),
            timers=timers,
        )
        listener.setblocking(False)
        reactor.add(listener.fileno(), READABLE, self._accept)

    def _accept(self, _events: int) -> None:
        stream, _ = self._listener.accept()
        self._served.add(_Served(self, secure(stream, self._context)))

    def forget(self, served: _Served) -> None:
        """A connection is closed."""
        self._served.discard(served)

    def close(self) -> None:
        """Close all remaining connections."""
        for served in list(self._served):
            served.close()


class _Served:
    """One connection."""

    def __init__(self, server: Server, tls: TlsConnection) -> None:
        self._server, self._tls = server, tls
        self._call: ServerCall | None = None
        self._timer: Timer | None = None
        server.reactor.add(tls.fileno(), READABLE, self._ready)

    def _ready(self, _events: int) -> None:
        now = time.monotonic()
        if self._call is None:
            if self._tls.handshake():
                self._call = ServerCall(self._server.config, now=now, entropy=os.urandom)
        else:
            self._tls.flush()
            while data := self._tls.read():
                self._call.receive(data, now)
        self._settle(now)

    def _tick(self) -> None:
        assert self._call
        self._call.tick(time.monotonic())
        self._settle(time.monotonic())

    def _settle(self, now: float) -> None:
        call = self._call
        if call and self._tls.ended:
            call.lost(self._tls.ended, now)
        if call:
            self._answer(call, now)
            self._tls.write([call.outgoing()])
        if self._tls.ended or (call and call.closed):
            self.close()
            return
        writes = WRITABLE if self._tls.wants_write else 0
        self._server.reactor.modify(self._tls.fileno(), READABLE | writes)
        if self._timer:
            self._timer.cancel()
        due = call.deadline() if call else None
        self._timer = self._server.reactor.call_at(due, self._tick) if due else None

    def _answer(self, call: ServerCall, now: float) -> None:
        while events := call.events():
            for event in events:
                self._server.events.append(event)
                if isinstance(event, _ATTEMPTS):
                    call.answer(self._server.judge(event), now)
                elif isinstance(event, Data):
                    call.send(event.packet, now)

    def close(self) -> None:
        """Close the connection without SSTP's teardown."""
        self._server.forget(self)
        if self._timer:
            self._timer.cancel()
        self._server.reactor.remove(self._tls.fileno())
        self._tls.shutdown()
        self._tls.close()
