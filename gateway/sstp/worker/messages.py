"""Messages between the gateway and its SSTP worker: one bounded JSON object each.

A call is one TCP connection; the worker assigns its number.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gateway.common.vocabulary import Reason
from gateway.unprivileged.messages import Message, Part, Secret, Word, decoder, secret
from radius.printable import LONGEST

if TYPE_CHECKING:
    from msgspec.json import Decoder

Method = Literal["EAP", "MS-CHAPv2", "PAP"]


# ------------------------------------------------------------------------ authentication attempts


class MsChapV2Given(Part, tag_field="method", tag="MS-CHAPv2"):
    """RFC 2759."""

    user: Word
    authenticator_challenge: Secret
    peer_challenge: Secret
    nt_response: Secret
    identifier: int


class PapGiven(Part, tag_field="method", tag="PAP"):
    """RFC 1334."""

    user: Word
    password: Annotated[str, secret(LONGEST)]


class EapGiven(Part, tag_field="method", tag="EAP"):
    """One EAP-Response to be checked. `speaks`: the method, such as "EAP-TLS"; "" in the identity
    round. `room`: maximum bytes of the next Request."""

    packet: Secret
    identity: Word | None
    speaks: Word = ""
    room: Annotated[int, Meta(ge=64, le=4096)] = 1500


Attempt = MsChapV2Given | PapGiven | EapGiven


# ------------------------------------------------------------------------------ worker to gateway


class Configured(Message):
    """`Configure` with this number is in force. `kept`: privileges that could not be dropped."""

    number: int
    kept: Word = ""


class Asked(Message):
    """Asks whether to admit this peer. Answered by Admitted, Denied or Continue. `began`: when the
    connection was accepted (gateway.policy.diagnostics.now)."""

    call: int
    address: Word
    attempt: Attempt
    port: Word = ""
    began: Word = ""


class Opened(Message):
    """An admitted call is bound and has its address; it carries packets."""

    call: int
    binding: Word


class Closed(Message):
    """A call for which there was an Asked has ended."""

    call: int
    why: Word


class Refused(Message):
    """For the log: a peer was refused. `began` as in Asked."""

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

    message: Word


class Traffic(Part):
    """The traffic of one call; `out` is to the client, bytes are those of IP packets."""

    call: int
    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int


class Counts(Message):
    """The answer to Report."""

    traffic: tuple[Traffic, ...]
    totals: dict[str, int]


class Pong(Message):
    """The answer to Ping."""


FromWorker = Configured | Asked | Opened | Closed | Refused | Noted | Counts | Pong


# ------------------------------------------------------------------------------ gateway to worker


class Configure(Message):
    """The desired state, for calls from now on. Answered by Configured."""

    number: int
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    methods: tuple[Method, ...]


class Busy(Message):
    """Whether new calls are to be refused with HTTP 503."""

    busy: bool


class Key(Part):
    """A key allowed for the crypto binding (gateway.ppp.keys)."""

    form: Literal["specification", "pppd", "none"]
    key: Secret


class Admitted(Message):
    """Admit the peer with this address. `text`: the text for the client."""

    call: int
    address: IPv4Address
    keys: tuple[Key, ...] = ()
    text: Annotated[str, secret()] = ""
    eap: Secret = b""


class Denied(Message):
    """Refuse the peer. `error`: RFC 2759 section 6; `retry`: it may try again on the same call;
    `text`: the text for the client, None: the message. `user`, `thumbprint`: the peer's identity,
    if the worker cannot know it. `radius_server`: the address of the one that refused."""

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

    call: int
    eap: Secret
    reason: Reason | None = None
    message: str = ""


class End(Message):
    """End the call. Answered by Closed as soon as the call carries no more packets."""

    call: int
    why: str


class Report(Message):
    """Asks for the counters. Answered by Counts."""


class Ping(Message):
    """A heartbeat. Answered by Pong."""


ToWorker = Configure | Busy | Admitted | Denied | Continue | End | Report | Ping

FROM_WORKER: Decoder[FromWorker] = decoder(FromWorker)
TO_WORKER: Decoder[ToWorker] = decoder(ToWorker)
