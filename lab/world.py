"""What a check sees of the lab, and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lab.nodes.base import Node
from lab.topology.model.vocabulary import VpnProtocol
from lab.vpn_client import Connection

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.common.rotation import Place
    from lab.topology.model.steps import Fault
    from lab.topology.planning.plan import Plan
    from radius.reasons import Refusal


@dataclass(frozen=True)
class Outcome:
    """The answer to one step: whether it held, one line why, what was measured and quoted."""

    held: bool
    detail: str
    evidence: dict[str, Any] = field(default_factory=dict)


class GatewayHandle(Protocol):
    """A gateway as its operator holds it: the HTTP API and nothing else."""

    name: str

    async def get(self) -> dict[str, Any]:
        """The desired state, without secrets."""

    async def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Replace the desired state; GatewayRefusedError with Azure's error document."""

    async def sessions(self) -> list[dict[str, Any]]:
        """Rows of getVpnClientConnectionHealth."""

    async def log(self) -> list[dict[str, Any]]:
        """P2SDiagnosticLog records, oldest first."""

    async def runtime(self) -> dict[str, Any]:
        """Engines with their daemons and datapaths; the memory of the gateway, bytes."""

    async def connection(self, name: str) -> dict[str, Any]:
        """A site-to-site connection (ARM's document) with its status and counters."""

    async def tunnel_log(self) -> list[dict[str, Any]]:
        """TunnelDiagnosticLog records, oldest first."""

    async def disconnect(self, connection_ids: list[str]) -> None:
        """The action disconnectVirtualNetworkGatewayVpnConnections."""

    async def profile(self, wanted: dict[str, str] | None = None) -> bytes:
        """The VPN client configuration zip; `wanted` is the body of generatevpnprofile."""


class VpnDevice(Protocol):
    """A site's VPN device, as its own administrator holds it."""

    async def state(self) -> dict[str, Any]:
        """Its own view: {state: Connected | NotConnected, ingress, egress} (bytes)."""

    async def use_key(self, key: str | None = None) -> None:
        """Put in a pre-shared key and end the tunnel; None: the right one."""


class ClientComputer(Protocol):
    """A client computer: dials its protocols in order, keeps at most one tunnel."""

    name: str
    node: Node
    access: Node
    gateway: GatewayHandle
    user: str
    """Whom the gateway sees: the common name of the user's certificate."""
    thumbprint: str | None
    """SHA-1 of the user's certificate, upper-case hex."""
    serial: str | None
    """The certificate's serial number, decimal."""

    async def dial(self, over: VpnProtocol | None = None) -> tuple[Connection, list[Exception]]:
        """Connect, trying in order; the failures before it. RefusedError of the last if none."""

    async def connection(self) -> Connection | None:
        """The tunnel as it is now."""

    async def hang_up(self) -> None:
        """End the tunnel."""

    async def restart(self) -> None:
        """Restart the computer: programs gone, nothing dialled."""

    async def rekey(self) -> None:
        """Renew the tunnel's keys."""

    async def ended(self, limit: float) -> str:
        """Wait for the tunnel's end; the client program's words."""


class Daemon(Protocol):
    """What may be away for a while."""

    async def stop(self, limit: float = 5.0) -> int:
        """End it."""

    async def begin(self) -> None:
        """Start it again; it serves when this returns."""


class RadiusServer(Daemon, Protocol):
    """A RADIUS server as its own administrator holds it."""

    async def become(self, *, slow: float = 0.0, secret: str | None = None) -> None:
        """Start anew, answering late by so many seconds or having another shared secret; without
        one, as it was at first."""

    @property
    def asks(self) -> bool:
        """Whether it has users asked on the telephone."""

    async def decide(self, user: str, *, approve: bool) -> int:
        """The user's word on the telephone; UsageError when nothing is asked of that user."""

    async def waiting(self) -> list[str]:
        """The users whose approval is waited for; UsageError where there is no second factor."""

    def written(self) -> dict[Path, Place]:
        """How far its logs are."""

    def refusal(self, user: str, then: Mapping[Path, Place]) -> Refusal | None:
        """Why it refused this user at last, since its logs were as far as that."""


class ActiveFaults(Protocol):
    """What is wrong on purpose, and how that begins and ends."""

    async def begin(self, step: Fault) -> str:
        """Begin it; what was done, in words. UsageError if it is there already."""

    async def end(self, name: str) -> None:
        """Put right what is wrong; UsageError if it is not there."""


class World(Protocol):
    """Everything that checks may touch."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Every computer."""

    @property
    def clients(self) -> Mapping[str, ClientComputer]:
        """The client computers."""

    @property
    def gateways(self) -> Mapping[str, GatewayHandle]:
        """The gateways, as their operators hold them."""

    @property
    def devices(self) -> Mapping[str, VpnDevice]:
        """The VPN devices of sites that have a connection, by the site's name."""

    @property
    def radius(self) -> Mapping[str, RadiusServer]:
        """The RADIUS servers, by the names of their nodes."""

    @property
    def directories(self) -> Mapping[str, Daemon]:
        """The domain controllers, by the names of their nodes."""

    @property
    def plan(self) -> Plan:
        """What was built."""

    @property
    def faults(self) -> ActiveFaults:
        """What is wrong on purpose."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Name of a node to the address by which others reach it."""


Work = Callable[[Any, World], Awaitable[Outcome]]
"""What carries out one kind of step."""
