"""Admission control for all protocols.

The engine (or `gateway.policy.trust`) has verified that a peer's certificate chains to some root.
Admission checks everything that depends on the desired state: whether that root is uploaded,
whether the thumbprint is revoked, whether the SKU's limit is reached, and whether an address is
free. When the desired state changes, established sessions are checked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from gateway.common.errors import FenceError
from gateway.policy.pool import usable
from gateway.policy.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network

    from gateway.common.vocabulary import AuthenticationType, Reason, VpnProtocol
    from gateway.policy.protocols import LimitGroup
    from gateway.policy.sessions import Peer, Reservation, Session, Sessions

MOST_OF_ONE = 3 / 4
"""The share of the SKU's connections that one certificate (with RADIUS, one user name) may hold, so
that it cannot lock out other users. Azure documents no such limit; several computers may share a
certificate."""


@dataclass(frozen=True)
class Policy:
    """The part of the desired state that decides who is admitted."""

    authentication: frozenset[AuthenticationType] = frozenset(("Certificate",))

    roots: frozenset[str] = frozenset()
    """Thumbprints of the uploaded roots."""
    revoked: frozenset[str] = frozenset()
    limits: Mapping[LimitGroup, int] = field(default_factory=dict)
    """The SKU's maximum numbers of connections; a missing group counts as 0."""
    parts: dict[VpnProtocol, tuple[IPv4Network, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """`reason` None: admitted, and `reservation` holds the peer's place."""

    reason: Reason | None
    message: str
    reservation: Reservation | None = None


class Admission:
    """Decides which peers are admitted."""

    def __init__(self, sessions: Sessions) -> None:
        self.policy = Policy()
        self._sessions = sessions

    def decide(self, peer: Peer) -> Decision:
        """Admit the peer and reserve a place, or refuse it with a reason."""
        objection = self.objection(peer) or self.full(peer.protocol) or self._has_its_share(peer)
        if objection:
            return objection
        address = self._free_address(peer.protocol)
        if address is None:
            return Decision(
                "no-address", f"{peer.protocol}'s part of the client address pool is used up"
            )
        try:
            return Decision(None, "admitted", self._sessions.reserve(peer, address))
        except FenceError as error:
            return Decision("fault", f"the gateway's own fault: {error.message}")

    def objection(self, peer: Peer) -> Decision | None:
        """Why the peer itself may not be admitted or stay connected; None: it may."""
        if peer.authentication not in self.policy.authentication:
            return Decision("refused", f"{peer.authentication} authentication is not enabled")
        if peer.authentication == "Radius":
            return None
        if peer.root not in self.policy.roots:
            return Decision("untrusted", f"the root {peer.root} is not uploaded")
        if not peer.thumbprints:
            return Decision("no-certificate", "no certificate was shown")
        if self.policy.revoked.intersection(peer.thumbprints):
            return Decision("revoked", f"the certificate {peer.thumbprint} is revoked")
        return None

    def objection_to_session(self, session: Session) -> Decision | None:
        """The same for a session; its address must also still belong to its protocol's pool."""
        parts = self.policy.parts.get(session.peer.protocol, ())
        if not any(session.private_address in part for part in parts):
            return Decision("no-address", f"{session.private_address} left the address pool")
        return self.objection(session.peer)

    def full(self, protocol: VpnProtocol) -> Decision | None:
        """A refusal if the SKU's limit is reached; None: there is a free place."""
        group, limit = self._limit(protocol)
        if self._sessions.count(group) < limit:
            return None
        names = " and ".join(sorted(group))
        return Decision("limit", f"the SKU allows {limit} {names} connections")

    def _has_its_share(self, peer: Peer) -> Decision | None:
        """A refusal if the peer's certificate or RADIUS user already holds its maximum share."""
        group, limit = self._limit(peer.protocol)
        most = ceil(limit * MOST_OF_ONE)
        if self._sessions.count(group, peer.who) < most:
            return None
        return Decision("limit", f"{peer.user} has {most} of {limit} connections already")

    def _limit(self, protocol: VpnProtocol) -> tuple[frozenset[VpnProtocol], int]:
        group = PROTOCOLS[protocol].limit
        sharing = frozenset(other for other, row in PROTOCOLS.items() if row.limit == group)
        return sharing, self.policy.limits.get(group, 0)

    def _free_address(self, protocol: VpnProtocol) -> IPv4Address | None:
        parts = self.policy.parts.get(protocol, ())
        own = PROTOCOLS[protocol].own_addresses
        used = self._sessions.addresses()
        return next((a for a in usable(parts, reserved=own) if a not in used), None)
