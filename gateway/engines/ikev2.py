"""IKEv2: charon, driven only over vici."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.x509 import load_der_x509_certificate

from gateway import datapath
from gateway.daemon import brief
from gateway.engines import ikev2_config as config
from gateway.engines.background import Background
from gateway.engines.base import EngineReport, until_gone
from gateway.engines.ikev2_attempts import Attempts
from gateway.engines.ikev2_clients import Clients
from gateway.engines.ikev2_gate import Gate
from gateway.engines.ikev2_radius import RadiusRelay
from gateway.errors import EngineError
from gateway.ocsp import Responder
from gateway.ocsp_server import OcspServer
from gateway.trust import thumbprint

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from cryptography.x509 import Certificate

    from gateway.engines.base import Settings, Surroundings
    from gateway.engines.charon import Charon
    from gateway.sessions import Session
    from gateway.vocabulary import VpnProtocol


class Ikev2Engine:
    """The engine for ARM's `IkeV2`."""

    protocol: VpnProtocol = "IkeV2"

    def __init__(self, around: Surroundings, charon: Charon) -> None:
        self._around = around
        self._charon = charon
        self._link = charon.link
        attempts = Attempts(lambda: datetime.now(UTC))
        self._gate = Gate(around.admission, self._known, attempts, self._learn_soon)
        self._background = Background("IKEv2")
        self._relay = RadiusRelay(around)
        self._clients = Clients(
            around, self._link, attempts, self._gate, relay=self._relay, peers=lambda: charon.peers
        )
        self._responder = Responder(self._gate.decide)
        self._ocsp = OcspServer(self._responder)
        self._settings: Settings | None = None
        self._loaded: Settings | None = None
        """What charon has been told; None: nothing."""

    async def configure(self, settings: Settings) -> None:
        """A running charon is told of the difference; its sessions live on."""
        first = self._settings is None
        self._settings = settings
        self._gate.roots = settings.roots
        if first:
            await self._ocsp.start()
            await self._charon.use_relay(config.Relay(*await self._relay.start()))
        if self._loaded is not None and self._charon.running:
            await self._load(settings)
        else:
            await self._charon.join(self)

    async def stop(self) -> None:
        """charon says goodbye to its clients."""
        if self._charon.running:
            with suppress(EngineError):  # it died: so did what was loaded
                await self._unload()
        await self._charon.leave(self)
        await self._ocsp.stop()
        self._relay.stop()
        self._clients.all_gone("the IKEv2 engine was stopped")
        self._settings = self._loaded = None

    # ------------------------------------------------------------------ as a tenant of charon's

    async def load(self) -> None:
        """charon has started."""
        assert self._settings
        self._loaded = None
        await self._load(self._settings)

    def on_event(self, name: str, message: dict[str, Any]) -> None:
        """Of anybody's."""
        self._clients.on_event(name, message)

    def gone(self, why: str) -> None:
        """charon is dead."""
        self._loaded = None
        self._clients.all_gone(f"charon died: {brief(why)}")

    async def forget(self) -> None:
        """charon keeps answers about certificates longer than they last."""
        if self._charon.running:
            await self._link.order("flush-certs", {})

    async def disconnect(self, session: Session, why: str) -> None:
        """A client that does not confirm is forgotten all the same."""
        session.ending = why
        await self._clients.terminate(session.handle)
        await until_gone(self._around.sessions, session)

    async def refresh(self) -> None:
        """Ask charon for counters."""
        if self._charon.running:
            await self._clients.refresh()

    def report(self) -> EngineReport:
        """As every engine."""
        charon = self._charon
        return EngineReport(
            self.protocol,
            charon.state,
            charon.pid,
            charon.restarts,
            str(charon.datapath),
            charon.statistics,
            charon.death,
        )

    # ---------------------------------------------------------------------- what charon is told

    async def _load(self, settings: Settings) -> None:
        old = self._loaded
        if old is None or old.roots != settings.roots:
            await self._load_credentials(settings, fresh=old is None)
        for name, pool in config.pools(settings).items():
            if old is None or old.pool != settings.pool or old.dns != settings.dns:
                await self._link.order("load-pool", {name: pool})
        if old != settings:
            await self._load_connections(settings, old)
        await self._link.order("flush-certs", {})
        former = tuple(part for part in (old.pool if old else ()) if part not in settings.pool)
        await self._lay_routes(settings, former)
        await self._drop_pools(former)
        self._loaded = settings

    async def _load_credentials(self, settings: Settings, *, fresh: bool) -> None:
        """All of them: vici can only clear everything."""
        if not fresh:
            await self._link.order("clear-creds")
        server = self._around.placement.serverCertificate
        await self._link.order("load-key", {"type": "any", "data": server.privateKey.read_bytes()})
        for flag, data in (
            ("NONE", server.certificate.read_bytes()),
            ("OCSP", _der(self._responder.certificate)),
            *(("CA", _der(root)) for root in settings.roots),
        ):
            await self._link.order("load-cert", {"type": "X509", "flag": flag, "data": data})
        authorities = await self._link.order("get-authorities")
        for name in authorities.get("authorities", []):
            await self._link.order("unload-authority", {"name": name})
        for root in settings.roots:
            await self._learn(root)

    async def _known(self) -> list[Certificate]:
        """The certificates that charon holds."""
        certificates = []
        for message in await self._link.ask("list-certs", {"type": "x509"}):
            try:
                certificates.append(load_der_x509_certificate(message["data"]))
            except ValueError:  # charon's parser takes more than this one
                continue
        return certificates

    def _learn_soon(self, authority: Certificate) -> None:
        self._background.start(self._learn(authority))

    async def _learn(self, authority: Certificate) -> None:
        """Have charon ask about what this authority issued."""
        body = config.authority(_der(authority), self._ocsp.uris)
        await self._link.order("load-authority", {thumbprint(authority): body})

    async def _load_connections(self, settings: Settings, old: Settings | None) -> None:
        connections = config.connections(
            self._around.placement,
            settings,
            self._around.placement.serverCertificate.certificate.read_bytes(),
            [_der(root) for root in settings.roots],
            encapsulate=self._charon.datapath.userspace,
        )
        for name, connection in connections.items():
            await self._link.order("load-conn", {name: connection})
        if old is not None and old.radius != settings.radius:
            for name in set(config.CONNECTIONS) - set(connections):
                await self._link.order("unload-conn", {"name": name})

    async def _unload(self) -> None:
        """Another tenant may stay: take everything out, clients first."""
        for session in self._around.sessions.of("IkeV2"):
            session.ending = session.ending or "the IKEv2 engine was stopped"
            await self._clients.terminate(session.handle)
        for name in config.CONNECTIONS:
            with suppress(EngineError):  # with RADIUS there is another than without
                await self._link.order("unload-conn", {"name": name})
        await self._link.order("flush-certs", {})
        if self._loaded:
            former = self._loaded.pool
            await self._lay_routes(replace(self._loaded, pool=(), routes=()), former)
            await self._drop_pools(former)

    async def _drop_pools(self, former: tuple[IPv4Network, ...]) -> None:
        """Pools of clients that are still to be put out stay."""
        for part in former:
            try:
                await self._link.order("unload-pool", {"name": config.pool_name(part)})
            except EngineError as error:
                if "online leases" not in error.message:
                    raise

    async def _lay_routes(self, settings: Settings, former: tuple[IPv4Network, ...]) -> None:
        if not self._charon.datapath.userspace:
            return
        placement = self._around.placement
        await asyncio.to_thread(
            datapath.lay_routes,
            pool=settings.pool,
            former=former,
            selectors=settings.routes,
            source=placement.privateIPAddress,
        )


def _der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return certificate.public_bytes(Encoding.DER)
