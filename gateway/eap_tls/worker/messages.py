"""What the gateway and gateway.eap_tls.worker tell each other, on gateway.unprivileged.channel.

A conversation is one client's EAP; its number is the gateway's. A question (`number`) is about a
chain whose key somebody else has seen proved.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gateway.common.vocabulary import Reason
from gateway.unprivileged.messages import Message, Secret, Word

Certificate = Annotated[bytes, Field(max_length=16384)]
LONGEST_PACKET = 4096
"""Bytes of one EAP packet."""
ROOM = 1310
"""Bytes of a Request: EAP's header and the Framed-MTU that Azure names to RADIUS servers."""
Packet = Annotated[bytes, Field(repr=False, max_length=LONGEST_PACKET)]


# ------------------------------------------------------------------------------ gateway to worker


class Configure(Message):
    """The uploaded roots (DER), for conversations that begin from now on."""

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
    """Bytes that the Request may have."""


class Forget(Message):
    """A conversation is over. No answer."""

    kind: Literal["forget"] = "forget"
    conversation: int


class Look(Message):
    """Judge this chain (DER, the client's own first). Answered by Looked."""

    kind: Literal["look"] = "look"
    number: int
    chain: Annotated[tuple[Certificate, ...], Field(max_length=16)]


class Ping(Message):
    """Answered by Pong: the worker is alive."""

    kind: Literal["ping"] = "ping"
    number: int


ToWorker = Annotated[Configure | Response | Forget | Look | Ping, Field(discriminator="kind")]


# ------------------------------------------------------------------------------ worker to gateway


class Configured(Message):
    """`Configure` with this number is in force. `kept`: what could not be given up."""

    kind: Literal["configured"] = "configured"
    number: int
    kept: Word = ""


class Certified(Message):
    """Whose certificate it is, as far as it could be read; `root` is there if it is good."""

    user: Word = ""
    thumbprints: Annotated[tuple[Word, ...], Field(max_length=2)] = ()
    root: Word = ""


class Request(Message):
    """The next EAP-Request. `refusal`: what its TLS alert is about, `reason` as elsewhere."""

    kind: Literal["request"] = "request"
    conversation: int
    packet: Packet
    reason: Reason | None = None
    message: Word = ""


class Shown(Message):
    """The client holds the key of a good certificate. `success` and `failure` are the EAP packets
    for when it is let in and when not."""

    kind: Literal["shown"] = "shown"
    conversation: int
    certificate: Certified
    msk: Secret
    success: Packet
    failure: Packet


class Failed(Message):
    """The conversation is over; `packet` is the EAP-Failure."""

    kind: Literal["failed"] = "failed"
    conversation: int
    reason: Reason
    message: Word
    packet: Packet
    certificate: Certified = Certified()


class Looked(Message):
    """About a chain; `reason` None: it is good."""

    kind: Literal["looked"] = "looked"
    number: int
    reason: Reason | None
    message: Word
    certificate: Certified = Certified()


class Pong(Message):
    """To Ping."""

    kind: Literal["pong"] = "pong"
    number: int
    counts: dict[str, int]


FromWorker = Annotated[
    Configured | Request | Shown | Failed | Looked | Pong, Field(discriminator="kind")
]

TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)
FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(FromWorker)
