"""IKEv2: charon, controlled over vici only; the RADIUS relay decides who is admitted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.charon import datapath
from gateway.charon import vici_messages as vici
from gateway.charon.config import RelayAddress
from gateway.common.errors import EngineError, GatewayError
from gateway.engine import EngineReport, until_gone
from gateway.ikev2 import config
from gateway.ikev2.clients import Clients
from gateway.ikev2.refusals import Refusals
from gateway.ikev2.relay import RadiusRelay

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from gateway.common.vocabulary import VpnProtocol
    from gateway.engine import EngineContext, Settings
    from gateway.policy.sessions import Session


class Ikev2Engine:
    """The engine for ARM's `IkeV2`."""

    protocol: VpnProtocol = "IkeV2"

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._charon = charon = context.charon
        self._link = charon.link
        self._clients = Clients(context, self._link)
        self._relay = RadiusRelay(context, self._clients.account)
        # P2S over IKEv2 cannot start from a public IP that S2S uses (azure-docs
        # vpn-gateway-vpn-faq): an attempt refused from there was no client's.
        self._refusals = Refusals(
            context.log,
            lambda: charon.peers,
            self._relay.has_refused,
            lambda uniqueid: context.sessions.by_handle("IkeV2", uniqueid),
        )
        self._settings: Settings | None = None
        self._loaded: Settings | None = None
        """What charon has loaded; None: nothing."""

    async def configure(self, settings: Settings) -> None:
        """Load the difference into a running charon; existing sessions stay up."""
        first = self._settings is None
        self._settings = settings
        self._relay.radius, self._relay.dns = settings.radius, settings.dns
        if first:
            await self._charon.use_relay(RelayAddress(*await self._relay.start()))
        if self._loaded is not None and self._charon.running:
            await self._load(settings)
        else:
            await self._charon.join(self)

    async def stop(self) -> None:
        """Delete all IKE_SAs, with notice to clients, and leave charon."""
        if self._charon.running:
            with suppress(EngineError):  # charon died, and with it what was loaded
                await self._unload()
        await self._charon.leave(self)
        self._relay.stop()
        self._clients.all_gone("the IKEv2 engine was stopped")
        self._settings = self._loaded = None

    # ------------------------------------------------------------------------- charon's tenant

    async def load(self) -> None:
        """charon has started: load everything."""
        assert self._settings
        self._loaded = None
        await self._load(self._settings)

    def on_event(self, name: str, message: dict[str, Any]) -> None:
        """A vici event, which may concern another tenant."""
        for event in vici.event(name, message):
            if isinstance(event, vici.LogLine):
                self._refusals.feed(event)
            else:
                self._clients.on_event(event)

    def gone(self, error: GatewayError) -> None:
        """charon has died."""
        self._loaded = None
        self._relay.forget_sas()
        self._clients.all_gone(f"charon died: {error.what}")

    async def disconnect(self, session: Session, why: str) -> None:
        """Delete the client's IKE_SA, even if the client does not confirm it."""
        session.ending = why
        await self._clients.terminate(session.handle)
        await until_gone(self._context.sessions, session)

    async def refresh(self) -> None:
        """Get counters from charon."""
        if self._charon.running:
            await self._clients.refresh()

    def report(self) -> EngineReport:
        """As in Engine."""
        charon = self._charon
        return EngineReport(
            self.protocol,
            charon.state,
            charon.pid,
            charon.restarts,
            str(charon.datapath),
            {**charon.statistics, **self._relay.counts()},
            charon.death,
        )

    # -------------------------------------------------------------------- charon's configuration

    async def _load(self, settings: Settings) -> None:
        old = self._loaded
        if old is None:
            await self._load_key()
        if old is None or (old.routes, old.ipsec) != (settings.routes, settings.ipsec):
            await self._load_connection(settings)
        if old is not None and old.ipsec != settings.ipsec:
            await self._end_all("the IPsec policy has changed")
        former = tuple(part for part in (old.pool if old else ()) if part not in settings.pool)
        await self._lay_routes(settings, former)
        self._loaded = settings

    async def _end_all(self, why: str) -> None:
        """End sessions whose algorithms were agreed on under other settings."""
        sessions = list(self._context.sessions.of("IkeV2"))
        for session in sessions:
            self._context.sessions.bar(session)
        await asyncio.gather(*(self.disconnect(session, why) for session in sessions))

    async def _load_key(self) -> None:
        key = self._context.placement.serverCertificate.privateKey.read_bytes()
        await self._link.order("load-key", {"type": "any", "data": key})

    async def _load_connection(self, settings: Settings) -> None:
        connection = config.connection(
            self._context.placement,
            settings,
            self._context.placement.serverCertificate.certificate.read_bytes(),
            encapsulate=self._charon.datapath.userspace,
        )
        await self._link.order("load-conn", {config.CONNECTION: connection})

    async def _unload(self) -> None:
        """Another tenant may keep charon running: unload everything, clients first."""
        for session in self._context.sessions.of("IkeV2"):
            session.ending = session.ending or "the IKEv2 engine was stopped"
            await self._clients.terminate(session.handle)
        await self._link.order("unload-conn", {"name": config.CONNECTION})
        if self._loaded:
            former = self._loaded.pool
            await self._lay_routes(replace(self._loaded, pool=(), routes=()), former)

    async def _lay_routes(self, settings: Settings, former: tuple[IPv4Network, ...]) -> None:
        if not self._charon.datapath.userspace:
            return
        placement = self._context.placement
        await asyncio.to_thread(
            datapath.lay_routes,
            pool=settings.pool,
            former=former,
            selectors=settings.routes,
            source=placement.privateIPAddress,
        )
