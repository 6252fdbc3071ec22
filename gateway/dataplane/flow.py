"""One established SSTP call, for the data plane."""

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
"""RFC 791: every link must carry IP packets of 68 bytes."""


class Flow:
    """The connection, the address and the queue of one client; belongs to one Plane.

    `control` is called with every complete SSTP packet that carries no IPv4 packet. `closed` is
    called once, with the reason, when the connection has ended or the stream is invalid; the plane
    has removed the flow by then, and the owner must close the connection. `received`: bytes after
    the last packet that the owner itself has parsed.
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
        """The client's address while packets are carried for it, otherwise empty."""
        self.ip_header = ip_header
        self.headers = headers(ip_header)
        """The SSTP and PPP headers of IP packets sent, by the packet's length."""
        largest = LONGEST - HEADER - len(ip_header)
        self.mru = min(max(peer_mru, SMALLEST_MTU), largest)
        """Maximum bytes of an IP packet to the client."""
        self.control = control
        self.rest = received
        """Bytes of an incomplete packet."""
        self.heard = 0.0
        """Reactor time of the last data received."""
        self.counters = Counters()
        self.outgoing = Outgoing(connection, self.counters)
        self.failed = ""
        """Why the flow must close at once; empty: it need not."""
        self.finishing = ""
        """Why the flow must close when everything is sent; empty: it need not."""
        self.watch: Callable[[], None] = _no_plane
        """Notifies the plane that the connection may wait for different events."""
        self.closed = closed
        self.open = True
        """Whether the flow still belongs to a plane."""

    def send_control(self, packets: bytes) -> None:
        """Send complete SSTP packets. A client that does not read the answers is closed."""
        if not self.outgoing.send_control(packets):
            self.failed = "the client does not read answers"
        self.watch()

    def finish(self, why: str) -> None:
        """Stop carrying IP, and close with this reason when everything is sent.

        The owner limits how long that may take.
        """
        self.address = b""
        self.finishing = why
        self.watch()

    def forget(self) -> None:
        """For the plane: the flow no longer belongs to it."""
        self.open = False
        self.address = b""
        self.watch = _no_plane

    def frame(self, packet: Buffer, mtu: int) -> tuple[list[bytes], bytes | None]:
        """Frame an IP packet to the client. Returns framed packets, and an answer to its sender.

        For packets that the fast path leaves: TCP SYNs, those beyond the MRU, and odd ones. `mtu`:
        of the reverse path, for the MSS.
        """
        if len(packet) <= self.mru:
            packet = ip.clamp_mss(packet, min(mtu, self.mru)) or packet
            return [self.headers[len(packet)] + packet], None
        if ip.may_fragment(packet):
            return [self.headers[len(part)] + part for part in ip.fragments(packet, self.mru)], None
        self.counters.dropped += 1
        return [], ip.too_big(packet, self.mru)


def _no_plane() -> None:
    """The flow does not belong to a plane."""
