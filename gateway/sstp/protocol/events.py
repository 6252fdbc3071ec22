"""What a call tells its owner, besides the attempts of its PPP link."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.common.vocabulary import Reason
from gateway.ppp.events import Attempt, EapAttempt
from gateway.sstp.protocol.binding import Bound


@dataclass(frozen=True)
class Requested:
    """The HTTP request was answered with 200. Empty strings where the peer named none."""

    correlation_id: str
    host: str


@dataclass(frozen=True)
class Connected:
    """Bound and IPCP open: IP may flow. Told once. `address` is the client's."""

    address: IPv4Address


@dataclass(frozen=True)
class Data:
    """An IP packet from the peer of an established call."""

    packet: bytes = field(repr=False)


@dataclass(frozen=True)
class Refused:
    """The peer was turned away before it was connected. Told at most once; Ended follows.

    `reason`: that of authentication, or "binding", "limit" (HTTP 503), "protocol" (what it sent is
    not HTTP, SSTP or PPP as it should be), "timeout". `user` is empty before it named itself.
    """

    reason: Reason
    message: str
    user: str = ""


@dataclass(frozen=True)
class Ended:
    """No IP flows any more; told once, last. The connection stays until `closed` is true."""

    why: str


CallEvent = Attempt | Requested | Bound | Connected | Data | Refused | Ended


def user_of(attempt: Attempt) -> str:
    """What the peer calls itself; empty where it has not said."""
    if isinstance(attempt, EapAttempt):
        return attempt.identity or ""
    return attempt.user
