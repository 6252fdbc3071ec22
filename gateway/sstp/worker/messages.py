"""What the gateway and its SSTP worker tell each other: one JSON object a message, bounded.

A call is one TCP connection; its number is the worker's.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gateway.common.vocabulary import Reason
from gateway.unprivileged.messages import Message, Secret, Word

Method = Literal["EAP", "MS-CHAPv2", "PAP"]


# ------------------------------------------------------------------------------ who asks to come in


class MsChapV2Given(Message):
    """RFC 2759."""

    method: Literal["MS-CHAPv2"] = "MS-CHAPv2"
    user: Word
    authenticator_challenge: Secret
    peer_challenge: Secret
    nt_response: Secret
    identifier: int


class PapGiven(Message):
    """RFC 1334."""

    method: Literal["PAP"] = "PAP"
    user: Word
    password: Annotated[str, Field(repr=False, max_length=512)]


class EapGiven(Message):
    """One EAP-Response, for whoever checks it; `speaks` as "EAP-TLS", "" in the identity round.
    `room`: bytes that the next Request may have."""

    method: Literal["EAP"] = "EAP"
    packet: Secret
    identity: Word | None
    speaks: Word = ""
    room: Annotated[int, Field(ge=64, le=4096)] = 1500


Attempt = Annotated[MsChapV2Given | PapGiven | EapGiven, Field(discriminator="method")]


# ------------------------------------------------------------------------------ worker to gateway


class Configured(Message):
    """`Configure` with this number is in force. `kept`: of root's rights, what could not be given
    up."""

    kind: Literal["configured"] = "configured"
    number: int
    kept: Word = ""


class Asked(Message):
    """May this peer in? Answered by Admitted, Denied or Continue."""

    kind: Literal["asked"] = "asked"
    call: int
    address: Word
    attempt: Attempt


class Opened(Message):
    """An admitted call is bound and has its address; packets go."""

    kind: Literal["opened"] = "opened"
    call: int
    binding: Word


class Closed(Message):
    """A call that was asked about is no more."""

    kind: Literal["closed"] = "closed"
    call: int
    why: Word


class Refused(Message):
    """For the log: somebody was turned away."""

    kind: Literal["refused"] = "refused"
    reason: Reason
    message: Word
    address: Word
    user: Word = ""
    thumbprint: Word = ""
    radius_server: Word = ""


class Noted(Message):
    """For the log: something about the worker."""

    kind: Literal["noted"] = "noted"
    message: Word


class Traffic(Message):
    """What one call has carried; `out` is to the client, bytes are of IP packets."""

    call: int
    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int


class Counts(Message):
    """The answer to Report."""

    kind: Literal["counts"] = "counts"
    traffic: tuple[Traffic, ...]
    totals: dict[str, int]


class Pong(Message):
    """The answer to Ping."""

    kind: Literal["pong"] = "pong"


FromWorker = Annotated[
    Configured | Asked | Opened | Closed | Refused | Noted | Counts | Pong,
    Field(discriminator="kind"),
]


# ------------------------------------------------------------------------------ gateway to worker


class Configure(Message):
    """The desired state, for calls that begin from now on."""

    kind: Literal["configure"] = "configure"
    number: int
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    methods: tuple[Method, ...]


class Busy(Message):
    """Whether new calls are to be turned away with HTTP 503."""

    kind: Literal["busy"] = "busy"
    busy: bool


class Key(Message):
    """A key that the crypto binding may be made with (gateway.ppp.keys)."""

    form: Literal["specification", "pppd", "none"]
    key: Secret


class Admitted(Message):
    """Let it in with this address. `text`: what the client is told."""

    kind: Literal["admitted"] = "admitted"
    call: int
    address: IPv4Address
    keys: tuple[Key, ...] = ()
    text: Annotated[str, Field(repr=False)] = ""
    eap: Secret = b""


class Denied(Message):
    """Turn it away. `error`: RFC 2759 section 6; `retry`: it may try again on the same call;
    `text`: what the client itself is told, None: the message. `user`, `thumbprint`: who it is,
    where the worker cannot know. `radius_server`: the address of the one that refused."""

    kind: Literal["denied"] = "denied"
    call: int
    reason: Reason
    message: str
    error: int = 691
    retry: bool = False
    eap: Secret = b""
    text: str | None = None
    user: str = ""
    thumbprint: str = ""
    radius_server: str = ""


class Continue(Message):
    """The next EAP-Request. `reason` and `message`: what it will have been where the client says
    nothing more, since it carries a TLS alert."""

    kind: Literal["continue"] = "continue"
    call: int
    eap: Secret
    reason: Reason | None = None
    message: str = ""


class End(Message):
    """Hang up; the worker answers Closed as soon as no packet of the call passes any more."""

    kind: Literal["end"] = "end"
    call: int
    why: str


class Report(Message):
    """Tell the counts."""

    kind: Literal["report"] = "report"


class Ping(Message):
    """Is the worker's loop still going round? Answered by Pong."""

    kind: Literal["ping"] = "ping"


ToWorker = Annotated[
    Configure | Busy | Admitted | Denied | Continue | End | Report | Ping,
    Field(discriminator="kind"),
]

FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(FromWorker)
TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)
