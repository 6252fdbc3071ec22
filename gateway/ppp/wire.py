"""Shared by the protocols of one link: outgoing frames, events, randomness, retransmission."""

from __future__ import annotations

from collections.abc import Callable

from gateway.ppp import frames
from gateway.ppp.events import Attempt, LinkEvent

Entropy = Callable[[int], bytes]

MOST_OUTGOING = 64
"""Maximum frames not yet taken. Further ones are lost, which PPP tolerates (RFC 1661 4.6)."""


class Wire:
    """The output of a link."""

    def __init__(self, entropy: Entropy) -> None:
        self.entropy = entropy
        self.outgoing: list[bytes] = []
        self.events: list[LinkEvent] = []
        self.asked = False
        """Whether an attempt waits for its verdict."""

    def send(self, protocol: int, packet: bytes) -> None:
        """Queue one frame."""
        if len(self.outgoing) < MOST_OUTGOING:
            self.outgoing.append(frames.join(protocol, packet))

    def emit(self, event: LinkEvent) -> None:
        """Queue one event."""
        self.events.append(event)

    def ask(self, attempt: Attempt) -> None:
        """Queue an attempt; there is only one at a time."""
        self.asked = True
        self.events.append(attempt)


class Resend:
    """A request that is retransmitted until it is answered or the tries are used up."""

    def __init__(self, wire: Wire, protocol: int, *, interval: float, tries: int) -> None:
        self._wire = wire
        self._protocol = protocol
        self._interval = interval
        self._tries = tries
        self._left = 0
        self._packet = b""
        self.deadline: float | None = None

    def send(self, packet: bytes, now: float) -> None:
        """Send a new request."""
        self._packet, self._left = packet, self._tries
        self._again(now)

    def wait(self, now: float, limit: float) -> None:
        """Wait `limit` seconds for the other end, without sending."""
        self._left, self.deadline = 0, now + limit

    def stop(self) -> None:
        """Stop: the request is answered."""
        self.deadline = None

    def tick(self, now: float) -> bool:
        """Retransmit if due; False: the last try was not answered."""
        if self.deadline is None or now < self.deadline:
            return True
        if self._left == 0:
            self.stop()
            return False
        self._again(now)
        return True

    def _again(self, now: float) -> None:
        self._left -= 1
        self.deadline = now + self._interval
        self._wire.send(self._protocol, self._packet)
