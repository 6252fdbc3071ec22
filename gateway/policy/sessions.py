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
"""Seconds for which an admitted peer may take to finish its handshake."""


@dataclass(frozen=True)
class Peer:
    """Who asks to come in."""

    protocol: VpnProtocol
    user: str
    thumbprints: tuple[str, ...]
    """SHA-1 of the client certificate, upper-case hexadecimal; then that of its twin, with the
    other ECDSA signature (gateway.policy.trust)."""
    root: str
    """Thumbprint of the root to which it chains."""
    address: str = ""
    """Its public address."""
    authentication: AuthenticationType = "Certificate"
    """Who vouches for it. With RADIUS the gateway sees no certificate: thumbprints and root are
    empty."""
    radius_server: str = ""
    """The address of the RADIUS server that accepted it."""
    method: str = ""
    """What that server was asked by, such as "MS-CHAPv2", where the log says so."""

    @property
    def who(self) -> str:
        """The certificate, or without one the user."""
        return self.thumbprint or self.user

    @property
    def thumbprint(self) -> str:
        """The certificate's own; empty without one."""
        return self.thumbprints[0] if self.thumbprints else ""

    @property
    def accepted_by(self) -> str:
        """Method and RADIUS server, for people; empty where no RADIUS server was asked."""
        server = f"RADIUS server {self.radius_server}" if self.radius_server else ""
        return ", ".join(filter(None, (self.method, server)))


@dataclass
class Counters:
    """What went through a session; packets are None where the engine does not count them."""

    ingress_bytes: int = 0
    egress_bytes: int = 0
    ingress_packets: int | None = None
    egress_packets: int | None = None


@dataclass
class Session:
    """A connected client; ingress is what came from it."""

    peer: Peer
    private_address: IPv4Address
    handle: str
    """What the engine calls it: charon's unique id, OpenVPN's client id."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    public_address: str = ""
    counters: Counters = field(default_factory=Counters)
    ending: str = ""
    """Why the gateway ends it, once it does."""

    def health(self, now: datetime) -> dict[str, Any]:
        """A row of Azure's getVpnClientConnectionHealth, with protocol and thumbprint besides."""
        row = {
            "vpnConnectionId": self.id,
            "vpnConnectionDuration": int((now - self.since).total_seconds()),
            "vpnConnectionTime": self.since.isoformat(timespec="seconds"),
            "publicIpAddress": self.public_address or self.peer.address,
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
    """A place kept for an admitted peer until its session is there."""

    peer: Peer
    address: IPv4Address
    """The private address kept for it."""
    expires: float


class Fence(Protocol):
    """Lets packets of clients through, by address and protocol (gateway.forwarding.fence)."""

    def admit(
        self, protocol: VpnProtocol, address: IPv4Address, seconds: float | None = None
    ) -> None:
        """Let this address through the protocol's tunnel, for that time or until it is evicted.

        FenceError: it does not pass, or only as it did before.
        """

    def evict(self, protocol: VpnProtocol, address: IPv4Address) -> None:
        """Nothing passes for it when this returns. Where that cannot be done the log says so, it
        is tried again until it is done, and the log says that too."""


class Sessions:
    """Sessions and the places kept for those who are about to have one.

    The fence lets through the addresses that are in here, from before anybody is told of one until
    before anybody is told of its end.
    """

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._sessions: dict[str, Session] = {}
        self._reservations: dict[int, Reservation] = {}
        """By identity, the oldest first: the first to lapse."""
        self._taken: Counter[tuple[VpnProtocol, str | None]] = Counter()
        """Places, by protocol and peer (`Peer.who`); None: of all peers."""

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def reserve(self, peer: Peer, address: IPv4Address) -> Reservation:
        """Keep a place. FenceError: there is none, for its address could not be let through."""
        self._fence.admit(peer.protocol, address, RESERVATION_LIFE)
        reservation = Reservation(peer, address, time.monotonic() + RESERVATION_LIFE)
        self._reservations[id(reservation)] = reservation
        self._taken.update(_keys(peer))
        return reservation

    def holds(self, reservation: Reservation) -> bool:
        """Whether the place is still kept."""
        self._let_lapse()
        return id(reservation) in self._reservations

    def release(self, reservation: Reservation) -> None:
        """Give the place back; nothing happens if it has lapsed."""
        if self._reservations.pop(id(reservation), None):
            self._taken.subtract(_keys(reservation.peer))
            self._fence.evict(reservation.peer.protocol, reservation.address)

    def open(
        self, reservation: Reservation, *, handle: str, private_address: IPv4Address
    ) -> Session:
        """Turn a reservation into a session. LapsedError, FenceError: there is none, nor a place,
        and whoever asked ends the tunnel."""
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
        """Let nothing of it through any more, whatever its daemon does; it stays in the table
        until the daemon has let go of it."""
        self._fence.evict(session.peer.protocol, session.private_address)

    def close(self, session: Session) -> bool:
        """Take a session out; False if it was gone already."""
        if self._sessions.pop(session.id, None) is None:
            return False
        self._taken.subtract(_keys(session.peer))
        self._fence.evict(session.peer.protocol, session.private_address)
        return True

    def get(self, identifier: str) -> Session | None:
        """By Azure's vpnConnectionId."""
        return self._sessions.get(identifier)

    def by_handle(self, protocol: VpnProtocol, handle: str) -> Session | None:
        """By the engine's own name for it."""
        for session in self._sessions.values():
            if session.peer.protocol == protocol and session.handle == handle:
                return session
        return None

    def of(self, protocol: VpnProtocol) -> list[Session]:
        """Those of one protocol."""
        return [s for s in self._sessions.values() if s.peer.protocol == protocol]

    def count(self, protocols: Iterable[VpnProtocol], who: str | None = None) -> int:
        """Places taken, sessions and reservations: all, or those of one peer (`Peer.who`)."""
        self._let_lapse()
        return sum(self._taken[protocol, who] for protocol in set(protocols))

    def addresses(self) -> set[IPv4Address]:
        """Private addresses in use or kept."""
        used = {session.private_address for session in self._sessions.values()}
        self._let_lapse()
        return used | {r.address for r in self._reservations.values()}

    def _let_lapse(self) -> None:
        """The kernel has forgotten their addresses already."""
        now = time.monotonic()
        while self._reservations:
            number, oldest = next(iter(self._reservations.items()))
            if oldest.expires > now:
                return
            del self._reservations[number]
            self._taken.subtract(_keys(oldest.peer))


def _keys(peer: Peer) -> tuple[tuple[VpnProtocol, str | None], ...]:
    return (peer.protocol, None), (peer.protocol, peer.who)
