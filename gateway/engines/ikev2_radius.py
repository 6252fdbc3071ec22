"""Users of IKEv2 whom RADIUS checks: charon's eap-radius asks here, and this asks the servers.

charon could ask them itself, but would wait in one of its threads, know nothing of scores within
an authentication, say things of the gateway that Azure's does not, and keep sockets of a source
address that a tunnel later changes (facts: ikev2-openvpn-radius, section 3). So it has one server,
this relay on the loopback. That makes the gate's place the same as for certificates: whoever is
not to come in, whatever RADIUS says, is refused before charon lets the client in.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.engines import ikev2_radius_wire as wire
from gateway.engines.background import Background
from gateway.sessions import Peer
from radius.attributes import Call
from radius.client import EapSession
from radius.eap import identity
from radius.verdict import Accept, Challenge, NoAnswer, Reject

if TYPE_CHECKING:
    from gateway.admission import Decision
    from gateway.engines.base import Surroundings
    from gateway.engines.ikev2_radius_wire import Asked
    from gateway.sessions import Reservation
    from gateway.vocabulary import Reason

LOOPBACK = "127.0.0.1"
MOST_CONVERSATIONS = 4096
MOST_OPEN = 256
"""Questions of charon's at a time: it has fewer sockets."""
MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Admitted:
    """Who may come in once charon has the tunnel up."""

    reservation: Reservation
    server: str
    """The RADIUS server that said so."""


class RadiusRelay(asyncio.DatagramProtocol):
    """The one RADIUS server that charon knows."""

    def __init__(self, around: Surroundings) -> None:
        assert around.radius
        self._around = around
        self._path = around.radius
        self._secret = secrets.token_hex(16).encode()
        self._background = Background("IKEv2 with RADIUS")
        self._transport: Any = None
        self._open: set[tuple[object, int, bytes]] = set()
        self._conversations: OrderedDict[bytes, EapSession] = OrderedDict()
        self._admitted: OrderedDict[str, Admitted] = OrderedDict()
        self._refused: OrderedDict[str, None] = OrderedDict()

    async def start(self) -> tuple[int, str]:
        """Listen; port and secret, for charon."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(LOOPBACK, 0)
        )
        port: int = self._transport.get_extra_info("sockname")[1]
        return port, self._secret.decode()

    def stop(self) -> None:
        """Listen no more."""
        if self._transport:
            self._transport.close()

    def take(self, uniqueid: str) -> Admitted | None:
        """Whom RADIUS and the gate have let in, once."""
        return self._admitted.pop(uniqueid, None)

    def has_refused(self, uniqueid: str) -> bool:
        """Whether the refusal of an IKE_SA is in the log already."""
        return uniqueid in self._refused

    # ------------------------------------------------------------------------------ asyncio's

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """A question of charon's; one that is open already is not asked again."""
        asked = wire.read(data, self._secret)
        if asked is None or len(self._open) >= MOST_OPEN:
            return
        mark = (addr, asked.identifier, asked.authenticator)
        if mark not in self._open:
            self._open.add(mark)
            self._background.start(self._answer(asked, addr, mark))

    # ----------------------------------------------------------------------------------- answers

    async def _answer(
        self, asked: Asked, addr: tuple[Any, ...], mark: tuple[object, int, bytes]
    ) -> None:
        try:
            self._transport.sendto(await self._verdict(asked), addr)
        finally:
            self._open.discard(mark)

    async def _verdict(self, asked: Asked) -> bytes:
        session = self._conversation(asked)
        objection = self._objection(asked, session)
        if objection or session is None:
            reason, message = objection or ("refused", "an EAP conversation that is not known")
            name = session.user if session and session.user else identity(asked.eap) or b""
            return self._refuse(asked, _fit(name), reason, message)
        outcome = await self._path.client.eap(session, asked.eap)
        user = _fit(session.user)
        if isinstance(outcome, Challenge):
            token = secrets.token_bytes(16)
            self._remember(token, session)
            return wire.challenge(asked, self._secret, outcome.eap, token)
        if isinstance(outcome, Accept):
            return self._let_in(asked, outcome, user)
        return self._told(asked, user, outcome)

    def _objection(self, asked: Asked, session: EapSession | None) -> tuple[Reason, str] | None:
        """Why RADIUS need not be asked at all."""
        if not self._path.enabled:
            return "refused", "Radius authentication is not enabled"
        if unreachable := self._path.objection():
            return "radius-no-answer", unreachable
        full = self._full(asked) if session and session.rounds == 0 else None
        return (full.reason or "refused", full.message) if full else None

    def _told(self, asked: Asked, user: str, outcome: Reject | NoAnswer) -> bytes:
        """A refusal, in the server's words or about its silence."""
        if isinstance(outcome, NoAnswer):
            words = "; ".join(filter(None, (outcome.message, self._path.silence())))
            return self._refuse(asked, user, outcome.reason, words)
        whose = f"RADIUS server {outcome.server}: " if outcome.server else ""
        return self._refuse(asked, user, outcome.reason, whose + outcome.message, outcome.eap)

    def _conversation(self, asked: Asked) -> EapSession | None:
        if asked.state is None:
            call = Call(asked.address, int(asked.uniqueid or 0), "IkeV2")
            return EapSession(call)
        return self._conversations.pop(asked.state, None)

    def _remember(self, token: bytes, session: EapSession) -> None:
        self._conversations[token] = session
        while len(self._conversations) > MOST_CONVERSATIONS:
            self._conversations.popitem(last=False)

    def _full(self, asked: Asked) -> Decision | None:
        """A full gateway does not ask RADIUS at all."""
        decision = self._around.admission.decide(_peer(asked, ""))
        if decision.reservation is None:
            return decision
        self._around.sessions.release(decision.reservation)
        return None

    def _let_in(self, asked: Asked, outcome: Accept, user: str) -> bytes:
        assert outcome.keys  # EAP without keys is a Reject
        decision = self._around.admission.decide(_peer(asked, user))
        if decision.reservation is None:
            return self._refuse(asked, user, decision.reason or "refused", decision.message)
        self._admitted[asked.uniqueid] = Admitted(decision.reservation, outcome.server)
        while len(self._admitted) > MOST_REMEMBERED:
            _, lapsed = self._admitted.popitem(last=False)
            self._around.sessions.release(lapsed.reservation)
        return wire.accept(asked, self._secret, outcome.eap, outcome.keys)

    def _refuse(
        self, asked: Asked, user: str, reason: Reason, message: str, eap: bytes = b""
    ) -> bytes:
        self._refused[asked.uniqueid] = None
        while len(self._refused) > MOST_REMEMBERED:
            self._refused.popitem(last=False)
        self._around.log.add(
            "refused", "IkeV2", message, reason=reason, user=user, address=asked.address
        )
        return wire.reject(asked, self._secret, eap)


def _peer(asked: Asked, user: str) -> Peer:
    return Peer("IkeV2", user, "", "", asked.address, "Radius")


def _fit(user: bytes) -> str:
    """The name as the client gave it, fit for a log."""
    text = user.decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in text)
