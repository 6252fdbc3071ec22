"""Messages between the gateway and gateway.eap_tls.worker, on gateway.unprivileged.channel.

A conversation is one client's EAP exchange; the gateway assigns its number. `number` identifies a
request outside conversations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gateway.common.vocabulary import Reason
from gateway.unprivileged.messages import Message, Part, Secret, Word, decoder, secret

if TYPE_CHECKING:
    from msgspec.json import Decoder

Certificate = Annotated[bytes, Meta(max_length=16384)]
LONGEST_PACKET = 4096
"""Maximum bytes of one EAP packet."""
ROOM = 1310
"""Maximum bytes of a Request: EAP's header plus the Framed-MTU that Azure sends in RADIUS."""
Packet = Annotated[bytes, secret(LONGEST_PACKET)]


# ------------------------------------------------------------------------------ gateway to worker


class Configure(Message):
    """The uploaded roots (DER), for conversations from now on. Answered by Configured."""

    number: int
    roots: tuple[bytes, ...]


class Response(Message):
    """A client's EAP-Response; the first one begins the conversation. Answered by Request, Shown
    or Failed."""

    conversation: int
    packet: Packet
    room: Annotated[int, Meta(ge=64)] = ROOM
    """Maximum bytes of the Request."""


class Forget(Message):
    """A conversation has ended. No answer."""

    conversation: int


class Look(Message):
    """Verify this chain (DER, the client's own first), of which the sender has seen proof of the
    key. Answered by Looked."""

    number: int
    chain: Annotated[tuple[Certificate, ...], Meta(max_length=16)]


class Ping(Message):
    """A heartbeat. Answered by Pong."""

    number: int


ToWorker = Configure | Response | Forget | Look | Ping


# ------------------------------------------------------------------------------ worker to gateway


class Configured(Message):
    """`Configure` with this number is in force. `kept`: privileges that could not be dropped."""

    number: int
    kept: Word = ""


class Certified(Part):
    """The identity in a certificate, as far as it could be parsed; `root` only if it is valid."""

    user: Word = ""
    thumbprints: Annotated[tuple[Word, ...], Meta(max_length=2)] = ()
    root: Word = ""


class Request(Message):
    """The next EAP-Request. `reason` and `message` explain a TLS alert in it, if any."""

    conversation: int
    packet: Packet
    reason: Reason | None = None
    message: Word = ""


class Shown(Message):
    """The client has proved the key of a valid certificate. `success` and `failure` are the EAP
    packets for admission and refusal."""

    conversation: int
    certificate: Certified
    msk: Secret
    success: Packet
    failure: Packet


class Failed(Message):
    """The conversation has failed; `packet` is the EAP-Failure."""

    conversation: int
    reason: Reason
    message: Word
    packet: Packet
    certificate: Certified = Certified()


class Looked(Message):
    """The verdict on a chain; `reason` None: it is valid."""

    number: int
    reason: Reason | None
    message: Word
    certificate: Certified = Certified()


class Pong(Message):
    """The answer to Ping."""

    number: int
    counts: dict[str, int]


FromWorker = Configured | Request | Shown | Failed | Looked | Pong

TO_WORKER: Decoder[ToWorker] = decoder(ToWorker)
FROM_WORKER: Decoder[FromWorker] = decoder(FromWorker)
