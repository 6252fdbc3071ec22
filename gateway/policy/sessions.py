"""One table of sessions for all protocols."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from gateway.common.errors import FenceError, LapsedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address

    from gateway.common.vocabulary import AuthenticationType, VpnProtocol

RESERVATION_LIFE = 30.0
"""Seconds that an admitted peer has to finish its handshake."""


@dataclass(frozen=True)
class Peer:
    """A peer that asks to be admitted."""

    protocol: VpnProtocol
    user: str
    thumbprints: tuple[str, ...]
    """SHA-1 of the client certificate, upper-case hexadecimal; then that of its twin with the other
    ECDSA signature (gateway.policy.trust)."""
    root: str
    """Thumbprint of the root to which the certificate chains."""
    address: str = ""
    """The peer's public address."""
    authentication: AuthenticationType = "Certificate"
    """How the peer authenticated. With RADIUS the gateway sees no certificate: thumbprints and root
    are empty."""
    radius_server: str = ""
    """The address of the RADIUS server that accepted it."""
    method: str = ""
    """The method used with that server, such as "MS-CHAPv2", if it is logged."""
    port: str = ""
    """The peer's public port: those of two computers behind one NAT differ."""
    began: str = ""
    """When its attempt to connect began (`gateway.policy.diagnostics.now`): those of two attempts
    from one port differ."""

    @property
    def who(self) -> str:
        """The identity that limits count by: the thumbprint, or the user if there is none."""
        return self.thumbprint or self.user

    @property
    def thumbprint(self) -> str:
        """The certificate's own thumbprint; empty without a certificate."""
        return self.thumbprints[0] if self.thumbprints else ""

    @property
    def accepted_by(self) -> str:
        """Method and RADIUS server, as text for people; empty without RADIUS."""
        server = f"RADIUS server {self.radius_server}" if self.radius_server else ""
        return ", ".join(filter(None, (self.method, server)))


@dataclass
class Counters:
    """A session's traffic; packets are None if the engine does not count them."""

    ingress_bytes: int = 0
    egress_bytes: int = 0
    ingress_packets: int | None = None
    egress_packets: int | None = None


@dataclass
class Session:
    """A connected client; ingress is traffic from the client."""

    peer: Peer
    private_address: IPv4Address
    handle: str
    """The engine's identifier: charon's unique id, OpenVPN's client id."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    public_address: str = ""
    public_port: str = ""
    counters: Counters = field(default_factory=Counters)
    ending: str = ""
    """Why the gateway is ending the session; empty before."""

    def health(self, now: datetime) -> dict[str, Any]:
        """A row of Azure's getVpnClientConnectionHealth, plus protocol, thumbprint, public port and
        the time at which the attempt to connect began."""
        row = {
            "vpnConnectionId": self.id,
            "vpnConnectionDuration": int((now - self.since).total_seconds()),
            "vpnConnectionTime": self.since.isoformat(timespec="seconds"),
            "publicIpAddress": self.public_address or self.peer.address,
            "publicPort": self.public_port or self.peer.port,
            "attemptTime": self.peer.began,
            "privateIpAddress": str(self.private_address),
            "vpnUserName": self.peer.user,
            "ingressBytesTransferred": self.counters.ingress_bytes,
            "egressBytesTransferred": self.counters.egress_bytes,
            "ingressPacketsTransferred": self.counters.ingress_packets,
            "egressPacketsTransferred": self.counters.egress_packets,
            "protocol": self.peer.protocol,
            "thumbprint": self.peer.thumbprint,
        }
        return {name: value for name, value in row.items() if value is not None}


@dataclass(frozen=True)
class Reservation:
    """A place reserved for an admitted peer until its session opens."""

    peer: Peer
    address: IPv4Address
    """The private address reserved for the peer."""
    expires: float


class Fence(Protocol):
    """Forwards client packets by address and protocol (gateway.forwarding.fence)."""

    def admit(
        self, protocol: VpnProtocol, address: IPv4Address, seconds: float | None = None
    ) -> None:
        """Forward this address through the protocol's tunnel, for `seconds` or until it is evicted.

        FenceError: the address is still forwarded as before this call, or not at all.
        """

    def evict(self, protocol: VpnProtocol, address: IPv4Address) -> None:
        """Stop forwarding this address before returning. A failure is logged and retried until it
        succeeds; the success is logged, too."""


class Sessions:
    """Sessions, and reservations for peers that are about to have one.

    The fence forwards exactly the addresses in this table. It is opened before an address is
    announced to anyone, and closed before the session's end is announced.
    """

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._sessions: dict[str, Session] = {}
        self._reservations: dict[int, Reservation] = {}
        """By id(), the oldest first, which lapses first."""
        self._taken: Counter[tuple[VpnProtocol, str | None]] = Counter()
        """Places taken, by protocol and peer (`Peer.who`; None: all peers)."""

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def reserve(self, peer: Peer, address: IPv4Address) -> Reservation:
        """Reserve a place. FenceError: the fence did not admit the address; nothing is reserved."""
        self._fence.admit(peer.protocol, address, RESERVATION_LIFE)
        reservation = Reservation(peer, address, time.monotonic() + RESERVATION_LIFE)
        self._reservations[id(reservation)] = reservation
        self._taken.update(_keys(peer))
        return reservation

    def holds(self, reservation: Reservation) -> bool:
        """Whether the reservation has not lapsed."""
        self._let_lapse()
        return id(reservation) in self._reservations

    def release(self, reservation: Reservation) -> None:
        """Give the place back; does nothing if the reservation has lapsed."""
        if self._reservations.pop(id(reservation), None):
            self._taken.subtract(_keys(reservation.peer))
            self._fence.evict(reservation.peer.protocol, reservation.address)

    def open(
        self, reservation: Reservation, *, handle: str, private_address: IPv4Address
    ) -> Session:
        """Turn a reservation into a session. LapsedError, FenceError: neither a session nor the
        reservation exists any longer, and the caller must end the tunnel."""
        if not self.holds(reservation):
            raise LapsedError(f"the place of {private_address} had lapsed")
        try:
            self._fence.admit(reservation.peer.protocol, private_address)
        except FenceError:
            self.release(reservation)
            raise
        del self._reservations[id(reservation)]
        session = Session(reservation.peer, private_address, handle)
        self._sessions[session.id] = session
        return session

    def bar(self, session: Session) -> None:
        """Stop forwarding for the session, whatever its daemon does. It stays in the table until
        the daemon has ended it."""
        self._fence.evict(session.peer.protocol, session.private_address)

    def close(self, session: Session) -> bool:
        """Remove a session; False if it was gone already."""
        if self._sessions.pop(session.id, None) is None:
            return False
        self._taken.subtract(_keys(session.peer))
        self._fence.evict(session.peer.protocol, session.private_address)
        return True

    def get(self, identifier: str) -> Session | None:
        """The session with this vpnConnectionId (Azure's term), if any."""
        return self._sessions.get(identifier)

    def by_handle(self, protocol: VpnProtocol, handle: str) -> Session | None:
        """The session with this engine identifier, if any."""
        for session in self._sessions.values():
            if session.peer.protocol == protocol and session.handle == handle:
                return session
        return None

    def of(self, protocol: VpnProtocol) -> list[Session]:
        """The sessions of one protocol."""
        return [s for s in self._sessions.values() if s.peer.protocol == protocol]

    def count(self, protocols: Iterable[VpnProtocol], who: str | None = None) -> int:
        """Sessions and reservations of all peers, or of one (`Peer.who`)."""
        self._let_lapse()
        return sum(self._taken[protocol, who] for protocol in set(protocols))

    def addresses(self) -> set[IPv4Address]:
        """Private addresses in use or reserved."""
        used = {session.private_address for session in self._sessions.values()}
        self._let_lapse()
        return used | {r.address for r in self._reservations.values()}

    def _let_lapse(self) -> None:
        """Drop expired reservations; the kernel has already expired their addresses."""
        now = time.monotonic()
        while self._reservations:
            number, oldest = next(iter(self._reservations.items()))
            if oldest.expires > now:
                return
            del self._reservations[number]
            self._taken.subtract(_keys(oldest.peer))


def _keys(peer: Peer) -> tuple[tuple[VpnProtocol, str | None], ...]:
    return (peer.protocol, None), (peer.protocol, peer.who)
