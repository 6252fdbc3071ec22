"""IKEv2 clients admitted by the relay: turns charon's events into sessions and log records.

A session begins with charon's Accounting-Request, which echoes the Class of our Access-Accept. It
ends with the next Accounting-Request of that Acct-Session-Id, or when the IKE_SA or charon ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.charon import vici_messages as vici
from gateway.common.background import Background
from gateway.common.errors import EngineError, FenceError, LapsedError
from gateway.ikev2.config import CONNECTION

if TYPE_CHECKING:
    from gateway.charon.vici_link import ViciLink
    from gateway.common.vocabulary import Reason
    from gateway.engine import EngineContext
    from gateway.ikev2.radius_wire import Accounting
    from gateway.policy.diagnostics import Event
    from gateway.policy.sessions import Reservation, Session

GOODBYE_MS = "1000"
"""How long to wait for a client to confirm the deletion of its IKE_SA."""


class Clients:
    """The sessions of IKEv2 clients."""

    def __init__(self, context: EngineContext, link: ViciLink) -> None:
        self._context = context
        self._link = link
        self._accounts: dict[str, Session] = {}
        self._children: dict[str, dict[str, vici.ChildSa]] = {}
        self._background = Background("IKEv2")

    # ----------------------------------------------------------------------------- coming and going

    def account(self, accounting: Accounting, reservation: Reservation | None) -> None:
        """Handle charon's Accounting-Request; a retransmission changes nothing."""
        session = self._accounts.get(accounting.session)
        if not accounting.begins:
            if session:
                self._close(session, "the client went away")
        elif session is None:
            self._begin(accounting, reservation)

    def _begin(self, accounting: Accounting, reservation: Reservation | None) -> None:
        sessions = self._context.sessions
        if reservation is None:
            self._reject(accounting, "refused", "it was not admitted, or its place had lapsed")
            return
        if accounting.address != reservation.address:
            sessions.release(reservation)
            message = f"charon assigned it {accounting.address}, not {reservation.address}"
            self._reject(accounting, "no-address", message, reservation.peer.began)
            return
        try:
            session = sessions.open(
                reservation, handle=accounting.uniqueid, private_address=reservation.address
            )
        except (FenceError, LapsedError) as error:
            self._reject(accounting, "fault", error.message, reservation.peer.began)
            return
        self._accounts[accounting.session] = session
        words = (f"assigned {session.private_address}", session.peer.accepted_by)
        self._record("connected", session, "; ".join(filter(None, words)))
        objection = self._context.admission.objection_to_session(session)
        if objection:  # the desired state changed in between
            session.ending = objection.message
            self._background.start(self.terminate(session.handle))

    def _reject(
        self, accounting: Accounting, reason: Reason, message: str, began: str = ""
    ) -> None:
        """End an IKE_SA that gets no session. Until then the fence forwards nothing for it."""
        self._context.log.add(
            "refused",
            "IkeV2",
            message,
            reason=reason,
            address=accounting.public_address,
            port=accounting.public_port,
            began=began,
        )
        self._background.start(self.terminate(accounting.uniqueid))

    def on_event(self, event: vici.Event) -> None:
        """Handle a vici event."""
        match event:
            case vici.UpDown(up=False):
                self._down(event)
            case vici.IkeRekeyed():
                self._rekeyed(event)
            case vici.ChildRekeyed():
                self._count(event.uniqueid, (event.old,))
            case _:
                pass

    def _down(self, event: vici.UpDown) -> None:
        for sa in event.sas:
            session = self._context.sessions.by_handle("IkeV2", sa.uniqueid)
            if session and sa.connection == CONNECTION:
                self._close(session, "the client went away")

    async def terminate(self, uniqueid: str) -> None:
        """Delete an IKE_SA, whether or not the client confirms it."""
        order = {"ike-id": uniqueid, "force": "yes", "timeout": GOODBYE_MS, "loglevel": "-1"}
        try:
            await self._link.apart("terminate", order)
        except EngineError as error:
            # the IKE_SA had ended already, or it was destroyed without its client's confirmation
            if not any(words in error.said for words in ("no matching", "terminating SA")):
                raise

    def all_gone(self, why: str) -> None:
        """Close all sessions: charon has died or unloaded them."""
        for session in self._context.sessions.of("IkeV2"):
            self._close(session, why)
        self._accounts.clear()

    def _close(self, session: Session, why: str) -> None:
        if not self._context.sessions.close(session):
            return
        self._accounts = {
            account: other for account, other in self._accounts.items() if other is not session
        }
        self._children.pop(session.id, None)
        self._record("disconnected", session, session.ending or why)

    # -------------------------------------------------------------------------- while it is there

    async def refresh(self) -> None:
        """Get counters and public addresses (MOBIKE, NAT) from charon."""
        for message in await self._link.ask("list-sas", {"noblock": "yes"}):
            for sa in vici.ike_sas(message):
                self._count(sa.uniqueid, sa.children)
                session = self._context.sessions.by_handle("IkeV2", sa.uniqueid)
                if session:
                    session.public_address = sa.remote_host
                    session.public_port = sa.remote_port

    def _rekeyed(self, event: vici.IkeRekeyed) -> None:
        session = self._context.sessions.by_handle("IkeV2", event.old)
        if session:
            session.handle = event.new

    def _count(self, uniqueid: str, children: tuple[vici.ChildSa, ...]) -> None:
        """Add up all CHILD_SAs: after a rekey, the new one counts from zero."""
        session = self._context.sessions.by_handle("IkeV2", uniqueid)
        if not session:
            return
        seen = self._children.setdefault(session.id, {})
        seen.update({child.uniqueid: child for child in children})
        counters = session.counters
        counters.ingress_bytes = sum(child.bytes_in for child in seen.values())
        counters.egress_bytes = sum(child.bytes_out for child in seen.values())
        counters.ingress_packets = sum(child.packets_in for child in seen.values())
        counters.egress_packets = sum(child.packets_out for child in seen.values())

    def _record(self, event: Event, session: Session, message: str) -> None:
        self._context.log.add(
            event,
            "IkeV2",
            message,
            user=session.peer.user,
            address=session.public_address or session.peer.address,
            port=session.public_port or session.peer.port,
            began=session.peer.began,
            connection=session.id,
            thumbprint=session.peer.thumbprint,
            radius_server=session.peer.radius_server,
        )
