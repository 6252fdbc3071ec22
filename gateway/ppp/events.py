"""What a link tells its owner, and what the owner answers."""

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
    """One EAP-Response for whoever checks it, whole.

    `method` is what the peer speaks, as "EAP-TLS" or "EAP-MSCHAPv2"; "" in the identity round.
    """

    packet: bytes = field(repr=False)
    identity: str | None
    method: str = ""
    room: int = 1500
    """Bytes that the next Request may have."""


Attempt = MsChapV2Attempt | PapAttempt | EapAttempt


@dataclass(frozen=True)
class Accept:
    """Let the peer in with this address.

    `keys`: as its method gives them; for PAP there are none. `message`: for MS-CHAPv2 the whole
    Success message beginning with "S=", else text for the user. `eap`: the EAP-Success.
    """

    address: IPv4Address
    keys: tuple[BindingKey, ...] = ()
    message: str = field(default="", repr=False)
    eap: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Refuse:
    """Turn the peer away. `error`: RFC 2759 section 6, 691 is a wrong name or password.

    `retry` (MS-CHAPv2): it may try again on the same link, up to chap.MOST_TRIES times in all.
    `text`: what the peer itself is told; None: the message.
    """

    reason: Reason
    message: str
    eap: bytes = b""
    error: int = 691
    retry: bool = False
    text: str | None = None

    @property
    def said(self) -> str:
        """What the peer itself is told, by methods that tell it anything."""
        return self.message if self.text is None else self.text


@dataclass(frozen=True)
class EapReply:
    """The next EAP-Request, whole. `silence`: reason and message where the peer says no more."""

    packet: bytes = field(repr=False)
    silence: tuple[Reason, str] | None = None


Verdict = Accept | Refuse | EapReply


@dataclass(frozen=True)
class Authenticated:
    """`keys`: those that a crypto binding may be made with. `method` as "EAP-TLS", "MS-CHAPv2"."""

    user: str
    method: str
    keys: tuple[BindingKey, ...]


@dataclass(frozen=True)
class AuthenticationFailed:
    """`reason`: of the Refuse, or "tls", "no-certificate", "password", "refused"."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class NetworkUp:
    """IPCP has opened; told once. `address` is the client's."""

    address: IPv4Address
    peer_mru: int


@dataclass(frozen=True)
class LinkDown:
    """The link has ended; nothing comes after it.

    `reason`: "timeout" where the peer did not answer; None where one of the ends left.
    """

    why: str
    reason: Reason | None = None


LinkEvent = Attempt | Authenticated | AuthenticationFailed | NetworkUp | LinkDown
