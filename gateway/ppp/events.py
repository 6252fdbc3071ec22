"""A link's events, and its owner's verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.common.vocabulary import Reason
from gateway.ppp.keys import BindingKey


@dataclass(frozen=True)
class MsChapV2Attempt:
    """RFC 2759 section 4. `user` may have a domain before a backslash."""

    user: str
    authenticator_challenge: bytes
    peer_challenge: bytes
    nt_response: bytes = field(repr=False)
    identifier: int


@dataclass(frozen=True)
class PapAttempt:
    """RFC 1334 section 2."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class EapAttempt:
    """One complete EAP-Response to be checked.

    `method`: the peer's method, such as "EAP-TLS" or "EAP-MSCHAPv2"; "" in the identity round.
    """

    packet: bytes = field(repr=False)
    identity: str | None
    method: str = ""
    room: int = 1500
    """Maximum bytes of the next Request."""


Attempt = MsChapV2Attempt | PapAttempt | EapAttempt


@dataclass(frozen=True)
class Accept:
    """Admit the peer with this address.

    `keys`: the method's keys; none for PAP. `message`: for MS-CHAPv2, the complete Success message
    beginning with "S="; otherwise text for the user. `eap`: the EAP-Success.
    """

    address: IPv4Address
    keys: tuple[BindingKey, ...] = ()
    message: str = field(default="", repr=False)
    eap: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Refuse:
    """Refuse the peer. `error`: RFC 2759 section 6, 691 is a wrong name or password.

    `retry` (MS-CHAPv2): it may try again on the same link, up to chap.MOST_TRIES times in all.
    `text`: the text for the peer; None: the message.
    """

    reason: Reason
    message: str
    eap: bytes = b""
    error: int = 691
    retry: bool = False
    text: str | None = None

    @property
    def text_for_peer(self) -> str:
        """The text for the peer, in methods that can send one."""
        return self.message if self.text is None else self.text


@dataclass(frozen=True)
class EapReply:
    """The next complete EAP-Request. `silence`: reason and message if the peer never answers it."""

    packet: bytes = field(repr=False)
    silence: tuple[Reason, str] | None = None


Verdict = Accept | Refuse | EapReply


@dataclass(frozen=True)
class Authenticated:
    """`keys`: those allowed for the crypto binding. `method`: such as "EAP-TLS", "MS-CHAPv2"."""

    user: str
    method: str
    keys: tuple[BindingKey, ...]


@dataclass(frozen=True)
class AuthenticationFailed:
    """`reason`: the Refuse's, or "tls", "no-certificate", "password", "refused"."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class NetworkUp:
    """IPCP has opened; emitted once. `address` is the client's."""

    address: IPv4Address
    peer_mru: int


@dataclass(frozen=True)
class LinkDown:
    """The link has ended; the last event.

    `reason`: "timeout" if the peer did not answer; None if one of the ends left.
    """

    why: str
    reason: Reason | None = None


LinkEvent = Attempt | Authenticated | AuthenticationFailed | NetworkUp | LinkDown
