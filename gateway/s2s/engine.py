"""Site-to-site tunnels, in the charon that also serves point-to-site.

Each connection has a keeper, which checks whether its tunnel is up and initiates it if it is not.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.charon import datapath
from gateway.charon import vici_messages as vici
from gateway.charon.config import SITE_TO_SITE
from gateway.common.errors import EngineError, GatewayError
from gateway.s2s import config
from gateway.s2s.keeper import Keeper

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network

    from gateway.arm.connections import ConnectionStatus
    from gateway.arm.placement import Placement
    from gateway.charon.daemon import Charon
    from gateway.policy.diagnostics import TunnelLog
    from gateway.s2s.config import Tunnel


@dataclass(frozen=True)
class TunnelReport:
    """ARM's report on a connection: status, and bytes from (ingress) and to the site."""

    status: ConnectionStatus
    ingress: int
    egress: int


class SiteToSite:
    """All tunnels of the gateway."""

    def __init__(self, placement: Placement, charon: Charon, log: TunnelLog) -> None:
        self._placement = placement
        self._charon = charon
        self._log = log
        self._keepers: dict[str, Keeper] = {}
        self._laid: tuple[IPv4Network, ...] = ()
        self._loaded = False

    async def configure(self, tunnels: tuple[Tunnel, ...]) -> None:
        """Have exactly these tunnels; unchanged ones stay up.

        Returns when charon has loaded them, not when they are up.
        """
        wanted = {tunnel.connection: tunnel for tunnel in tunnels}
        self._charon.peers = frozenset(str(tunnel.peer) for tunnel in tunnels)
        changed = [name for name, k in self._keepers.items() if wanted.get(name) != k.tunnel]
        await asyncio.gather(*(self._drop(self._keepers.pop(name)) for name in changed))
        fresh = [name for name in wanted if name not in self._keepers]
        for name in fresh:
            self._keepers[name] = Keeper(wanted[name], self._charon, self._log)
        if not wanted:
            await self._lay_routes()
            self._loaded = False
            await self._charon.leave(self)
        elif self._loaded and self._charon.running:
            await self._load(fresh)
        else:
            await self._charon.join(self)

    async def stop(self) -> None:
        """End all tunnels."""
        await self.configure(())

    async def report(self, name: str) -> TunnelReport:
        """The report on the connection with this ARM name."""
        keeper = self._keepers.get(f"{SITE_TO_SITE}{name}")
        if keeper is None:
            return TunnelReport("Unknown", 0, 0)
        if self._loaded and self._charon.running:
            with suppress(EngineError):  # then the counters are the last known ones
                await keeper.look()
        return TunnelReport(keeper.status, keeper.bytes_in, keeper.bytes_out)

    def status(self, name: str) -> ConnectionStatus:
        """The last known status of the connection with this ARM name."""
        keeper = self._keepers.get(f"{SITE_TO_SITE}{name}")
        return keeper.status if keeper else "Unknown"

    def prefixes(self, name: str) -> tuple[IPv4Network, ...]:
        """The prefixes behind the connection with this ARM name."""
        keeper = self._keepers.get(f"{SITE_TO_SITE}{name}")
        return keeper.tunnel.prefixes if keeper else ()

    def reaches(self, address: IPv4Address) -> str | None:
        """The name of the connection whose site contains the address; None: no site does."""
        for keeper in self._keepers.values():
            if any(address in prefix for prefix in keeper.tunnel.prefixes):
                return keeper.tunnel.name
        return None

    # ------------------------------------------------------------------------- charon's tenant

    async def load(self) -> None:
        """charon has started: load everything."""
        await self._load(list(self._keepers))
        self._loaded = True

    def on_event(self, name: str, message: dict[str, Any]) -> None:
        """Wake the keepers of tunnels that an event concerns."""
        for event in vici.event(name, message):
            match event:
                case vici.UpDown():
                    self._wake(tuple(sa.connection for sa in event.sas))
                case vici.ChildUpDown():
                    self._wake(event.connections)
                case vici.ChildRekeyed() if event.connection in self._keepers:
                    self._keepers[event.connection].count((event.old,))

    def gone(self, error: GatewayError) -> None:
        """charon has died."""
        self._loaded = False
        for keeper in self._keepers.values():
            keeper.lost(error.message.splitlines()[0])

    def _wake(self, names: tuple[str, ...]) -> None:
        for name in names:
            if name in self._keepers:
                self._keepers[name].wake()

    # -------------------------------------------------------------------- charon's configuration

    async def _load(self, names: list[str]) -> None:
        link, public = self._charon.link, self._placement.publicIPAddress
        userspace = self._charon.datapath.userspace
        await self._lay_routes()
        for name in names:
            tunnel = self._keepers[name].tunnel
            await link.order("load-shared", config.shared_key(tunnel, public))
            message = config.connection(tunnel, public, userspace=userspace)
            await link.order("load-conn", {name: message})
            self._keepers[name].begin()

    async def _drop(self, keeper: Keeper) -> None:
        await keeper.stop()
        if not self._charon.running:
            return
        name = keeper.tunnel.connection
        with suppress(EngineError):  # charon has died, and the tunnel with it
            await self._charon.link.order("unload-conn", {"name": name})
            await self._charon.link.order("unload-shared", {"id": name})
            await keeper.terminate()

    async def _lay_routes(self) -> None:
        """Route the sites' prefixes into the tunnels, or nowhere while a tunnel is down."""
        tunnels = [keeper.tunnel for keeper in self._keepers.values()]
        prefixes = tuple(dict.fromkeys(p for tunnel in tunnels for p in tunnel.prefixes))
        former = tuple(prefix for prefix in self._laid if prefix not in prefixes)
        fresh = tuple(prefix for prefix in prefixes if prefix not in self._laid)
        self._laid = prefixes
        if not prefixes and not former:
            return
        if not self._charon.datapath.userspace:
            await asyncio.to_thread(datapath.steer, fresh, former)
            return
        await asyncio.to_thread(datapath.fence, prefixes, former)
        if self._charon.running or prefixes:
            await asyncio.to_thread(
                datapath.lay_routes,
                pool=prefixes,
                former=former,
                selectors=tuple(dict.fromkeys(p for tunnel in tunnels for p in tunnel.local)),
                source=self._placement.privateIPAddress,
            )
