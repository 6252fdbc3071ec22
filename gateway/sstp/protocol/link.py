"""What a call asks of its PPP link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from gateway.ppp.events import LinkEvent, Verdict


class CallLink(Protocol):
    """What a call asks of its end of the PPP link (gateway.ppp.link.Link)."""

    @property
    def network_open(self) -> bool:
        """IPCP has opened: IP may flow."""

    @property
    def peer_mru(self) -> int:
        """The largest IP packet that the peer takes."""

    @property
    def ip_header(self) -> bytes:
        """What stands before an IP packet to the peer."""

    @property
    def address(self) -> IPv4Address | None:
        """The client's."""

    def open(self, now: float) -> None:
        """The layer below is up."""

    def receive(self, frame: bytes, now: float) -> None:
        """One frame."""

    def tick(self, now: float) -> None:
        """Timers."""

    def deadline(self) -> float | None:
        """When `tick` is wanted."""

    def outgoing(self) -> list[bytes]:
        """Take the frames to send."""

    def events(self) -> list[LinkEvent]:
        """Take the events."""

    def answer(self, verdict: Verdict, now: float) -> None:
        """The answer to the pending attempt."""

    def terminate(self, why: str, now: float) -> None:
        """Take the link down."""
