"""One established SSTP call as the data plane sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dataplane import ip
from gateway.dataplane.counters import Counters
from gateway.dataplane.framing import HEADER, LONGEST, headers
from gateway.dataplane.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address

    from gateway.dataplane.tls import Buffer, TlsConnection

SMALLEST_MTU = 68
"""RFC 791: every link carries an IP packet of 68 bytes."""


class Flow:
    """The connection, the addresses and the queue of one client; belongs to one Plane.

    `control` gets every whole SSTP packet that carries no IPv4 packet. `closed` is called once,
    with the reason, when the connection ended or the stream cannot be delimited; the plane has
    forgotten the flow then, and the connection is the owner's to close. `received` are bytes that
    came after the last packet that the owner itself has parsed.
    """

    def __init__(
        self,
        connection: TlsConnection,
        *,
        address: IPv4Address,
        ip_header: bytes,
        peer_mru: int,
        control: Callable[[bytes], None],
        closed: Callable[[str], None],
        received: bytes = b"",
    ) -> None:
        self.connection = connection
        self.address = address.packed
        """Its address while packets are carried for it, else empty."""
        self.ip_header = ip_header
        self.headers = headers(ip_header)
        """What stands before an IP packet sent, by its length."""
        largest = LONGEST - HEADER - len(ip_header)
        self.mru = min(max(peer_mru, SMALLEST_MTU), largest)
        """Bytes of the largest IP packet to the client."""
        self.control = control
        self.rest = received
        """Bytes of a packet that is not whole yet."""
        self.heard = 0.0
        """Reactor time when something came last."""
        self.counters = Counters()
        self.outgoing = Outgoing(connection, self.counters)
        self.failed = ""
        """Why the flow closes now."""
        self.finishing = ""
        """Why the flow closes as soon as everything is sent."""
        self.watch: Callable[[], None] = _nobody
        """Tell the plane that what the connection waits for may have changed."""
        self.closed = closed
        self.open = True
        """The plane has not forgotten it."""

    def send_control(self, packets: bytes) -> None:
        """Send whole SSTP packets. A client that takes none of the answers it causes is closed."""
        if not self.outgoing.send_control(packets):
            self.failed = "the client takes no answers"
        self.watch()

    def finish(self, why: str) -> None:
        """Carry no more IP, and close with this reason when everything is sent.

        The owner sets the limit of how long that may take.
        """
        self.address = b""
        self.finishing = why
        self.watch()

    def forget(self) -> None:
        """For the plane: the flow is none of its any more."""
        self.open = False
        self.address = b""
        self.watch = _nobody

    def frame(self, packet: Buffer, mtu: int) -> tuple[list[bytes], bytes | None]:
        """An IP packet to the client as framed packets, and an answer to its sender.

        For what the fast path leaves: TCP SYNs, packets beyond the MRU, and odd ones. `mtu`: of the
        way back, for the MSS.
        """
        if len(packet) <= self.mru:
            packet = ip.clamp_mss(packet, min(mtu, self.mru)) or packet
            return [self.headers[len(packet)] + packet], None
        if ip.may_fragment(packet):
            return [self.headers[len(part)] + part for part in ip.fragments(packet, self.mru)], None
        self.counters.dropped += 1
        return [], ip.too_big(packet, self.mru)


def _nobody() -> None:
    """No plane yet, or none any more."""
