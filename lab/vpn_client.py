"""What a driver of a VPN client program offers, and how a refusal is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.topology.model.vocabulary import Reason, VpnProtocol


@dataclass(frozen=True)
class Connection:
    """A tunnel that is up, as the client computer sees it."""

    protocol: VpnProtocol
    address: str
    """The address from the pool."""
    interface: str
    seconds: float
    """From dialling to tunnel up."""
    datapath: str
    """What carries the packets: `kernel ESP`, `kernel-libipsec`, `OpenVPN (TUN)`, `PPP`."""
    said: tuple[str, ...] = ()
    """Lines of the program that prove more than that it is up, such as the crypto binding."""


class RefusedError(Exception):
    """The tunnel did not come up; `reason` for the machine, `message` is the client's own words."""

    def __init__(self, protocol: VpnProtocol, reason: Reason, message: str, seconds: float) -> None:
        super().__init__(f"{protocol}: {message}")
        self.protocol: VpnProtocol = protocol
        self.reason: Reason = reason
        self.message = message
        self.seconds = seconds


class Driver(Protocol):
    """Drives one real VPN program on one client computer."""

    protocol: VpnProtocol

    async def connect(self) -> Connection:
        """Dial once; RefusedError if it does not come up."""

    async def disconnect(self) -> None:
        """Hang up, as the user would; nothing happens if there is no tunnel."""

    async def connection(self) -> Connection | None:
        """The tunnel as it is now, asked of the program."""

    async def rekey(self) -> None:
        """Renew the keys of the tunnel; returns when the new ones are in use."""

    async def ended(self, limit: float) -> str:
        """Wait until the tunnel is down and say why, in the program's words; TimeoutError."""
