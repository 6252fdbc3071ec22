"""What every engine offers, and what the reconciler gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gateway.common.errors import EngineError
from gateway.common.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network
    from pathlib import Path

    from cryptography.x509 import Certificate

    from gateway.arm.placement import Placement
    from gateway.charon.daemon import Charon
    from gateway.common.vocabulary import VpnProtocol
    from gateway.eap_tls.service import EapTls
    from gateway.policy.admission import Admission
    from gateway.policy.diagnostics import DiagnosticLog
    from gateway.policy.radius_path import RadiusPath
    from gateway.policy.sessions import Session, Sessions


GOODBYE_LIMIT = 5.0
"""Seconds in which a session must end."""


@dataclass(frozen=True)
class Settings:
    """The part of the desired state that concerns one engine."""

    roots: tuple[Certificate, ...]
    pool: tuple[IPv4Network, ...]
    routes: tuple[IPv4Network, ...]
    """What clients send into the tunnel: the VNet's prefixes and custom routes."""
    dns: tuple[IPv4Address, ...]
    radius: bool = False
    """Whether RADIUS checks users, and not the roots."""


@dataclass(frozen=True)
class EngineContext:
    """What all engines share."""

    placement: Placement
    state: Path
    """A directory of the engine's own."""
    admission: Admission
    sessions: Sessions
    log: DiagnosticLog
    eap_tls: EapTls
    radius: RadiusPath
    charon: Charon
    """One for the whole gateway; site-to-site tunnels are its, too."""


@dataclass(frozen=True)
class EngineReport:
    """How an engine is doing."""

    protocol: VpnProtocol
    state: str
    pid: int | None
    restarts: int
    datapath: str
    counters: Mapping[str, int] = field(default_factory=dict)
    """What the daemon has counted, by words of its own, as of the last `refresh`."""
    death: str = ""
    """How the daemon last ended by itself."""

    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "protocol": self.protocol,
            "state": self.state,
            "pid": self.pid,
            "restarts": self.restarts,
            "datapath": self.datapath,
            "counters": dict(self.counters),
            "death": self.death,
        }


class Engine(Protocol):
    """One VPN protocol."""

    protocol: VpnProtocol

    async def configure(self, settings: Settings) -> None:
        """Start with these settings, or change to them; sessions they do not touch live on.

        EngineError, quoting the daemon, if it cannot.
        """

    async def stop(self) -> None:
        """End all sessions and the daemon."""

    async def disconnect(self, session: Session, why: str) -> None:
        """End a session and return when it is gone."""

    async def refresh(self) -> None:
        """Bring the sessions' counters up to date."""

    def report(self) -> EngineReport:
        """How it is doing."""


async def until_gone(sessions: Sessions, session: Session, limit: float = GOODBYE_LIMIT) -> None:
    """Wait until the daemon's event has taken the session out of the table."""
    what = f"{session.peer.protocol} session {session.id} to end"
    try:
        await wait_until(what, limit, lambda: sessions.get(session.id) is None)
    except TimeoutError as error:
        raise EngineError(str(error)) from error
