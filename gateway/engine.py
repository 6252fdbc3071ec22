"""The interface of engines, and what the reconciler passes to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gateway.common.errors import EngineError
from gateway.common.waiting import wait_until
from gateway.daemons.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network
    from pathlib import Path

    from cryptography.x509 import Certificate

    from gateway.arm.ipsec import IpsecPolicy
    from gateway.arm.placement import Placement
    from gateway.charon.daemon import Charon
    from gateway.common.vocabulary import VpnProtocol
    from gateway.eap_tls.service import EapTls
    from gateway.policy.admission import Admission
    from gateway.policy.diagnostics import DiagnosticLog
    from gateway.policy.radius_path import RadiusPath
    from gateway.policy.sessions import Session, Sessions


GOODBYE_LIMIT = 5.0
"""Seconds within which a session must end."""


@dataclass(frozen=True)
class Settings:
    """The part of the desired state that concerns one engine."""

    roots: tuple[Certificate, ...]
    pool: tuple[IPv4Network, ...]
    routes: tuple[IPv4Network, ...]
    """Destinations that clients send into the tunnel: the VNet's prefixes and custom routes."""
    dns: tuple[IPv4Address, ...]
    radius: bool = False
    """Whether users authenticate by RADIUS instead of by certificates."""
    ipsec: IpsecPolicy | None = None
    """The only algorithms of IKEv2; None: Azure's default ones."""

    @property
    def namesakes(self) -> bool:
        """Whether several of the roots have one name."""
        different = set(self.roots)
        return len({root.subject for root in different}) < len(different)


@dataclass(frozen=True)
class EngineContext:
    """What the reconciler provides to an engine."""

    placement: Placement
    state: Path
    """The engine's own directory."""
    admission: Admission
    sessions: Sessions
    log: DiagnosticLog
    eap_tls: EapTls
    radius: RadiusPath
    charon: Charon
    """The gateway's only charon, which also serves site-to-site tunnels."""
    hold: Hold = field(default_factory=Hold)
    """Keeps the engine's daemon down; charon has its own."""


@dataclass(frozen=True)
class EngineReport:
    """The state of an engine."""

    protocol: VpnProtocol
    state: str
    pid: int | None
    restarts: int
    datapath: str
    counters: Mapping[str, int] = field(default_factory=dict)
    """The daemon's counters under its own names, as of the last `refresh`."""
    death: str = ""
    """How the daemon last died."""

    def document(self) -> dict[str, Any]:
        """The report as JSON data."""
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
    """The implementation of one VPN protocol."""

    protocol: VpnProtocol

    async def configure(self, settings: Settings) -> None:
        """Start with these settings, or change to them; unaffected sessions stay up.

        EngineError: it failed; the message quotes the daemon.
        """

    async def stop(self) -> None:
        """End all sessions and stop the daemon."""

    async def disconnect(self, session: Session, why: str) -> None:
        """End a session and return when it has ended. EngineError: it did not end."""

    async def refresh(self) -> None:
        """Update the sessions' counters."""

    def report(self) -> EngineReport:
        """The engine's state."""


async def until_gone(sessions: Sessions, session: Session, limit: float = GOODBYE_LIMIT) -> None:
    """Wait until the daemon's event has removed the session. EngineError: not within `limit`."""
    what = f"{session.peer.protocol} session {session.id} to end"
    try:
        await wait_until(what, limit, lambda: sessions.get(session.id) is None)
    except TimeoutError as error:
        raise EngineError(str(error)) from error
