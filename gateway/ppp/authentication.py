"""The base classes of authentication protocols, for both ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.common.vocabulary import Reason
from gateway.ppp.events import Verdict
from gateway.ppp.keys import BindingKey
from gateway.ppp.wire import Resend, Wire

RESEND = 3.0
"""Seconds until a request is retransmitted; like RFC 1661's restart timer."""
TRIES = 10
PATIENCE = 60.0
"""Seconds that a client waits for the server's next packet: its RADIUS server may ask a person."""


@dataclass(frozen=True)
class Passed:
    """`address`: at the server's end, the peer's address."""

    user: str
    method: str
    keys: tuple[BindingKey, ...] = field(repr=False)
    address: IPv4Address | None = None


@dataclass(frozen=True)
class Failed:
    """As in AuthenticationFailed."""

    reason: Reason
    message: str


class Authentication(ABC):
    """One end of one protocol. `outcome` is set once; attempts become events of the wire."""

    def __init__(
        self, wire: Wire, protocol: int, *, interval: float = RESEND, tries: int = TRIES
    ) -> None:
        self.outcome: Passed | Failed | None = None
        self._silence: tuple[Reason, str] = "refused", "no answer"
        """Reason and message if the other end does not answer any more."""
        self._wire = wire
        self.protocol = protocol
        self._resend = Resend(wire, protocol, interval=interval, tries=tries)

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called next; None: no timer is running."""
        return self._resend.deadline

    @abstractmethod
    def start(self, now: float) -> None:
        """Begin: LCP has opened."""

    @abstractmethod
    def receive(self, payload: bytes, now: float) -> None:
        """Handle one packet of the protocol; malformed packets are discarded."""

    @abstractmethod
    def answer(self, verdict: Verdict, now: float) -> None:
        """Handle the verdict on the pending attempt (server's end)."""

    @abstractmethod
    def network_begins(self) -> None:
        """The other end has begun IPCP, so it considers us authenticated (client's end)."""

    def tick(self, now: float) -> None:
        """Retransmit or give up, if due."""
        if not self._resend.tick(now):
            self._fail(*self._silence)

    def _pass(
        self,
        user: str,
        method: str,
        keys: tuple[BindingKey, ...],
        address: IPv4Address | None = None,
    ) -> None:
        self._resend.stop()
        self.outcome = self.outcome or Passed(user, method, keys, address)

    def _fail(self, reason: Reason, message: str) -> None:
        self._resend.stop()
        self.outcome = self.outcome or Failed(reason, message)


class ServerEnd(Authentication):
    """The authenticator."""

    def network_begins(self) -> None:
        """Ignore IPCP before authentication; the peer will retransmit."""


class ClientEnd(Authentication):
    """The peer."""

    def answer(self, verdict: Verdict, now: float) -> None:
        """Do nothing: the peer has no attempts."""

    def network_begins(self) -> None:
        """Do nothing: the server's Success must prove that it knows the password."""
