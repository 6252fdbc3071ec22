"""The gateway's one charon: point-to-site IKEv2 and site-to-site share it.

IKE has one port per host, so both need the same daemon. It runs while it has tenants; each tenant
loads its configuration whenever charon has started.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Protocol

from gateway.charon import config, datapath
from gateway.charon.vici_link import ViciLink
from gateway.common.files import write_private
from gateway.common.waiting import wait_until
from gateway.daemons.daemon import Daemon, Program
from gateway.daemons.hold import Hold

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.common.errors import GatewayError
    from gateway.policy.diagnostics import DiagnosticLog

START_LIMIT = 5.0
"""Seconds for charon to open its socket (measured: 0.02)."""


class Tenant(Protocol):
    """A user of charon: point-to-site or site-to-site."""

    async def load(self) -> None:
        """Load this tenant's configuration: charon has started without it."""

    def on_event(self, name: str, message: dict[str, Any]) -> None:
        """A vici event, which may concern another tenant."""

    def gone(self, error: GatewayError) -> None:
        """charon has died, and with it all security associations."""


class Charon:
    """The daemon and the link to it."""

    def __init__(self, state: Path, log: DiagnosticLog, hold: Hold | None = None) -> None:
        """`hold`: keeps charon down; None: nothing does."""
        self._state = state
        self._log = log
        self._hold = hold or Hold()
        self._tenants: list[Tenant] = []
        self._loaded: set[Tenant] = set()
        self._loading = asyncio.Lock()
        self._daemon: Daemon | None = None
        self._datapath: datapath.Datapath | None = None
        self._relay: config.RelayAddress | None = None
        self.link = ViciLink(state / "vici.sock")
        self.peers: frozenset[str] = frozenset()
        """Addresses of site-to-site devices."""

    @property
    def running(self) -> bool:
        """Whether charon is ready."""
        return self._daemon is not None and self._daemon.state == "running"

    @property
    def state(self) -> str:
        """The state of the supervised daemon."""
        return self._daemon.state if self._daemon else "stopped"

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._daemon.pid if self._daemon else None

    @property
    def restarts(self) -> int:
        """How often charon was restarted."""
        return self._daemon.restarts if self._daemon else 0

    @property
    def statistics(self) -> dict[str, int]:
        """IKE_SAs, half-open IKE_SAs and waiting jobs, as of the last heartbeat."""
        found = self.link.statistics
        queues = found.get("queues", {}).values()
        values = {f"ike-sas: {name}": value for name, value in found.get("ikesas", {}).items()}
        return {name: int(value) for name, value in values.items()} | {
            "jobs waiting": sum(map(int, queues))
        }

    @property
    def death(self) -> str:
        """How charon last died."""
        return self._daemon.death if self._daemon else ""

    @property
    def datapath(self) -> datapath.Datapath:
        """Where ESP is processed: in the kernel or in userspace."""
        if self._datapath is None:
            self._datapath = datapath.find()
        return self._datapath

    async def join(self, tenant: Tenant) -> None:
        """Run for this tenant, too; return when its configuration is loaded. EngineError: that
        failed, and is retried in the background."""
        if tenant not in self._tenants:
            self._tenants.append(tenant)
        if self._daemon is None:
            self._daemon = Daemon(self._program())
        await self._daemon.start()
        await self._load(tenant)

    async def use_relay(self, relay: config.RelayAddress) -> None:
        """Use this RADIUS server from now on."""
        self._relay = relay
        if self.running:
            self._write_settings()
            await self.link.order("reload-settings")

    async def leave(self, tenant: Tenant) -> None:
        """Remove this tenant; the daemon is stopped when the last one leaves."""
        if tenant in self._tenants:
            self._tenants.remove(tenant)
        self._loaded.discard(tenant)
        if not self._tenants and self._daemon:
            daemon, self._daemon = self._daemon, None
            await daemon.stop()
            self.link.close()

    # ------------------------------------------------------------------------------- the daemon

    def _program(self) -> Program:
        return Program(
            name="charon",
            argv=("/usr/sbin/charon-systemd",),
            log=self._state / "charon.log",
            prepare=self._prepare,
            ready=self._ready,
            gone=self._gone,
            alive=self.link.alive,
            hold=self._hold,
            env={
                "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin"),
                "STRONGSWAN_CONF": str(self._state / "strongswan.conf"),
                "TZ": "UTC",  # for dates of certificates in its log
            },
        )

    async def _prepare(self) -> None:
        (self._state / "vici.sock").unlink(missing_ok=True)
        self._write_settings()

    def _write_settings(self) -> None:
        userspace = self.datapath.userspace
        text = config.strongswan_conf(self._state, userspace=userspace, relay=self._relay)
        write_private(self._state / "strongswan.conf", text)

    async def _ready(self) -> None:
        async def connected() -> bool:
            await self.link.connect(self._on_event)
            return True

        await wait_until("charon's vici socket", START_LIMIT, connected)
        self._loaded.clear()
        for tenant in list(self._tenants):
            await self._load(tenant)

    async def _load(self, tenant: Tenant) -> None:
        """Load a tenant's configuration, once per start of the daemon."""
        async with self._loading:
            if tenant in self._tenants and tenant not in self._loaded:
                await tenant.load()
                self._loaded.add(tenant)

    async def _gone(self, error: GatewayError) -> None:
        self.link.close()
        self._loaded.clear()
        self._log.add("engine", "IkeV2", error.message)
        for tenant in list(self._tenants):
            tenant.gone(error)

    def _on_event(self, name: str, message: dict[str, Any]) -> None:
        for tenant in list(self._tenants):
            tenant.on_event(name, message)
