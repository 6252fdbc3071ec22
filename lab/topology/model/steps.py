"""The vocabulary of `expect:`: checks, and actions between them, in order.

Each step is a mapping whose first key names it: `{connects: alice, over: IkeV2}`. The models
here are what YAML, pytest and the control socket all speak; lab.checks carries them out.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from lab.topology.model.values import Duration
from lab.topology.model.vocabulary import FaultName, Reason, VpnProtocol

Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Connects(_Step):
    """The client dials, in its operating system's order, and is connected."""

    connects: str
    over: VpnProtocol | None = None
    """What must carry the tunnel; without `after`, it alone is dialled."""
    after: VpnProtocol | None = None
    """The protocol that was tried first, and failed."""
    radius: str | None = None
    """The RADIUS server that let it in, by the name of its node, as the gateway's log says."""
    within: Seconds | None = None


class Refused(_Step):
    """The client dials and is not connected."""

    refused: str
    over: VpnProtocol | None = None
    because: Reason | None = None
    says: str | None = None
    """A part of the client program's own message."""


class Reaches(_Step):
    """A node reaches another: `host` is a node of the lab, `address` any address or name."""

    reaches: str
    host: str | None = None
    address: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    within: Seconds = 5.0


class CannotReach(_Step):
    """The opposite of `reaches`; nothing answers within the time."""

    cannotReach: str
    host: str | None = None
    address: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    within: Seconds = 1.0


class Resolves(_Step):
    """A node resolves a name, with its own resolver."""

    resolves: str
    name: str
    to: str | None = None


class NoCleartext(_Step):
    """While the client talks to `host` through the tunnel, its access link shows none of it."""

    noCleartext: str
    host: str
    port: int = Field(default=80, ge=1, le=65535)


class SurvivesRekey(_Step):
    """Traffic goes on while the keys of the tunnel are renewed; no packet is lost."""

    survivesRekey: str
    host: str


class Disconnected(_Step):
    """The client has no tunnel: by itself or by the gateway, within the time."""

    disconnected: str
    within: Seconds = 2.0
    because: str | None = None
    """A part of what the gateway's log gives as the reason."""


class StaysDisconnected(_Step):
    """Nothing connects the client again by itself for that time."""

    staysDisconnected: str
    seconds: Seconds = Field(default=2.0, alias="for")


class Tunnel(_Step):
    """A site's tunnel is in this state, as its gateway says, within the time."""

    tunnel: str
    is_: Literal["Connecting", "Connected", "NotConnected"] = Field(alias="is")
    within: Seconds = 10.0
    because: str | None = None
    """A part of what the gateway's TunnelDiagnosticLog gives as the reason."""


class RadiusInTunnel(_Step):
    """While the client dials, its gateway's Internet side shows no RADIUS packet in the clear."""

    radiusInTunnel: str


class Revoke(_Step):
    """The operator adds the client's thumbprint to vpnClientRevokedCertificates."""

    revoke: str


class Reinstate(_Step):
    """The operator takes the client's thumbprint off the list again."""

    reinstate: str


class Disconnect(_Step):
    """The operator disconnects the client (disconnectVirtualNetworkGatewayVpnConnections)."""

    disconnect: str


class HangUp(_Step):
    """The user of the client hangs up."""

    hangUp: str


class Restart(_Step):
    """The client computer restarts."""

    restart: str


class Update(_Step):
    """The operator changes the gateway: `properties` is merged into its document (RFC 7396)."""

    update: str
    properties: dict[str, Any] = Field(repr=False)


class Fault(_Step):
    """Something goes wrong: until `endFault`, or for a time, while the next steps go on."""

    fault: FaultName
    at: str | None = None
    """The site or the gateway, where there is more than one."""
    seconds: Duration | None = Field(default=None, alias="for")
    """After how long it ends by itself, such as 20s."""
    by: Duration | None = None
    """Of radius-slow: by how much, such as 5s."""


class TimedFault(Fault):
    """The same by the clock, in a topology's `faults:`."""

    after: Duration | None = None
    """How long after the lab is ready it begins, such as 5s; left out, it is there at once."""


class EndFault(_Step):
    """What was wrong is put right."""

    endFault: FaultName


class Approve(_Step):
    """A user says yes on the telephone when the second factor asks; beside the steps before it."""

    approve: str
    """The user's name, without a domain."""
    after: Duration | None = None
    """How long the user takes, such as 5s."""
    within: Seconds = 30.0
    """Within how many seconds the user has to be asked."""


class Deny(_Step):
    """The user says no."""

    deny: str
    """The user's name, without a domain."""
    after: Duration | None = None
    """How long the user takes, such as 5s."""
    within: Seconds = 30.0
    """Within how many seconds the user has to be asked."""


CHECKS: tuple[type[_Step], ...] = (
    Connects, Refused, Reaches, CannotReach, Resolves, NoCleartext, SurvivesRekey, Disconnected,
    StaysDisconnected, Tunnel, RadiusInTunnel,
)  # fmt: skip
ACTIONS: tuple[type[_Step], ...] = (
    Revoke, Reinstate, Disconnect, HangUp, Restart, Update, Fault, EndFault,
)  # fmt: skip
TELEPHONE: tuple[type[_Step], ...] = (Approve, Deny)
VERBS: dict[str, type[_Step]] = {
    next(iter(step.model_fields)): step for step in (*CHECKS, *ACTIONS, *TELEPHONE)
}


def verb_of(value: Any) -> str | None:
    """The word that names the step: a key of the mapping, or the model's first field."""
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return next((key for key in keys if key in VERBS), None)


Step = Annotated[
    Annotated[Connects, Tag("connects")]
    | Annotated[Refused, Tag("refused")]
    | Annotated[Reaches, Tag("reaches")]
    | Annotated[CannotReach, Tag("cannotReach")]
    | Annotated[Resolves, Tag("resolves")]
    | Annotated[NoCleartext, Tag("noCleartext")]
    | Annotated[SurvivesRekey, Tag("survivesRekey")]
    | Annotated[Disconnected, Tag("disconnected")]
    | Annotated[StaysDisconnected, Tag("staysDisconnected")]
    | Annotated[Tunnel, Tag("tunnel")]
    | Annotated[RadiusInTunnel, Tag("radiusInTunnel")]
    | Annotated[Revoke, Tag("revoke")]
    | Annotated[Reinstate, Tag("reinstate")]
    | Annotated[Disconnect, Tag("disconnect")]
    | Annotated[HangUp, Tag("hangUp")]
    | Annotated[Restart, Tag("restart")]
    | Annotated[Update, Tag("update")]
    | Annotated[Fault, Tag("fault")]
    | Annotated[EndFault, Tag("endFault")]
    | Annotated[Approve, Tag("approve")]
    | Annotated[Deny, Tag("deny")],
    Discriminator(verb_of),
]


def text_of(step: BaseModel) -> str:
    """A step in one line, as people and reports say it: `alice connects over IkeV2`."""
    said = without_secrets(step.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    (verb, subject), *rest = said.items()
    words = [
        word
        for key, value in rest
        for word in (key, json.dumps(value) if isinstance(value, dict) else str(value))
    ]
    spoken = re.sub("(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", verb)
    first = (subject, spoken) if isinstance(step, CHECKS) else (spoken, subject)
    return " ".join([*first, *words])


def without_secrets(document: Any) -> Any:
    """A document of Azure's, or a change to one, without the shared secrets of RADIUS servers."""
    if isinstance(document, dict):
        return {
            key: "(secret)" if key.endswith("Secret") else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [without_secrets(value) for value in document]
    return document


Steps: TypeAdapter[list[Step]] = TypeAdapter(list[Step], config=ConfigDict(defer_build=True))
