"""The relay: charon's only RADIUS server, run by the gateway itself on the loopback.

charon's eap-radius asks the relay about every client. For certificates, EAP-TLS terminates in
gateway.eap_tls.worker; for RADIUS, the relay asks the servers in the ARM document. charon could ask
those itself, but it would block one of its threads, ignore scores within an authentication, send
attributes that Azure's gateway does not, and keep sockets whose source address is wrong once a
tunnel is up (docs/facts.md §11).

An Access-Accept contains the address that admission has reserved, and a Class that identifies the
reservation. charon echoes the Class in its Accounting-Request, after it has assigned the address
and before it answers the client. The session begins there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gateway.common.background import Background
from gateway.eap_tls.worker.messages import Failed, Shown
from gateway.ikev2 import radius_wire as wire
from gateway.policy.diagnostics import now
from gateway.policy.sessions import Peer
from gateway.unprivileged.halfopen import HalfOpen
from radius.attributes import Call
from radius.client import EapSession
from radius.eap import identity
from radius.packet import Keys
from radius.printable import printable
from radius.verdict import Accept, Challenge, NoAnswer, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Address

    from gateway.common.vocabulary import Reason
    from gateway.engine import EngineContext
    from gateway.ikev2.radius_wire import Accounting, Asked
    from gateway.policy.sessions import Reservation

LOOPBACK = "127.0.0.1"
MOST_CONVERSATIONS = 1000
SHARE = 256
"""Maximum conversations per source: many clients may be behind one NAT."""
MOST_OPEN = 256
"""Maximum concurrent requests from charon, which has fewer sockets."""
MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class _Next:
    """Another EAP-Request. `refusal`: logged now, because the client may never answer it."""

    eap: bytes
    refusal: tuple[Reason, str] | None = None


@dataclass(frozen=True)
class _Vouched:
    """The client is authenticated."""

    peer: Peer
    eap: bytes
    failure: bytes
    keys: Keys


@dataclass(frozen=True)
class _Refused:
    """The client is refused."""

    reason: Reason
    message: str
    user: str
    eap: bytes = b""
    thumbprint: str = ""
    radius_server: str = ""


class _Conversation(Protocol):
    """One client's EAP conversation."""

    async def answer(self, asked: Asked) -> _Next | _Vouched | _Refused:
        """Handle one EAP-Response."""

    def forget(self) -> None:
        """Discard the conversation's state."""


@dataclass
class _ByCertificate:
    """A conversation with gateway.eap_tls.worker."""

    context: EngineContext
    number: int

    async def answer(self, asked: Asked) -> _Next | _Vouched | _Refused:
        step = await self.context.eap_tls.respond(self.number, wire.fitting(asked.eap))
        if isinstance(step, Shown):
            shown = step.certificate
            peer = _peer(asked, shown.user, thumbprints=shown.thumbprints, root=shown.root)
            keys = Keys(step.msk[:32], step.msk[32:64])
            return _Vouched(peer, step.success, step.failure, keys)
        if isinstance(step, Failed):
            own = step.certificate.thumbprints[:1]
            return _Refused(
                step.reason, step.message, step.certificate.user, step.packet, "".join(own)
            )
        return _Next(step.packet, (step.reason, step.message) if step.reason else None)

    def forget(self) -> None:
        self.context.eap_tls.forget(self.number)


@dataclass
class _ByRadius:
    """A conversation with the ARM document's RADIUS servers."""

    context: EngineContext
    session: EapSession

    async def answer(self, asked: Asked) -> _Next | _Vouched | _Refused:
        path = self.context.radius
        if not path.enabled:
            return _Refused("refused", "Radius authentication is not enabled", _named(asked))
        if unreachable := path.objection():
            return _Refused("radius-no-answer", unreachable, _named(asked))
        outcome = await path.client.eap(self.session, asked.eap)
        user = printable(self.session.user.decode(errors="replace"))
        match outcome:
            case Challenge():
                return _Next(outcome.eap)
            case Accept():
                assert outcome.keys  # EAP without keys is a Reject
                named = outcome.user or user
                peer = _peer(asked, named, authentication="Radius", radius_server=outcome.server)
                return _Vouched(peer, outcome.eap, b"", outcome.keys)
            case NoAnswer():
                words = "; ".join(filter(None, (outcome.message, path.silence())))
                return _Refused(outcome.reason, words, user)
            case Reject():
                return _Refused(
                    outcome.reason,
                    outcome.message,
                    user,
                    outcome.eap,
                    radius_server=outcome.server,
                )

    def forget(self) -> None:
        """There is no state to discard."""


@dataclass
class _Port(asyncio.DatagramProtocol):
    """A UDP port on the loopback."""

    received: Callable[[bytes, tuple[Any, ...]], None]
    transport: Any = field(default=None, repr=False)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.received(data, addr)


class RadiusRelay:
    """Authentication and accounting for charon's eap-radius."""

    def __init__(
        self, context: EngineContext, account: Callable[[Accounting, Reservation | None], None]
    ) -> None:
        """`account` is called for each Accounting-Request, with its client's reservation if any."""
        self._context = context
        self._account = account
        self._secret = secrets.token_hex(16).encode()
        self._background = Background("IKEv2")
        self._ports: list[_Port] = []
        self._evicted = 0
        self._open: set[tuple[object, int, bytes]] = set()
        self._conversations: dict[bytes, tuple[_Conversation, str]] = {}
        """By token, with the client's address at that time; it may answer from another one."""
        self._waiting: HalfOpen[bytes] = HalfOpen(total=MOST_CONVERSATIONS, share=SHARE)
        """Tokens of conversations that wait for the client, by its address."""
        self._admitted: OrderedDict[bytes, Reservation] = OrderedDict()
        self._refused: OrderedDict[str, None] = OrderedDict()
        self._begun: OrderedDict[str, str] = OrderedDict()
        """By unique id: when its IKE_SA asked for the first time."""
        self.dns: Sequence[IPv4Address] = ()
        self.radius = False
        """Whether new conversations use RADIUS."""

    async def start(self) -> tuple[int, int, str]:
        """Listen. Returns the authentication port, the accounting port and the secret."""
        loop = asyncio.get_running_loop()
        for receive in (self._received, self._accounting):
            make = partial(_Port, receive)
            _, port = await loop.create_datagram_endpoint(make, local_addr=(LOOPBACK, 0))
            self._ports.append(port)
        numbers = [port.transport.get_extra_info("sockname")[1] for port in self._ports]
        return numbers[0], numbers[1], self._secret.decode()

    def stop(self) -> None:
        """Stop listening; end all conversations and release their reservations."""
        for port in self._ports:
            port.transport.close()
        self._ports.clear()
        for conversation, _ in map(self._taken, list(self._conversations)):
            conversation.forget()
        for reservation in self._admitted.values():
            self._context.sessions.release(reservation)
        self._admitted.clear()

    def has_refused(self, uniqueid: str) -> bool:
        """Whether the refusal of an IKE_SA is in the log already."""
        return uniqueid in self._refused

    def began(self, uniqueid: str) -> str:
        """When an IKE_SA's authentication began; now, if it begins."""
        if uniqueid not in self._begun:
            self._begun[uniqueid] = now()
            if len(self._begun) > MOST_REMEMBERED:
                self._begun.popitem(last=False)
        return self._begun[uniqueid]

    def forget_sas(self) -> None:
        """charon has died: another one gives its IKE_SAs the same unique ids."""
        self._refused.clear()
        self._begun.clear()

    def counts(self) -> dict[str, int]:
        """Counters for GET /runtime."""
        return {
            "EAP conversations": len(self._conversations),
            "EAP conversations evicted": self._evicted,
        }

    # ------------------------------------------------------------------------------ accounting

    def _accounting(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Open or close the session before charon, which waits for the response, continues."""
        accounting = wire.read_accounting(data, self._secret)
        if accounting is None:
            return
        reservation = self._admitted.pop(accounting.token, None) if accounting.begins else None
        self._account(accounting, reservation)
        self._ports[1].transport.sendto(wire.acknowledge(accounting, self._secret), addr)

    # -------------------------------------------------------------------------- authentication

    def _received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Handle charon's Access-Request, unless it is a retransmission of an open one."""
        asked = wire.read(data, self._secret)
        if asked is None or len(self._open) >= MOST_OPEN:
            return
        mark = (addr, asked.identifier, asked.authenticator)
        if mark not in self._open:
            self._open.add(mark)
            asked = replace(asked, began=self.began(asked.uniqueid))
            self._background.start(self._answer(asked, addr, mark))

    async def _answer(
        self, asked: Asked, addr: tuple[Any, ...], mark: tuple[object, int, bytes]
    ) -> None:
        """Answer a request; a fault of our own is answered with Access-Reject, too."""
        answer = wire.reject(asked, self._secret)
        try:
            answer = await self._verdict(asked)
        except Exception as error:
            self._record(asked, _Refused("fault", f"the gateway's own: {error!r}", _named(asked)))
            raise
        finally:
            self._open.discard(mark)
            self._ports[0].transport.sendto(answer, addr)

    async def _verdict(self, asked: Asked) -> bytes:
        if full := self._full(asked):
            return self._refuse(asked, full)
        conversation = self._conversation(asked)
        if conversation is None:
            unknown = _Refused("refused", "an unknown EAP conversation", _named(asked))
            return self._refuse(asked, unknown)
        step = await conversation.answer(asked)
        if isinstance(step, _Next):
            if step.refusal:
                self._record(asked, _Refused(*step.refusal, _named(asked)))
            token = secrets.token_bytes(16)
            self._remember(token, conversation, asked.address)
            return wire.challenge(asked, self._secret, step.eap, token)
        conversation.forget()
        return self._admit(asked, step) if isinstance(step, _Vouched) else self._refuse(asked, step)

    def _conversation(self, asked: Asked) -> _Conversation | None:
        if asked.state is not None:
            known = asked.state in self._conversations
            return self._taken(asked.state)[0] if known else None
        if self.radius:
            call = Call(asked.address, int(asked.uniqueid or 0), "IkeV2")
            return _ByRadius(self._context, EapSession(call))
        return _ByCertificate(self._context, self._context.eap_tls.begin(asked.address))

    def _taken(self, token: bytes) -> tuple[_Conversation, str]:
        conversation, address = self._conversations.pop(token)
        self._waiting.remove(token, address)
        return conversation, address

    def _remember(self, token: bytes, conversation: _Conversation, address: str) -> None:
        """Keep a conversation; a source with too many evicts its own oldest one."""
        self._conversations[token] = conversation, address
        if (victim := self._waiting.add(token, address)) is not None:
            self._conversations.pop(victim)[0].forget()
            self._evicted += 1

    def _full(self, asked: Asked) -> _Refused | None:
        """A refusal for a new conversation if the SKU's limit is reached."""
        if asked.state is not None:
            return None
        decision = self._context.admission.full("IkeV2")
        if decision is None:
            return None
        return _Refused(decision.reason or "refused", decision.message, _named(asked))

    def _admit(self, asked: Asked, vouched: _Vouched) -> bytes:
        peer = vouched.peer
        decision = self._context.admission.decide(peer)
        if decision.reservation is None:
            reason = decision.reason or "refused"
            refused = _Refused(
                reason, decision.message, peer.user, vouched.failure, peer.thumbprint
            )
            return self._refuse(asked, refused)
        token = secrets.token_bytes(16)
        self._admitted[token] = decision.reservation
        while len(self._admitted) > MOST_REMEMBERED:
            _, lapsed = self._admitted.popitem(last=False)
            self._context.sessions.release(lapsed)
        address = decision.reservation.address
        grant = wire.Grant(vouched.eap, vouched.keys, address, self.dns, token)
        return wire.accept(asked, self._secret, grant)

    def _refuse(self, asked: Asked, refused: _Refused) -> bytes:
        self._record(asked, refused)
        return wire.reject(asked, self._secret, refused.eap)

    def _record(self, asked: Asked, refused: _Refused) -> None:
        """Log a refusal, once per IKE_SA."""
        if asked.uniqueid in self._refused:
            return
        self._refused[asked.uniqueid] = None
        while len(self._refused) > MOST_REMEMBERED:
            self._refused.popitem(last=False)
        self._context.log.add(
            "refused",
            "IkeV2",
            refused.message,
            reason=refused.reason,
            user=refused.user,
            address=asked.address,
            port=asked.port,
            began=asked.began,
            thumbprint=refused.thumbprint,
            radius_server=refused.radius_server,
        )


def _peer(asked: Asked, user: str, **about: Any) -> Peer:
    known = {"thumbprints": (), "root": ""} | about
    return Peer("IkeV2", user, address=asked.address, port=asked.port, began=asked.began, **known)


def _named(asked: Asked) -> str:
    """The client's unverified EAP identity."""
    return printable((identity(asked.eap) or b"").decode(errors="replace"))
