"""Messages between the gateway and gateway.eap_tls.worker, on gateway.unprivileged.channel.

A conversation is one client's EAP exchange; the gateway assigns its number. `number` identifies a
request outside conversations.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gateway.common.vocabulary import Reason
from gateway.unprivileged.messages import Message, Secret, Word

Certificate = Annotated[bytes, Field(max_length=16384)]
LONGEST_PACKET = 4096
"""Maximum bytes of one EAP packet."""
ROOM = 1310
"""Maximum bytes of a Request: EAP's header plus the Framed-MTU that Azure sends in RADIUS."""
Packet = Annotated[bytes, Field(repr=False, max_length=LONGEST_PACKET)]


# ------------------------------------------------------------------------------ gateway to worker


class Configure(Message):
    """The uploaded roots (DER), for conversations from now on. Answered by Configured."""

    kind: Literal["configure"] = "configure"
    number: int
    roots: tuple[bytes, ...]


class Response(Message):
    """A client's EAP-Response; the first one begins the conversation. Answered by Request, Shown
    or Failed."""

    kind: Literal["response"] = "response"
    conversation: int
    packet: Packet
    room: Annotated[int, Field(ge=64)] = ROOM
    """Maximum bytes of the Request."""


class Forget(Message):
    """A conversation has ended. No answer."""

    kind: Literal["forget"] = "forget"
    conversation: int


class Look(Message):
    """Verify this chain (DER, the client's own first), of which the sender has seen proof of the
    key. Answered by Looked."""

    kind: Literal["look"] = "look"
    number: int
    chain: Annotated[tuple[Certificate, ...], Field(max_length=16)]


class Ping(Message):
    """A heartbeat. Answered by Pong."""

    kind: Literal["ping"] = "ping"
    number: int


ToWorker = Annotated[Configure | Response | Forget | Look | Ping, Field(discriminator="kind")]


# ------------------------------------------------------------------------------ worker to gateway


class Configured(Message):
    """`Configure` with this number is in force. `kept`: privileges that could not be dropped."""

    kind: Literal["configured"] = "configured"
    number: int
    kept: Word = ""


class Certified(Message):
    """The identity in a certificate, as far as it could be parsed; `root` only if it is valid."""

    user: Word = ""
    thumbprints: Annotated[tuple[Word, ...], Field(max_length=2)] = ()
    root: Word = ""


class Request(Message):
    """The next EAP-Request. `reason` and `message` explain a TLS alert in it, if any."""

    kind: Literal["request"] = "request"
    conversation: int
    packet: Packet
    reason: Reason | None = None
    message: Word = ""


class Shown(Message):
    """The client has proved the key of a valid certificate. `success` and `failure` are the EAP
    packets for admission and refusal."""

    kind: Literal["shown"] = "shown"
    conversation: int
    certificate: Certified
    msk: Secret
    success: Packet
    failure: Packet


class Failed(Message):
    """The conversation has failed; `packet` is the EAP-Failure."""

    kind: Literal["failed"] = "failed"
    conversation: int
    reason: Reason
    message: Word
    packet: Packet
    certificate: Certified = Certified()


class Looked(Message):
    """The verdict on a chain; `reason` None: it is valid."""

    kind: Literal["looked"] = "looked"
    number: int
    reason: Reason | None
    message: Word
    certificate: Certified = Certified()


class Pong(Message):
    """The answer to Ping."""

    kind: Literal["pong"] = "pong"
    number: int
    counts: dict[str, int]


FromWorker = Annotated[
    Configured | Request | Shown | Failed | Looked | Pong, Field(discriminator="kind")
]

TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)
FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(FromWorker)
