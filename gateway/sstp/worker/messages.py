"""Messages between the gateway and its SSTP worker: one bounded JSON object each.

A call is one TCP connection; the worker assigns its number.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gateway.common.vocabulary import Reason
from gateway.unprivileged.messages import Message, Secret, Word

Method = Literal["EAP", "MS-CHAPv2", "PAP"]


# ------------------------------------------------------------------------ authentication attempts


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
    """One EAP-Response to be checked. `speaks`: the method, such as "EAP-TLS"; "" in the identity
    round. `room`: maximum bytes of the next Request."""

    method: Literal["EAP"] = "EAP"
    packet: Secret
    identity: Word | None
    speaks: Word = ""
    room: Annotated[int, Field(ge=64, le=4096)] = 1500


Attempt = Annotated[MsChapV2Given | PapGiven | EapGiven, Field(discriminator="method")]


# ------------------------------------------------------------------------------ worker to gateway


class Configured(Message):
    """`Configure` with this number is in force. `kept`: privileges that could not be dropped."""

    kind: Literal["configured"] = "configured"
    number: int
    kept: Word = ""


class Asked(Message):
    """Asks whether to admit this peer. Answered by Admitted, Denied or Continue. `began`: when the
    connection was accepted (gateway.policy.diagnostics.now)."""

    kind: Literal["asked"] = "asked"
    call: int
    address: Word
    port: Word = ""
    began: Word = ""
    attempt: Attempt


class Opened(Message):
    """An admitted call is bound and has its address; it carries packets."""

    kind: Literal["opened"] = "opened"
    call: int
    binding: Word


class Closed(Message):
    """A call for which there was an Asked has ended."""

    kind: Literal["closed"] = "closed"
    call: int
    why: Word


class Refused(Message):
    """For the log: a peer was refused. `began` as in Asked."""

    kind: Literal["refused"] = "refused"
    reason: Reason
    message: Word
    address: Word
    port: Word = ""
    began: Word = ""
    user: Word = ""
    thumbprint: Word = ""
    radius_server: Word = ""


class Noted(Message):
    """For the log: a message about the worker."""

    kind: Literal["noted"] = "noted"
    message: Word


class Traffic(Message):
    """The traffic of one call; `out` is to the client, bytes are those of IP packets."""

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
    """The desired state, for calls from now on. Answered by Configured."""

    kind: Literal["configure"] = "configure"
    number: int
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    methods: tuple[Method, ...]


class Busy(Message):
    """Whether new calls are to be refused with HTTP 503."""

    kind: Literal["busy"] = "busy"
    busy: bool


class Key(Message):
    """A key allowed for the crypto binding (gateway.ppp.keys)."""

    form: Literal["specification", "pppd", "none"]
    key: Secret


class Admitted(Message):
    """Admit the peer with this address. `text`: the text for the client."""

    kind: Literal["admitted"] = "admitted"
    call: int
    address: IPv4Address
    keys: tuple[Key, ...] = ()
    text: Annotated[str, Field(repr=False)] = ""
    eap: Secret = b""


class Denied(Message):
    """Refuse the peer. `error`: RFC 2759 section 6; `retry`: it may try again on the same call;
    `text`: the text for the client, None: the message. `user`, `thumbprint`: the peer's identity,
    if the worker cannot know it. `radius_server`: the address of the one that refused."""

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
    """The next EAP-Request. `reason` and `message`: the refusal to log if the client does not
    answer, because the Request contains a TLS alert."""

    kind: Literal["continue"] = "continue"
    call: int
    eap: Secret
    reason: Reason | None = None
    message: str = ""


class End(Message):
    """End the call. Answered by Closed as soon as the call carries no more packets."""

    kind: Literal["end"] = "end"
    call: int
    why: str


class Report(Message):
    """Asks for the counters. Answered by Counts."""

    kind: Literal["report"] = "report"


class Ping(Message):
    """A heartbeat. Answered by Pong."""

    kind: Literal["ping"] = "ping"


ToWorker = Annotated[
    Configure | Busy | Admitted | Denied | Continue | End | Report | Ping,
    Field(discriminator="kind"),
]

FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(FromWorker)
TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)
