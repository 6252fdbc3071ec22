"""The vocabulary of `expect:`: checks, and actions between them, in order.

Each step is a mapping whose first key names it: `{connects: alice, over: IkeV2}`. YAML files,
pytest and the control socket all use these models; lab.checks executes them.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from lab.topology.model.values import (
    Address,
    DnsName,
    Duration,
    Mbps,
    Nodes,
    Port,
    Prefixes,
    Seconds,
    Target,
    Words,
)
from lab.topology.model.vocabulary import PACKETS, FaultName, Reason, VpnProtocol


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


PacketSize = Annotated[int, Field(strict=True, ge=PACKETS[0], le=PACKETS[-1])]
"""Bytes of an IP packet."""


class Connects(_Step):
    """The client dials, in its operating system's order, and is connected; so is one whose tunnel
    stands already, with a session at the gateway. A tunnel to another gateway ends before."""

    connects: str
    to: str | None = None
    """The gateway, in place of the client's own; later steps of the client are about this one,
    until it dials again."""
    over: VpnProtocol | None = None
    """The protocol of the tunnel; without `after`, only this protocol is dialled."""
    after: VpnProtocol | None = None
    """The protocol that was dialled first, and failed."""
    radius: str | None = None
    """The node name of the RADIUS server that accepted the client, from the gateway's log."""
    within: Seconds | None = None


class Refused(_Step):
    """The client dials and is not connected. The reason is that of this very dial, from the
    gateway's or the RADIUS server's log, or what the client program found out itself."""

    refused: str
    to: str | None = None
    """The gateway, in place of the client's own."""
    over: VpnProtocol | None = None
    because: Reason | None = None
    says: Words | None = None
    """A part of the client program's error message."""


class Reaches(_Step):
    """A node reaches another: `host` is a node of the lab, which must answer itself; `address` is
    any address or name, whoever answers."""

    reaches: str
    host: str | None = None
    address: Target | None = None
    port: Port | None = None
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    bytes: PacketSize | None = None
    """The size of the packet, which nobody may fragment; with ICMP only."""
    within: Seconds = 5.0


class CannotReach(_Step):
    """The opposite of `reaches`: `host` does not answer within the time, or nothing at
    `address`."""

    cannotReach: str
    host: str | None = None
    address: Target | None = None
    port: Port | None = None
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    bytes: PacketSize | None = None
    """The size of the packet, which nobody may fragment; with ICMP only."""
    within: Seconds = 1.0


class Resolves(_Step):
    """A node resolves a name, with its own resolver."""

    resolves: str
    name: DnsName
    to: Address | None = None


class CannotResolve(_Step):
    """A node's own resolver says that there is no such name; no answer is not enough."""

    cannotResolve: str
    name: DnsName


class NoCleartext(_Step):
    """While the client talks to `host` through its tunnel, its access link carries no cleartext."""

    noCleartext: str
    host: str
    port: Port = 80


class SurvivesRekey(_Step):
    """The tunnel is rekeyed under traffic, and no packet is lost."""

    survivesRekey: str
    host: str


class Disconnected(_Step):
    """The client, which was connected, loses its tunnel within the time, whichever side closes
    it."""

    disconnected: str
    within: Seconds = 2.0
    because: Words | None = None
    """A part of the reason in the gateway's record of this session's end."""


class StaysDisconnected(_Step):
    """The client does not reconnect by itself for that time."""

    staysDisconnected: str
    seconds: Seconds = Field(default=2.0, alias="for")


class Tunnel(_Step):
    """The gateway of a site's tunnel, or both gateways of a VNet-to-VNet connection, report this
    status within the time."""

    tunnel: str
    is_: Literal["Connecting", "Connected", "NotConnected"] = Field(alias="is")
    within: Seconds = 10.0
    because: Words | None = None
    """A part of the reason in the gateway's TunnelDiagnosticLog."""


def _several(value: Any) -> Any:
    return value.split(", ") if isinstance(value, str) else value


class Bgp(_Step):
    """The gateway has accepted exactly these prefixes of what a site announces by BGP, within the
    time."""

    bgp: str
    """The site: a key of `sites`."""
    learns: Literal["nothing"] | Annotated[Prefixes, BeforeValidator(_several)]
    """Such as [192.168.50.0/24]."""
    within: Seconds = 15.0


class Throughput(_Step):
    """TCP from one or several computers at once to a host carries so many Mbit/s (iperf3), all
    connections together; what counts is what the receiving programs get."""

    throughput: Nodes
    """The computers: a name, or a list of names."""
    host: str
    direction: Literal["up", "down", "both"] = "up"
    """From the computers to the host, from the host to them, or both ways at once, added up."""
    of: str | None = None
    """The computer whose own part is compared; left out, all together."""
    atLeast: Mbps | None = None
    """Mbit/s."""
    atMost: Mbps | None = None
    """Mbit/s."""
    seconds: Annotated[Duration, Field(le=60)] = Field(default=5.0, alias="for")
    """How long it is measured."""
    connections: int = Field(default=1, ge=1, le=16)
    """TCP connections of each computer."""


class RadiusInTunnel(_Step):
    """While the client dials and a RADIUS server decides, the gateway sends no RADIUS packet in the
    clear to the Internet."""

    radiusInTunnel: str


class Revoke(_Step):
    """The operator adds the client's thumbprint to vpnClientRevokedCertificates."""

    revoke: str


class Reinstate(_Step):
    """The operator removes the client's thumbprint from the list."""

    reinstate: str


class Disconnect(_Step):
    """The operator disconnects the client (disconnectVirtualNetworkGatewayVpnConnections)."""

    disconnect: str


class HangUp(_Step):
    """The user of the client hangs up."""

    hangUp: str


class Restart(_Step):
    """The client computer restarts; or the operator restarts a gateway (ARM's reset): all its
    sessions end."""

    restart: str


class InstallUpdates(_Step):
    """The administrator of a Windows computer installs the updates that it lacks for the VPN, sets
    the registry values, and restarts it."""

    installUpdates: str


class SignIn(_Step):
    """The user of the client signs in at the captive portal of the access network, which answers
    any HTTP request with the way to its page."""

    signIn: str


class TakeProfile(_Step):
    """The user of the client takes a profile from the gateway and keeps it: later dials use this
    one, whatever the operator changes, until the user takes another. Without this step each dial
    takes a new one."""

    takeProfile: str


class Update(_Step):
    """The operator changes the gateway: `properties` is merged into its document (RFC 7396)."""

    update: str
    properties: dict[str, Any] = Field(repr=False)

    @property
    def gateway(self) -> str:
        """The gateway's name."""
        return self.update


class Delete(_Step):
    """The operator deletes the gateway, and its connections before it; all sessions end."""

    delete: str


class Create(_Step):
    """The operator creates a gateway anew that was deleted: its document of the file, into which
    `properties` is merged (RFC 7396), and its connections."""

    create: str
    properties: dict[str, Any] = Field(default={}, repr=False)

    @property
    def gateway(self) -> str:
        """The gateway's name."""
        return self.create


class Fault(_Step):
    """A fault begins. It lasts until `endFault` or for a time; the next steps run meanwhile."""

    fault: FaultName
    at: str | None = None
    """The site, connection, RADIUS server, gateway or access network, where there is more than
    one."""
    seconds: Duration | None = Field(default=None, alias="for")
    """How long it lasts, such as 20s; left out, until `endFault`."""
    by: Duration | None = None
    """The delay of radius-slow, such as 5s."""
    engine: VpnProtocol | None = None
    """The protocol of engine-down; charon, of IkeV2, has the site-to-site tunnels, too."""


class TimedFault(Fault):
    """A fault that begins at a set time, in a topology's `faults:`."""

    after: Duration | None = None
    """How long after the lab is ready it begins, such as 5s; left out, it begins at once."""


class EndFault(_Step):
    """A fault ends."""

    endFault: FaultName


class Approve(_Step):
    """A user approves the second factor on the phone; runs beside the steps before it."""

    approve: str
    """The user's name, without a domain."""
    after: Duration | None = None
    """How long the user takes, such as 5s."""
    within: Seconds = 30.0
    """How long to wait for the prompt, in seconds."""


class Deny(_Step):
    """The user denies the second factor."""

    deny: str
    """The user's name, without a domain."""
    after: Duration | None = None
    """How long the user takes, such as 5s."""
    within: Seconds = 30.0
    """How long to wait for the prompt, in seconds."""


CHECKS: tuple[type[_Step], ...] = (
    Connects, Refused, Reaches, CannotReach, Resolves, CannotResolve, NoCleartext, SurvivesRekey,
    Disconnected, StaysDisconnected, Tunnel, Bgp, Throughput, RadiusInTunnel,
)  # fmt: skip
ACTIONS: tuple[type[_Step], ...] = (
    Revoke, Reinstate, Disconnect, HangUp, Restart, InstallUpdates, SignIn, TakeProfile, Update,
    Delete, Create, Fault, EndFault,
)  # fmt: skip
SECOND_FACTOR: tuple[type[_Step], ...] = (Approve, Deny)
VERBS: dict[str, type[_Step]] = {
    next(iter(step.model_fields)): step for step in (*CHECKS, *ACTIONS, *SECOND_FACTOR)
}


def verb_of(value: Any) -> str | None:
    """The verb of a step: a key of the mapping, or the model's first field."""
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return next((key for key in keys if key in VERBS), None)


Step = Annotated[
    Annotated[Connects, Tag("connects")]
    | Annotated[Refused, Tag("refused")]
    | Annotated[Reaches, Tag("reaches")]
    | Annotated[CannotReach, Tag("cannotReach")]
    | Annotated[Resolves, Tag("resolves")]
    | Annotated[CannotResolve, Tag("cannotResolve")]
    | Annotated[NoCleartext, Tag("noCleartext")]
    | Annotated[SurvivesRekey, Tag("survivesRekey")]
    | Annotated[Disconnected, Tag("disconnected")]
    | Annotated[StaysDisconnected, Tag("staysDisconnected")]
    | Annotated[Tunnel, Tag("tunnel")]
    | Annotated[Bgp, Tag("bgp")]
    | Annotated[Throughput, Tag("throughput")]
    | Annotated[RadiusInTunnel, Tag("radiusInTunnel")]
    | Annotated[Revoke, Tag("revoke")]
    | Annotated[Reinstate, Tag("reinstate")]
    | Annotated[Disconnect, Tag("disconnect")]
    | Annotated[HangUp, Tag("hangUp")]
    | Annotated[Restart, Tag("restart")]
    | Annotated[InstallUpdates, Tag("installUpdates")]
    | Annotated[SignIn, Tag("signIn")]
    | Annotated[TakeProfile, Tag("takeProfile")]
    | Annotated[Update, Tag("update")]
    | Annotated[Delete, Tag("delete")]
    | Annotated[Create, Tag("create")]
    | Annotated[Fault, Tag("fault")]
    | Annotated[EndFault, Tag("endFault")]
    | Annotated[Approve, Tag("approve")]
    | Annotated[Deny, Tag("deny")],
    Discriminator(verb_of),
]


def text_of(step: BaseModel) -> str:
    """A step in one line for reports: `alice connects over IkeV2`."""
    fields = without_secrets(step.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    (verb, subject), *rest = (
        (key, ", ".join(value) if isinstance(value, list) else value)
        for key, value in fields.items()
    )
    words = [
        word
        for key, value in rest
        for word in (key, _short(value) if isinstance(value, dict) else str(value))
    ]
    spaced = re.sub("(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", verb)
    first = (subject, spaced) if isinstance(step, CHECKS) else (spaced, subject)
    return " ".join([*first, *words])


def _short(document: Any) -> str:
    """JSON in which certificates are cut off."""
    return re.sub(r'"([^"]{40})[^"]{200,}"', r'"\1..."', json.dumps(document))


def without_secrets(document: Any) -> Any:
    """An ARM document, or a patch to one, without the shared secrets of RADIUS servers."""
    if isinstance(document, dict):
        return {
            key: "(secret)" if key.endswith("Secret") else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [without_secrets(value) for value in document]
    return document


Steps: TypeAdapter[list[Step]] = TypeAdapter(list[Step], config=ConfigDict(defer_build=True))
