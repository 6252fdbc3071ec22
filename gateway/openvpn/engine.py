"""OpenVPN: one openvpn server on TCP 443; admission decides on every client.

The gateway listens on a Unix socket, to which openvpn connects as management client. openvpn itself
verifies the client's chain (and logs why that failed). The gateway verifies it again, as it does
for every protocol. Then admission decides, before openvpn accepts the client.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.common.background import Background
from gateway.common.errors import EngineError, GatewayError
from gateway.common.files import write_private
from gateway.daemons.daemon import Daemon, Program
from gateway.engine import EngineReport, until_gone
from gateway.openvpn import config
from gateway.openvpn import half_open as crowd
from gateway.openvpn.exported_certificates import KeptCertificates
from gateway.openvpn.handshakes import Handshakes
from gateway.openvpn.issuers import issuers
from gateway.openvpn.link import ManagementLink
from gateway.openvpn.management import (
    ClientEvent,
    LogLine,
    client_auth,
    client_auth_again,
    client_deny,
    client_kill,
    client_pending,
    kill,
)
from gateway.openvpn.roots import Roots
from gateway.policy.admission import Decision
from gateway.policy.sessions import Peer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.common.vocabulary import Reason, VpnProtocol
    from gateway.engine import EngineContext, Settings
    from gateway.openvpn.management import Event
    from gateway.policy.sessions import Reservation, Session

OWN_DESCRIPTORS = 8
"""File descriptors of openvpn besides its clients'. Approximate: only a threshold uses it."""
GOODBYE = 0.5
"""Seconds to wait for a client to disconnect by itself."""

TO_CLIENT = {
    "revoked": "The certificate has been revoked",
    "limit": "Too many connections",
    "no-address": "No address left in the client address pool",
    "untrusted": "The certificate is not trusted",
}


class OpenVpnEngine:
    """The engine for ARM's `OpenVPN`."""

    protocol: VpnProtocol = "OpenVPN"

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._state = context.state
        self._settings: Settings | None = None
        self._daemon: Daemon | None = None
        self._link = ManagementLink(self._state / "management.sock", self._on)
        self._background = Background("OpenVPN")
        self._certificates = KeptCertificates(self._state)
        self._asking: set[str] = set()
        """Client ids whose decision is pending."""
        # by client id: admitted, but not connected yet
        self._admitted: dict[str, Reservation] = {}
        self._ports: dict[str, str] = {}
        """Public ports of connected clients, by client id."""
        self._handshakes = Handshakes()
        self._roots = Roots(self._state)
        self._totals: Counter[str] = Counter()
        self._issuers = issuers()

    # ------------------------------------------------------------------ called by the reconciler

    async def configure(self, settings: Settings) -> None:
        """Apply settings. A changed pool restarts openvpn; changed roots, routes and DNS do not."""
        old, self._settings = self._settings, settings
        if self._daemon and old and old.pool != settings.pool:
            await self._daemon.stop()
            self._daemon = None
            self._end_sessions("the client address pool was changed")
        if self._daemon is None:
            await self._link.listen()
            self._daemon = Daemon(self._program())
        if self._daemon.state == "running":
            await self._roots.write(settings.roots)
        await self._daemon.start()

    async def stop(self) -> None:
        """Stop openvpn and end all sessions."""
        if self._daemon:
            await self._daemon.stop()
            self._daemon = None
        self._link.close()
        self._end_sessions("the OpenVPN engine was stopped")
        self._settings = None

    async def disconnect(self, session: Session, why: str) -> None:
        """Disconnect a client; openvpn's DISCONNECT event then removes the session."""
        session.ending = why
        try:
            await self._link.command(client_kill(session.handle))
            with suppress(EngineError):
                await until_gone(self._context.sessions, session, GOODBYE)
            if self._context.sessions.get(session.id):
                await self._link.command(kill(session.peer.address, self._ports[session.handle]))
        except EngineError:
            if self._context.sessions.get(session.id):  # otherwise it ended with its daemon
                raise
        await until_gone(self._context.sessions, session)

    async def refresh(self) -> None:
        """Get all clients' byte counters by one `status`; openvpn does not count packets."""
        if not self._link.connected:
            return
        for row in await self._clients():
            self._count(row)

    def report(self) -> EngineReport:
        """As in Engine."""
        daemon = self._daemon
        return EngineReport(
            self.protocol,
            daemon.state if daemon else "stopped",
            daemon.pid if daemon else None,
            daemon.restarts if daemon else 0,
            "userspace (openvpn, tun)",
            self._totals,
            daemon.death if daemon else "",
        )

    def tls_auth_key(self) -> str:
        """The static key that clients need; generated once per gateway."""
        path = self._state / "tls-auth.key"
        if not path.exists():
            write_private(path, config.static_key(secrets.token_bytes(256)))
        return path.read_text()

    # ----------------------------------------------------------------------------- the daemon

    def _program(self) -> Program:
        return Program(
            name="openvpn",
            argv=("/usr/sbin/openvpn", "--config", str(self._state / "server.conf")),
            log=self._state / "openvpn.log",
            prepare=self._prepare,
            ready=self._ready,
            gone=self._gone,
            alive=self._alive,
            hold=self._context.hold,
            env={
                "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin"),
                "TZ": "UTC",
                **self._issuers.environment,
            },
        )

    async def _prepare(self) -> None:
        assert self._settings
        self._link.up.clear()
        await self._roots.write(self._settings.roots)
        self.tls_auth_key()
        self._certificates.prepare()
        text = config.server(
            self._context.placement,
            self._settings.pool,
            self._state,
            self._certificates.options(),
        )
        write_private(self._state / "server.conf", text)

    async def _ready(self) -> None:
        await self._link.up.wait()

    async def _alive(self) -> None:
        """The heartbeat, which also ends surplus half-open connections, so that silent peers do
        not lock out others."""
        await self._link.alive()
        pid = self._daemon.pid if self._daemon else None
        if pid is None:
            return
        sessions = len(self._context.sessions.of(self.protocol))
        self._totals["half-open"] = max(0, _descriptors(pid) - OWN_DESCRIPTORS - sessions)
        if self._totals["half-open"] <= crowd.LOOK_FROM:
            return
        known = {session.handle for session in self._context.sessions.of(self.protocol)}
        waiting = crowd.half_open(await self._clients(), known | self._admitted.keys())
        self._totals["half-open"] = len(waiting)
        for place in crowd.surplus(waiting):
            self._totals["refused: timeout"] += 1
            self._link.send(kill(*place))
            message = "closed: too many half-open connections"
            self._context.log.add(
                "refused",
                self.protocol,
                message,
                reason="timeout",
                address=place[0],
                port=place[1],
                began=self._handshakes.began(*place),
            )

    async def _clients(self) -> list[crowd.Row]:
        return crowd.rows((await self._link.command(b"status 3\n")).lines)

    async def _gone(self, error: GatewayError) -> None:
        self._context.log.add("engine", self.protocol, error.message)
        self._end_sessions(f"openvpn died: {error.what}")

    def _end_sessions(self, why: str) -> None:
        for reservation in self._admitted.values():
            self._context.sessions.release(reservation)
        self._admitted.clear()
        self._asking.clear()
        for session in self._context.sessions.of(self.protocol):
            self._closed(session, why)

    def _on(self, event: Event) -> None:
        match event:
            case ClientEvent():
                self._on_client(event)
            case LogLine():
                self._on_log(event.text)
            case _:
                pass

    # ----------------------------------------------------------------------------- the clients

    def _on_client(self, event: ClientEvent) -> None:
        match event.kind:
            case "CONNECT" | "REAUTH":
                self._asking.add(event.cid)
                self._background.start(self._decide(event))
            case "ESTABLISHED":
                self._on_established(event)
            case "DISCONNECT":
                self._on_disconnect(event)
            case _:
                pass

    async def _decide(self, event: ClientEvent) -> None:
        """Decide on a client; a fault of our own refuses it, too."""
        peer, decision = self._unknown_peer(event.env), None
        try:
            peer, decision = await self._judge(event.env)
        finally:
            if event.cid in self._asking:  # otherwise it has disconnected meanwhile
                self._asking.remove(event.cid)
                fault = Decision("fault", "a fault of the gateway's own")
                self._decided(event, peer, decision or fault)

    def _unknown_peer(self, env: Mapping[str, str]) -> Peer:
        address = env.get("untrusted_ip") or env.get("trusted_ip") or ""
        port = env.get("untrusted_port") or env.get("trusted_port") or ""
        began = self._handshakes.began(address, port)
        return Peer(self.protocol, "", (), "", address, port=port, began=began)

    async def _judge(self, env: Mapping[str, str]) -> tuple[Peer, Decision | None]:
        """The peer, and the verdict on its certificate (reason None: valid)."""
        unknown = self._unknown_peer(env)
        try:
            chain = self._certificates.chain(env)
        except ValueError as error:
            return unknown, Decision("fault", str(error))
        looked = await self._context.eap_tls.look(chain)
        shown = looked.certificate
        peer = replace(unknown, user=shown.user, thumbprints=shown.thumbprints, root=shown.root)
        if looked.reason:
            return peer, Decision(looked.reason, looked.message)
        return peer, Decision(None, "")

    def _decided(self, event: ClientEvent, peer: Peer, decision: Decision) -> None:
        if decision.reason is None:
            admission = self._context.admission
            if event.kind == "REAUTH":
                decision = admission.objection(peer) or decision
            else:
                decision = admission.decide(peer)
        if decision.reason is not None:
            self._refuse(event, peer, decision.reason, decision.message)
        elif decision.reservation and self._settings:
            self._admitted[event.cid] = decision.reservation
            lines = config.client(self._settings, decision.reservation.address)
            self._answer(event, client_auth(event.cid, event.kid, lines))
        else:
            self._link.send(client_auth_again(event.cid, event.kid))

    def _answer(self, event: ClientEvent, decision: bytes) -> None:
        self._link.send_together(client_pending(event.cid, event.kid), decision)

    def _refuse(self, event: ClientEvent, peer: Peer, reason: Reason, message: str) -> None:
        to_client = TO_CLIENT.get(reason, "Refused")
        self._answer(event, client_deny(event.cid, event.kid, message, to_client))
        self._record_refusal(peer, reason, message)

    def _record_refusal(self, peer: Peer, reason: Reason, message: str) -> None:
        self._context.log.add(
            "refused",
            self.protocol,
            message,
            reason=reason,
            user=peer.user,
            address=peer.address,
            port=peer.port,
            began=peer.began,
            thumbprint=peer.thumbprint,
        )

    def _on_established(self, event: ClientEvent) -> None:
        reservation = self._admitted.pop(event.cid, None)
        if reservation is None:
            return
        try:
            session = self._context.sessions.open(
                reservation, handle=event.cid, private_address=reservation.address
            )
        except GatewayError as error:
            self._link.send(client_kill(event.cid))
            message = f"the gateway's own fault: {error.message}"
            self._record_refusal(reservation.peer, "fault", message)
            return
        peer = session.peer
        self._ports[event.cid] = event.env.get("trusted_port", "")
        self._context.log.add(
            "connected",
            self.protocol,
            f"assigned {session.private_address}",
            user=peer.user,
            address=peer.address,
            port=peer.port,
            began=peer.began,
            connection=session.id,
            thumbprint=peer.thumbprint,
        )

    def _on_disconnect(self, event: ClientEvent) -> None:
        self._asking.discard(event.cid)
        reservation = self._admitted.pop(event.cid, None)
        self._ports.pop(event.cid, None)
        if reservation:
            self._context.sessions.release(reservation)
        session = self._context.sessions.by_handle(self.protocol, event.cid)
        if session:
            self._closed(session, "the client went away")

    def _closed(self, session: Session, why: str) -> None:
        if self._context.sessions.close(session):
            self._context.log.add(
                "disconnected",
                self.protocol,
                session.ending or why,
                user=session.peer.user,
                address=session.peer.address,
                port=session.peer.port,
                began=session.peer.began,
                connection=session.id,
                thumbprint=session.peer.thumbprint,
            )

    def _on_log(self, text: str) -> None:
        refusal = self._handshakes.feed(text)
        if refusal:
            namesakes = refusal.of_another_key and self._settings and self._settings.namesakes
            hint = self._issuers.missing if namesakes else ""
            self._context.log.add(
                "refused",
                self.protocol,
                refusal.message + hint,
                reason=refusal.reason,
                user=refusal.user,
                address=refusal.address,
                port=refusal.port,
                began=self._handshakes.began(refusal.address, refusal.port),
                serial=refusal.serial,
            )

    def _count(self, values: dict[str, str]) -> None:
        session = self._context.sessions.by_handle(self.protocol, values.get("Client ID", ""))
        if session:
            session.counters.ingress_bytes = int(values["Bytes Received"])
            session.counters.egress_bytes = int(values["Bytes Sent"])


def _descriptors(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:  # the process has just ended
        return 0
