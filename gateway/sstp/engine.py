"""SSTP: a worker process (gateway.sstp.worker) on TCP 443; admission decides on every client.

The gateway opens the port and the TUN and keeps the sessions; the unprivileged worker serves the
clients and asks the gateway. A session's handle is the worker's number of the call.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gateway.common.background import Background
from gateway.common.errors import EngineError, GatewayError
from gateway.daemons.daemon import START_LIMIT, Daemon, Program
from gateway.dataplane import native
from gateway.engine import EngineReport, until_gone
from gateway.sstp.eap import CertificateAuthenticator
from gateway.sstp.gate import Gate
from gateway.sstp.link import ANSWER_LIMIT, SstpWorkerLink
from gateway.sstp.radius import RadiusAuthenticator
from gateway.sstp.sockets import DEVICE, MTU, WorkerSockets
from gateway.sstp.worker.messages import (
    Asked,
    Busy,
    Closed,
    Configure,
    Configured,
    End,
    Noted,
    Opened,
    Refused,
)
from gateway.unprivileged.environment import worker_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.common.vocabulary import VpnProtocol
    from gateway.engine import EngineContext, Settings
    from gateway.policy.sessions import Session
    from gateway.sstp.gate import Authenticator
    from gateway.sstp.worker.messages import FromWorker
    from gateway.unprivileged.messages import Message


class SstpEngine:
    """The engine for ARM's `SSTP`. `authenticator`: a replacement for RADIUS, for benchmarks."""

    protocol: VpnProtocol = "SSTP"

    def __init__(self, context: EngineContext, authenticator: Authenticator | None = None) -> None:
        self._context = context
        self._radius = authenticator or RadiusAuthenticator(context.radius)
        self._certificates = CertificateAuthenticator(context.eap_tls)
        self._settings: Settings | None = None
        self._in_force: Settings | None = None
        """The settings that the worker has."""
        self._daemon: Daemon | None = None
        self._sockets = WorkerSockets(context.placement.publicIPAddress)
        self._link = SstpWorkerLink(self._on, self._on_broken)
        self._gate = Gate(context, self._authenticator, self._send)
        self._background = Background("SSTP")
        self._compiled = False
        self._sent_busy = False
        self._totals: Mapping[str, int] = {}

    # ------------------------------------------------------------------ called by the reconciler

    async def configure(self, settings: Settings) -> None:
        """Apply settings. A changed pool restarts the worker; other changes affect new calls."""
        old, self._settings = self._settings, settings
        if self._daemon and old and old.pool != settings.pool:
            await self._stop_worker("the client address pool was changed")
        if self._daemon is None:
            self._daemon = Daemon(self._program())
        await self._daemon.start()
        if self._in_force is not settings:  # it was running, or started with older settings
            await self._configure(settings)

    async def stop(self) -> None:
        """Stop the worker and end all sessions."""
        await self._stop_worker("the SSTP engine was stopped")
        self._settings = None

    async def disconnect(self, session: Session, why: str) -> None:
        """Disconnect a client; the worker's Closed then removes the session."""
        session.ending = why
        try:
            self._link.send(End(call=int(session.handle), why=why))
        except EngineError:
            if self._context.sessions.get(session.id):  # otherwise it ended with its worker
                raise
        with self._replacing_a_hung_worker():
            await until_gone(self._context.sessions, session)

    async def refresh(self) -> None:
        """Get the counters of all calls by one message."""
        if not self._link.connected:
            return
        counts = await self._link.report()
        self._totals = counts.totals
        for traffic in counts.traffic:
            session = self._context.sessions.by_handle(self.protocol, str(traffic.call))
            if session:
                session.counters.ingress_bytes = traffic.bytes_in
                session.counters.ingress_packets = traffic.packets_in
                session.counters.egress_bytes = traffic.bytes_out
                session.counters.egress_packets = traffic.packets_out

    def report(self) -> EngineReport:
        """As in Engine."""
        daemon = self._daemon
        return EngineReport(
            self.protocol,
            daemon.state if daemon else "stopped",
            daemon.pid if daemon else None,
            daemon.restarts if daemon else 0,
            f"userspace (SSTP worker, {DEVICE}, {'compiled' if self._compiled else 'Python'})",
            self._totals,
            daemon.death if daemon else "",
        )

    # ----------------------------------------------------------------------------- the worker

    def _program(self) -> Program:
        files = self._context.placement.serverCertificate
        return Program(
            name="sstpd",
            argv=(
                *(sys.executable, "-m", "gateway.sstp.worker", f"--mtu={MTU}"),
                *(f"--certificate={files.certificate}", f"--key={files.privateKey}"),
            ),
            log=self._context.state / "sstpd.log",
            prepare=self._prepare,
            ready=self._ready,
            gone=self._gone,
            env=worker_environment(),
            inherits=lambda: self._sockets.descriptors() | {"control": self._link.theirs()},
            alive=self._link.alive,
            hold=self._context.hold,
        )

    async def _prepare(self) -> None:
        assert self._settings
        # Compiling may take long, and the netlink library has its own event loop.
        self._compiled = await asyncio.to_thread(native.load) is not None
        await asyncio.to_thread(self._sockets.open, self._settings.pool, vnet_hdr=self._compiled)
        self._link.renew()

    async def _ready(self) -> None:
        self._link.started()
        assert self._settings
        self._sent_busy = False
        # While the worker is starting, the daemon's limit for that applies.
        configured = await self._configure(self._settings, START_LIMIT)
        if configured.kept:
            words = f"sstpd runs without capabilities, and keeps {configured.kept}"
            self._context.log.add("engine", self.protocol, words)

    async def _configure(self, settings: Settings, limit: float = ANSWER_LIMIT) -> Configured:
        order = Configure(
            number=0,
            local_address=self._sockets.own_address,
            dns=settings.dns,
            methods=self._authenticator().methods,
        )
        with self._replacing_a_hung_worker():
            configured = await self._link.configure(order, limit)
        self._in_force = settings
        self._send_busy()
        return configured

    def _authenticator(self) -> Authenticator:
        radius = self._settings is not None and self._settings.radius
        return self._radius if radius else self._certificates

    async def _gone(self, error: GatewayError) -> None:
        self._in_force = None
        self._link.close()
        self._context.log.add("engine", self.protocol, error.message)
        self._gate.end_all(f"the SSTP worker died: {error.what}")

    async def _stop_worker(self, why: str) -> None:
        if self._daemon:
            await self._daemon.stop()
            self._daemon = None
        self._in_force = None
        self._link.close()
        self._sockets.close()
        self._gate.end_all(why)

    @contextmanager
    def _replacing_a_hung_worker(self) -> Iterator[None]:
        """Kill the worker if it does not execute an order: it must not keep its sessions."""
        try:
            yield
        except EngineError as error:
            self._on_broken(error.message)
            raise

    def _on_broken(self, why: str) -> None:
        """Kill a worker that has failed or cannot be trusted; its supervisor starts another."""
        pid = self._daemon.pid if self._daemon else None
        if pid:
            sys.stderr.write(f"SSTP: the worker is killed: {why}\n")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _on(self, message: FromWorker) -> None:
        match message:
            case Asked():
                self._background.start(self._gate.asked(message))
            case Opened():
                self._gate.opened(message)
            case Closed():
                self._gate.closed(message.call, message.why)
            case Refused():
                self._context.log.add(
                    "refused",
                    self.protocol,
                    message.message,
                    reason=message.reason,
                    user=message.user,
                    address=message.address,
                    port=message.port,
                    began=message.began,
                    thumbprint=message.thumbprint,
                    radius_server=message.radius_server,
                )
            case Noted():
                self._context.log.add("engine", self.protocol, message.message)
            case _:
                pass
        self._send_busy()

    def _send(self, message: Message) -> None:
        """Send to the worker; ignored if it has died meanwhile."""
        with suppress(EngineError):
            self._link.send(message)
        self._send_busy()

    def _send_busy(self) -> None:
        """Tell the worker whether the SKU's limit is reached; it then refuses new calls by HTTP."""
        busy = self._context.admission.full(self.protocol) is not None
        if busy != self._sent_busy and self._link.connected:
            self._sent_busy = busy
            with suppress(EngineError):
                self._link.send(Busy(busy=busy))
