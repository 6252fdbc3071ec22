"""The PPP link's interface for a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from gateway.ppp.events import LinkEvent, Verdict


class CallLink(Protocol):
    """A call's end of the PPP link (gateway.ppp.link.PppLink)."""

    @property
    def network_open(self) -> bool:
        """Whether IPCP has opened, and IP packets may flow."""

    @property
    def peer_mru(self) -> int:
        """The largest IP packet that the peer accepts."""

    @property
    def ip_header(self) -> bytes:
        """The PPP header of IP packets to the peer."""

    @property
    def address(self) -> IPv4Address | None:
        """The client's address; None: not assigned yet."""

    def open(self, now: float) -> None:
        """Begin: the lower layer is up."""

    def receive(self, frame: bytes, now: float) -> None:
        """Handle one frame from the peer."""

    def tick(self, now: float) -> None:
        """Run the timers that are due."""

    def deadline(self) -> float | None:
        """When `tick` must be called next; None: no timer is running."""

    def outgoing(self) -> list[bytes]:
        """Take the frames to be sent."""

    def events(self) -> list[LinkEvent]:
        """Take the events."""

    def answer(self, verdict: Verdict, now: float) -> None:
        """Handle the verdict on the pending attempt."""

    def terminate(self, why: str, now: float) -> None:
        """Terminate the link."""
