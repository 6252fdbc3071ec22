"""A call's events, besides the attempts of its PPP link."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.common.vocabulary import Reason
from gateway.ppp.events import Attempt, EapAttempt
from gateway.sstp.protocol.binding import Bound


@dataclass(frozen=True)
class Requested:
    """The HTTP request was answered with 200. Fields are empty if the peer sent none."""

    correlation_id: str
    host: str


@dataclass(frozen=True)
class Connected:
    """The call is bound and IPCP open: IP may flow. Emitted once. `address` is the client's."""

    address: IPv4Address


@dataclass(frozen=True)
class Data:
    """An IP packet from the peer of an established call."""

    packet: bytes = field(repr=False)


@dataclass(frozen=True)
class Refused:
    """The peer was refused before it was connected. Emitted at most once; Ended follows.

    `reason`: authentication's, or "binding", "limit" (HTTP 503), "protocol" (it violated HTTP, SSTP
    or PPP), "timeout". `user` is empty if the peer has not named itself.
    """

    reason: Reason
    message: str
    user: str = ""


@dataclass(frozen=True)
class Ended:
    """The call carries no more IP; emitted once, last. The connection stays until `closed`."""

    why: str


CallEvent = Attempt | Requested | Bound | Connected | Data | Refused | Ended


def user_of(attempt: Attempt) -> str:
    """The peer's claimed name; empty if it has sent none."""
    if isinstance(attempt, EapAttempt):
        return attempt.identity or ""
    return attempt.user
