"""The admission of SSTP calls, from authentication to the end of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.common.errors import FenceError
from gateway.sstp.worker.messages import Admitted, Asked, Continue, Denied, End

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.engine import EngineContext
    from gateway.policy.diagnostics import Event
    from gateway.policy.sessions import Peer, Reservation, Session
    from gateway.sstp.worker.messages import Key, Method, Opened
    from gateway.unprivileged.messages import Message


class Authenticator(Protocol):
    """Checks passwords or certificates: RADIUS, or the gateway's own EAP-TLS."""

    methods: tuple[Method, ...]
    """The methods offered to clients, in order of preference."""

    async def authenticate(self, asked: Asked) -> Vouched | Denied | Continue:
        """Check one attempt of one call (`asked.call`); there is no time limit."""

    def forget(self, call: int) -> None:
        """Discard the call's state, if any: the call has ended."""


class Vouched:
    """The authenticator has accepted this peer; admission decides next."""

    def __init__(
        self,
        peer: Peer,
        keys: tuple[Key, ...],
        text: str = "",
        eap: bytes = b"",
        *,
        failure: bytes = b"",
    ) -> None:
        """`failure`: the EAP-Failure if admission refuses the peer."""
        self.peer = peer
        self.keys = keys
        self.text = text
        self.eap = eap
        self.failure = failure


class Gate:
    """Connects the worker's requests to admission and the session table."""

    def __init__(
        self,
        context: EngineContext,
        authenticator: Callable[[], Authenticator],
        send: Callable[[Message], None],
    ) -> None:
        """`authenticator`: returns the current one. `send`: sends to the worker."""
        self._context = context
        self._authenticator = authenticator
        self._authenticators: dict[int, Authenticator] = {}
        """By call: a call keeps the authenticator that it began with."""
        self._send = send
        self._asking: set[int] = set()
        # by call, admitted but not open yet: its reservation
        self._admitted: dict[int, Reservation] = {}

    async def asked(self, asked: Asked) -> None:
        """Authenticate and answer, unless the call has ended meanwhile."""
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
            self._send(self._decide(asked.call, verdict))
        else:
            self._send(verdict)

    def opened(self, message: Opened) -> None:
        """Turn the reservation into a session; end it if the desired state has changed."""
        reservation = self._admitted.pop(message.call, None)
        context = self._context
        if reservation is None or not context.sessions.holds(reservation):
            self._send(End(call=message.call, why="its place had lapsed"))
            return
        try:
            session = context.sessions.open(
                reservation, handle=str(message.call), private_address=reservation.address
            )
        except FenceError as error:
            self._send(End(call=message.call, why=f"the gateway's own fault: {error.message}"))
            return
        words = f"assigned {session.private_address} ({message.binding})", session.peer.accepted_by
        self._log("connected", session, "; ".join(filter(None, words)))
        objection = context.admission.objection_to_session(session)
        if objection:
            session.ending = objection.message
            self._send(End(call=message.call, why=objection.message))

    def closed(self, call: int, why: str) -> None:
        """Release everything that the call holds."""
        self._asking.discard(call)
        if chosen := self._authenticators.pop(call, None):
            chosen.forget(call)
        if reservation := self._admitted.pop(call, None):
            self._context.sessions.release(reservation)
        session = self._context.sessions.by_handle("SSTP", str(call))
        if session:
            self._close(session, why)

    def end_all(self, why: str) -> None:
        """Close all calls: the worker has ended."""
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
            port=session.peer.port,
            began=session.peer.began,
            connection=session.id,
            thumbprint=session.peer.thumbprint,
            radius_server=session.peer.radius_server,
        )


def _fault(call: int) -> Denied:
    return Denied(call=call, reason="fault", message="a fault of the gateway's own", text="")
