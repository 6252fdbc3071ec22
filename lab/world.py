"""The interfaces that a check uses: the lab, its computers and servers, and a step's outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lab.merge import Change, differences
from lab.nodes.base import Node
from lab.topology.model.vocabulary import VpnProtocol
from lab.vpn_client import Connection, Dialled

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.common.rotation import Place
    from lab.pki.authority import Credential
    from lab.topology.model.persona import ClientSystem
    from lab.topology.model.steps import Fault
    from lab.topology.planning.plan import Plan
    from radius.reasons import Refusal


@dataclass(frozen=True)
class Changed:
    """What an operator changed in a gateway's document."""

    gateway: str
    fields: Mapping[str, Change]
    """Of its `properties`, by their paths, such as `sku.name`."""

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Changed:
        """By two documents of one gateway."""
        fields = differences(before["properties"], after["properties"])
        fields.pop("provisioningState", None)
        return cls(after["name"], fields)


@dataclass(frozen=True)
class Outcome:
    """The result of one step: whether it held, one line why, the evidence."""

    held: bool
    detail: str
    evidence: dict[str, Any] = field(default_factory=dict)
    explanation: dict[str, Any] | None = None
    """Of a step that did not hold (lab.explain)."""
    changed: Changed | None = None
    """In a gateway's document."""
    idle: bool = False
    """There was nothing to do: it is no deed."""


@dataclass(frozen=True)
class Deed:
    """What an operator, a user or a fault did in the lab."""

    at: float
    """Seconds since the epoch."""
    verb: str
    """A word of `expect:`."""
    subject: str
    text: str
    """The step in a line."""
    effect: str
    """What it did."""
    place: str = ""
    """Of a fault: where, if that was said."""
    changed: Changed | None = None
    """In a gateway's document."""

    def change(self, gateway: str, path: str) -> Change | None:
        """What it changed a field of a gateway's `properties` from and to; None: it did not."""
        own = self.changed and self.changed.gateway == gateway
        return self.changed.fields.get(path) if self.changed and own else None


class GatewayHandle(Protocol):
    """A gateway as its operator sees it: only the HTTP API."""

    name: str

    async def get(self) -> dict[str, Any]:
        """The desired state, without secrets."""

    async def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Replace the desired state; GatewayRefusedError with Azure's error document."""

    async def bgp_peers(self) -> list[dict[str, Any]]:
        """Rows of getBgpPeerStatus."""

    async def learned_routes(self) -> list[dict[str, Any]]:
        """Rows of getLearnedRoutes."""

    async def sessions(self) -> list[dict[str, Any]]:
        """Rows of getVpnClientConnectionHealth."""

    async def log(self) -> list[dict[str, Any]]:
        """P2SDiagnosticLog records, oldest first."""

    async def runtime(self) -> dict[str, Any]:
        """Engines with their daemons and datapaths; the gateway's memory in bytes."""

    async def connections(self) -> dict[str, dict[str, Any]]:
        """All site-to-site connections, by name."""

    async def delete(self, kind: str, name: str) -> None:
        """DELETE one of `connections` or `localNetworkGateways`."""

    async def exists(self) -> bool:
        """Whether there is a gateway: a document was PUT, and not deleted since."""

    async def reset(self) -> None:
        """ARM's reset: all sessions end, tunnels are set up anew."""

    async def delete_gateway(self) -> None:
        """DELETE the gateway; all its sessions end."""

    async def connection(self, name: str) -> dict[str, Any]:
        """A site-to-site connection (ARM's document) with its status and counters."""

    async def local_network_gateway(self, name: str) -> dict[str, Any]:
        """ARM's document of the other side of a site's connection."""

    async def tunnel_log(self) -> list[dict[str, Any]]:
        """TunnelDiagnosticLog records, oldest first."""

    async def disconnect(self, connection_ids: list[str]) -> None:
        """The action disconnectVirtualNetworkGatewayVpnConnections."""

    async def profile(self, wanted: dict[str, str] | None = None) -> bytes:
        """The VPN client configuration zip; `wanted` is the body of generatevpnprofile."""

    async def hold(self, protocol: VpnProtocol) -> None:
        """Stop the daemon of a protocol, which stays down until `release`. UsageError: there is
        none."""

    async def release(self, protocol: VpnProtocol) -> None:
        """Start it again; it is ready when this returns."""

    async def stop(self) -> None:
        """Switch its computer off."""

    async def begin(self) -> None:
        """Switch it on again, with the documents that it had."""


OFF = (FileNotFoundError, ConnectionError)
"""What the API of a gateway raises that is switched off."""
End = tuple[str, int]
"""Public address and port of a connection, as a gateway sees it."""
Attempted = tuple[VpnProtocol, End, str]
"""An attempt to connect, with its time (attemptTime)."""


def end_of(row: Mapping[str, Any]) -> End:
    """The public end of a session or record of the gateway's; port 0 if it is not known."""
    port = row["publicPort"]
    return row["publicIpAddress"], int(port) if port.isdecimal() else 0


class VpnDevice(Protocol):
    """A site's VPN device, as its administrator sees it."""

    async def state(self) -> dict[str, Any]:
        """Its own view: {state: Connected | NotConnected, ingress, egress (bytes), proposals}."""

    async def configuration(self) -> dict[str, list[str]]:
        """How it is set up: {peers: addresses, local, remote: its selectors; agreed: those of the
        tunnel that stands, such as `192.168.50.0/24 === 10.1.0.0/16`}."""

    async def use_key(self, key: str | None = None) -> None:
        """Set the pre-shared key and end the tunnel; None: the right key."""


class ClientComputer(Protocol):
    """A client computer: dials its protocols in order, keeps at most one tunnel."""

    name: str
    node: Node
    access: Node
    own_gateway: GatewayHandle
    gateway: GatewayHandle
    """The one that it has dialled last; before, its own."""
    system: ClientSystem
    """Its operating system as it is now."""
    user: str
    """The user name at the gateway: the certificate's common name, or the RADIUS user."""
    thumbprint: str | None
    """SHA-1 of the user's certificate, upper-case hex."""
    certificates: Sequence[Credential]
    """All that are on the computer, first the one that it shows; without any it shows none."""
    dialled_until: float
    """When its last dial ended (time.monotonic); infinity during a dial."""
    session: str
    """The gateway's vpnConnectionId of the last dial's session, which may have ended; empty if that
    dial did not connect."""

    attempts: frozenset[Attempted]
    """Of its last dial, what was found to be its own: routers forget whose a connection was."""

    last_dial: Dialled | None
    """Its last dial that has ended, if any."""

    @property
    def package(self) -> bytes:
        """The VPN client package (zip) that its user got last from the gateway; empty: none."""

    @property
    def package_at(self) -> float:
        """When its user got it: seconds since the epoch."""

    @property
    def proxy(self) -> tuple[str, int] | None:
        """Address and port of the proxy through which it dials."""

    async def profile(self) -> bytes:
        """The VPN client package (zip) from the gateway, as this client asks for it."""

    async def take_profile(self) -> None:
        """Take the gateway's package of now, and dial with it from then on."""

    async def dial(
        self, over: VpnProtocol | None = None, *, to: GatewayHandle | None = None
    ) -> tuple[Connection, list[Exception]]:
        """Connect to its own gateway or to another, trying the protocols in order; the connection
        and the failures before it. The tunnel that stands ends first.

        RefusedError of the last protocol that could be dialled if none connects.
        """

    async def dial_again(self, over: VpnProtocol) -> bool:
        """Dial as before and hang up, leaving no trace in `last_dial`; False: it is connected or
        dialling, and was left alone."""

    async def made(self, protocol: VpnProtocol, ends: Collection[End]) -> set[End]:
        """Those of the connections, seen by the gateway in the last seconds, that are this
        computer's."""

    async def connection(self) -> Connection | None:
        """The current tunnel, if any."""

    async def hang_up(self) -> None:
        """End the tunnel."""

    async def restart(self) -> None:
        """Restart the computer: all programs end, and it dials nothing."""

    async def leased(self) -> list[str]:
        """The kernel's addresses besides the computer's own: a tunnel's, whoever made it."""

    async def install_updates(self) -> tuple[str, ...]:
        """Install the updates, set the registry values, and restart; what was missing."""

    async def rekey(self) -> None:
        """Renew the tunnel's keys."""

    async def ended(self, limit: float) -> str:
        """Wait up to `limit` seconds for the tunnel's end; the client program's message."""


class Daemon(Protocol):
    """A server that a fault can stop and start."""

    async def stop(self, limit: float = 5.0) -> int:
        """Stop it within `limit` seconds; its exit code."""

    async def begin(self) -> None:
        """Start it again; it serves when this returns."""


class RadiusServer(Daemon, Protocol):
    """A RADIUS server as its administrator sees it."""

    async def become(self, *, slow: float = 0.0, secret: str | None = None) -> None:
        """Restart with answers late by `slow` seconds or another shared secret; by default, with
        the original settings."""

    @property
    def asks(self) -> bool:
        """Whether it asks users for a second factor."""

    async def decide(self, user: str, *, approve: bool) -> int:
        """Send the user's answer to the second factor; UsageError if the user is not asked."""

    async def waiting(self) -> list[str]:
        """The users with a pending prompt; UsageError without a second factor."""

    @property
    def log(self) -> Path:
        """What its program logs; the second factor's is `push-proxy.log` beside it."""

    def own_logs(self) -> list[Path]:
        """Logs in its node's files, by the supervisor's paths."""

    def written(self) -> dict[Path, Place]:
        """The current end positions of its logs."""

    def refusal(
        self, user: str, then: Mapping[Path, Place], *, agreed: bool = False
    ) -> Refusal | None:
        """Its last refusal of this user in the logs after the positions `then`; if `agreed`, None
        where there are several reasons."""


class ActiveFaults(Protocol):
    """The active faults."""

    async def begin(self, step: Fault) -> str:
        """Begin a fault; a description of its effect. UsageError if it is already active."""

    async def end(self, name: str) -> None:
        """End a fault; UsageError if it is not active."""


class World(Protocol):
    """The parts of a lab that checks may use."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Every computer."""

    @property
    def clients(self) -> Mapping[str, ClientComputer]:
        """The client computers."""

    @property
    def gateways(self) -> Mapping[str, GatewayHandle]:
        """The gateways, as their operators see them."""

    async def create_gateway(self, name: str, properties: dict[str, Any]) -> None:
        """Create a gateway by its document of the plan, with `properties` merged into it, and its
        connections."""

    @property
    def devices(self) -> Mapping[str, VpnDevice]:
        """The VPN devices of sites with a connection, by site name."""

    @property
    def speakers(self) -> Mapping[str, Daemon]:
        """What speaks BGP at sites, by site name."""

    @property
    def radius(self) -> Mapping[str, RadiusServer]:
        """The RADIUS servers, by node name."""

    @property
    def directories(self) -> Mapping[str, Daemon]:
        """The domain controllers, by node name."""

    @property
    def past(self) -> list[Deed]:
        """What was done in the lab, oldest first."""

    @property
    def plan(self) -> Plan:
        """The plan that the lab was built from."""

    @property
    def faults(self) -> ActiveFaults:
        """The active faults."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Each node's name and the address at which others reach it."""


Work = Callable[[Any, World], Awaitable[Outcome]]
"""A function that executes one kind of step."""
