"""Who asks to come in over SSTP, from the question to the end of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.common.errors import FenceError
from gateway.sstp.worker.messages import Admitted, Asked, Continue, Denied, End

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from gateway.engine import EngineContext
    from gateway.policy.diagnostics import Event
    from gateway.policy.sessions import Peer, Reservation, Session
    from gateway.sstp.worker.messages import Key, Method, Opened


class Authenticator(Protocol):
    """Who checks passwords and certificates: RADIUS, or the gateway's own EAP-TLS."""

    methods: tuple[Method, ...]
    """What clients are asked for, in order of preference."""

    async def authenticate(self, asked: Asked) -> Vouched | Denied | Continue:
        """One attempt of one call (`asked.call`); takes as long as it takes."""

    def forget(self, call: int) -> None:
        """The call is over; nothing happens if it was never heard of."""


class Vouched:
    """The authenticator answers for this peer; the gate decides the rest."""

    def __init__(
        self,
        peer: Peer,
        keys: tuple[Key, ...],
        text: str = "",
        eap: bytes = b"",
        *,
        failure: bytes = b"",
    ) -> None:
        """`failure`: the EAP-Failure for when admission says no."""
        self.peer = peer
        self.keys = keys
        self.text = text
        self.eap = eap
        self.failure = failure


class Gate:
    """Between the worker's questions and the gateway's one gate and table of sessions."""

    def __init__(
        self,
        context: EngineContext,
        authenticator: Callable[[], Authenticator],
        tell: Callable[[BaseModel], None],
    ) -> None:
        """`authenticator`: the one in force."""
        self._context = context
        self._authenticator = authenticator
        self._authenticators: dict[int, Authenticator] = {}
        """By call: a call keeps to the one that it began with."""
        self._tell = tell
        self._asking: set[int] = set()
        # by call, let in and not open yet: its place
        self._admitted: dict[int, Reservation] = {}

    async def asked(self, asked: Asked) -> None:
        """Answer; a call that has gone meanwhile gets none."""
        self._asking.add(asked.call)
        verdict: Vouched | Denied | Continue = _fault(asked.call)
        try:
            chosen = self._authenticators.setdefault(asked.call, self._authenticator())
            verdict = await chosen.authenticate(asked)
        finally:
            self._answer(asked, verdict)

    def _answer(self, asked: Asked, verdict: Vouched | Denied | Continue) -> None:
        if asked.call not in self._asking:
            return
        self._asking.remove(asked.call)
        if isinstance(verdict, Vouched):
            self._tell(self._decide(asked.call, verdict))
        else:
            self._tell(verdict)

    def opened(self, message: Opened) -> None:
        """The reservation becomes a session, unless the desired state has changed meanwhile."""
        reservation = self._admitted.pop(message.call, None)
        context = self._context
        if reservation is None or not context.sessions.holds(reservation):
            self._tell(End(call=message.call, why="its place had lapsed"))
            return
        try:
            session = context.sessions.open(
                reservation, handle=str(message.call), private_address=reservation.address
            )
        except FenceError as error:
            self._tell(End(call=message.call, why=f"the gateway's own fault: {error.message}"))
            return
        words = f"assigned {session.private_address} ({message.binding})", session.peer.accepted_by
        self._log("connected", session, "; ".join(filter(None, words)))
        objection = context.admission.objection_to_session(session)
        if objection:
            session.ending = objection.message
            self._tell(End(call=message.call, why=objection.message))

    def closed(self, call: int, why: str) -> None:
        """Give back whatever the call had."""
        self._asking.discard(call)
        if chosen := self._authenticators.pop(call, None):
            chosen.forget(call)
        if reservation := self._admitted.pop(call, None):
            self._context.sessions.release(reservation)
        session = self._context.sessions.by_handle("SSTP", str(call))
        if session:
            self._close(session, why)

    def end_all(self, why: str) -> None:
        """The worker is gone, and all calls with it."""
        for call in {*self._asking, *self._admitted}:
            self.closed(call, why)
        for session in self._context.sessions.of("SSTP"):
            self.closed(int(session.handle), why)

    def _decide(self, call: int, vouched: Vouched) -> Admitted | Denied:
        decision = self._context.admission.decide(vouched.peer)
        if decision.reservation is None:
            reason = decision.reason or "refused"
            return Denied(
                call=call,
                reason=reason,
                message=decision.message,
                eap=vouched.failure,
                user=vouched.peer.user,
                thumbprint=vouched.peer.thumbprint,
            )
        self._admitted[call] = decision.reservation
        return Admitted(
            call=call,
            address=decision.reservation.address,
            keys=vouched.keys,
            text=vouched.text,
            eap=vouched.eap,
        )

    def _close(self, session: Session, why: str) -> None:
        if self._context.sessions.close(session):
            self._log("disconnected", session, session.ending or why)

    def _log(self, event: Event, session: Session, message: str) -> None:
        self._context.log.add(
            event,
            "SSTP",
            message,
            user=session.peer.user,
            address=session.peer.address,
            thumbprint=session.peer.thumbprint,
            radius_server=session.peer.radius_server,
        )


def _fault(call: int) -> Denied:
    return Denied(call=call, reason="fault", message="a fault of the gateway's own", text="")
