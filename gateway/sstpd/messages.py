"""What the gateway and its SSTP worker tell each other: one JSON object a message, bounded.

The worker reads strangers' bytes, so the gateway believes no more of it than these forms say.
Bytes are Base64. A call is one TCP connection; its number is the worker's.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.vocabulary import Reason

Word = Annotated[str, Field(max_length=512)]
"""Text that may have come from a stranger; whoever sends it cuts it (`cut`)."""
Secret = Annotated[bytes, Field(repr=False, max_length=4096)]
Method = Literal["EAP", "MS-CHAPv2", "PAP"]


class _Message(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


# ------------------------------------------------------------------------------ who asks to come in


class CertificateShown(_Message):
    """A certificate whose key the peer holds and which leads to an uploaded root."""

    method: Literal["certificate"] = "certificate"
    user: Word
    thumbprint: Word
    root: Word


class MsChapV2Given(_Message):
    """RFC 2759."""

    method: Literal["MS-CHAPv2"] = "MS-CHAPv2"
    user: Word
    authenticator_challenge: Secret
    peer_challenge: Secret
    nt_response: Secret
    identifier: int


class PapGiven(_Message):
    """RFC 1334."""

    method: Literal["PAP"] = "PAP"
    user: Word
    password: Annotated[str, Field(repr=False, max_length=512)]


class EapGiven(_Message):
    """One EAP-Response, for a RADIUS server; `speaks` as "EAP-TLS", "" in the identity round."""

    method: Literal["EAP"] = "EAP"
    packet: Secret
    identity: Word | None
    speaks: Word = ""


Attempt = Annotated[
    CertificateShown | MsChapV2Given | PapGiven | EapGiven, Field(discriminator="method")
]


# ------------------------------------------------------------------------------ worker to gateway


class Configured(_Message):
    """`Configure` with this number is in force. `kept`: of root's rights, what could not be given
    up."""

    kind: Literal["configured"] = "configured"
    number: int
    kept: Word = ""


class Asked(_Message):
    """May this peer in? Answered by Admitted, Denied or Continue."""

    kind: Literal["asked"] = "asked"
    call: int
    address: Word
    attempt: Attempt


class Opened(_Message):
    """An admitted call is bound and has its address; packets go."""

    kind: Literal["opened"] = "opened"
    call: int
    binding: Word


class Closed(_Message):
    """A call that was asked about is no more."""

    kind: Literal["closed"] = "closed"
    call: int
    why: Word


class Refused(_Message):
    """For the log: somebody was turned away."""

    kind: Literal["refused"] = "refused"
    reason: Reason
    message: Word
    address: Word
    user: Word = ""
    thumbprint: Word = ""


class Noted(_Message):
    """For the log: something about the worker."""

    kind: Literal["noted"] = "noted"
    message: Word


class Traffic(_Message):
    """What one call has carried; `out` is to the client, bytes are of IP packets."""

    call: int
    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int


class Counts(_Message):
    """The answer to Report."""

    kind: Literal["counts"] = "counts"
    traffic: tuple[Traffic, ...]
    totals: dict[str, int]


class Pong(_Message):
    """The answer to Ping."""

    kind: Literal["pong"] = "pong"


FromWorker = Annotated[
    Configured | Asked | Opened | Closed | Refused | Noted | Counts | Pong,
    Field(discriminator="kind"),
]


# ------------------------------------------------------------------------------ gateway to worker


class Configure(_Message):
    """The desired state, for calls that begin from now on. Roots are DER."""

    kind: Literal["configure"] = "configure"
    number: int
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    roots: tuple[bytes, ...]
    methods: tuple[Method, ...]
    eap: Literal["tls", "pass-through"]


class Busy(_Message):
    """Whether new calls are to be turned away with HTTP 503."""

    kind: Literal["busy"] = "busy"
    busy: bool


class Key(_Message):
    """A key that the crypto binding may be made with (gateway.ppp.keys)."""

    form: Literal["specification", "pppd", "none"]
    key: Secret


class Admitted(_Message):
    """Let it in with this address. `text`: what the client is told."""

    kind: Literal["admitted"] = "admitted"
    call: int
    address: IPv4Address
    keys: tuple[Key, ...] = ()
    text: Annotated[str, Field(repr=False)] = ""
    eap: Secret = b""


class Denied(_Message):
    """Turn it away. `error`: RFC 2759 section 6; `retry`: it may try again on the same call;
    `text`: what the client itself is told, None: the message."""

    kind: Literal["denied"] = "denied"
    call: int
    reason: Reason
    message: str
    error: int = 691
    retry: bool = False
    eap: Secret = b""
    text: str | None = None


class Continue(_Message):
    """The RADIUS server's next EAP-Request."""

    kind: Literal["continue"] = "continue"
    call: int
    eap: Secret


class End(_Message):
    """Hang up; the worker answers Closed as soon as no packet of the call passes any more."""

    kind: Literal["end"] = "end"
    call: int
    why: str


class Report(_Message):
    """Tell the counts."""

    kind: Literal["report"] = "report"


class Ping(_Message):
    """Is the worker's loop still going round? Answered by Pong."""

    kind: Literal["ping"] = "ping"


ToWorker = Annotated[
    Configure | Busy | Admitted | Denied | Continue | End | Report | Ping,
    Field(discriminator="kind"),
]

FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(FromWorker)
TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)


def cut(text: str) -> str:
    """As a Word: printable, and not too long."""
    return "".join(c if c.isprintable() else " " for c in text[:512])
