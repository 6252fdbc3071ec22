"""The interface of a VPN client program's driver, its connections and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lab.topology.model.vocabulary import Reason, VpnProtocol

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.common.rotation import Place


@dataclass(frozen=True)
class Connection:
    """A tunnel that is up, as the client computer sees it."""

    protocol: VpnProtocol
    address: str
    """The address from the pool."""
    interface: str
    seconds: float
    """From the start of the dial to the tunnel's being up."""
    datapath: str
    """What forwards the packets: `kernel ESP`, `kernel-libipsec`, `OpenVPN (TUN)`, `PPP`."""
    said: tuple[str, ...] = ()
    """Log lines of the program as further evidence, such as those on the crypto binding."""


class RefusedError(Exception):
    """The tunnel did not come up: `reason` for programs, `message` from the client program."""

    def __init__(self, protocol: VpnProtocol, reason: Reason, message: str, seconds: float) -> None:
        super().__init__(f"{protocol}: {message}")
        self.protocol: VpnProtocol = protocol
        self.reason: Reason = reason
        self.message = message
        self.seconds = seconds


class NotDialledError(RefusedError):
    """The computer has no means to dial: its profile lacks the protocol, or its user the proof."""


@dataclass(frozen=True)
class Dialled:
    """A dial that has ended: what was tried, and what came of it."""

    began: str
    """UTC, as the gateway's records have it."""
    at: float
    """The same in seconds since the epoch."""
    failures: tuple[RefusedError, ...] = ()
    written: Mapping[str, Mapping[Path, Place]] = field(default_factory=dict)
    """The ends of the RADIUS servers' logs before it, by node."""
    connection: Connection | None = None


class Driver(Protocol):
    """Drives one real VPN program on one client computer."""

    protocol: VpnProtocol

    async def connect(self) -> Connection:
        """Dial once; RefusedError if it does not come up."""

    async def disconnect(self) -> None:
        """Disconnect as the user would; does nothing if there is no tunnel."""

    async def connection(self) -> Connection | None:
        """The current tunnel according to the program, if any."""

    async def rekey(self) -> None:
        """Rekey the tunnel; returns when the new keys are in use."""

    async def ended(self, limit: float) -> str:
        """Wait up to `limit` seconds for the tunnel's end; the program's message. TimeoutError."""
