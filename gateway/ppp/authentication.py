"""What the protocols of authentication have in common, on either end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from gateway.common.vocabulary import Reason
from gateway.ppp.events import Verdict
from gateway.ppp.keys import BindingKey
from gateway.ppp.wire import Resend, Wire

RESEND = 3.0
"""Seconds before a request is sent again; as RFC 1661's restart timer."""
TRIES = 10
PATIENCE = 60.0
"""Seconds that a client waits for a server's next word: its RADIUS server may ask a person."""


@dataclass(frozen=True)
class Passed:
    """`address`: on the server's end, what the peer is given."""

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
    """One end of one protocol. `outcome` is set once; attempts go out as events of the wire."""

    def __init__(
        self, wire: Wire, protocol: int, *, interval: float = RESEND, tries: int = TRIES
    ) -> None:
        self.outcome: Passed | Failed | None = None
        self._silence: tuple[Reason, str] = "refused", "no answer"
        """Reason and message where the other end says nothing more."""
        self._wire = wire
        self.protocol = protocol
        self._resend = Resend(wire, protocol, interval=interval, tries=tries)

    @property
    def deadline(self) -> float | None:
        """When tick is wanted next."""
        return self._resend.deadline

    @abstractmethod
    def start(self, now: float) -> None:
        """LCP has opened."""

    @abstractmethod
    def receive(self, payload: bytes, now: float) -> None:
        """One packet of the protocol; what cannot be read is discarded."""

    @abstractmethod
    def answer(self, verdict: Verdict, now: float) -> None:
        """The verdict on the attempt that is pending (server's end)."""

    @abstractmethod
    def network_begins(self) -> None:
        """The other end has gone on to IPCP: it takes us for authenticated (client's end)."""

    def tick(self, now: float) -> None:
        """Send again, or give up."""
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
        """The peer is ahead of its time; it will ask again."""


class ClientEnd(Authentication):
    """The peer."""

    def answer(self, verdict: Verdict, now: float) -> None:
        """A peer has no attempts."""

    def network_begins(self) -> None:
        """Nothing: the server's Success has to prove that it knows the password."""
