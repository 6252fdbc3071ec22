"""The gateway's RADIUS client: sends a request, waits at most 30 s, and returns a verdict.

    client = RadiusClient(servers, Nas("RD0123456789AB", "10.1.255.4"), log=print)
    verdict = await client.mschapv2(Call("203.0.113.9", 7), attempt)

It never blocks the event loop. Sockets are bound to the gateway's private address, because RADIUS
servers identify their client by the GatewaySubnet (docs/facts.md §13). Answers that are not
authentic are counted and ignored, as in RFC 2865: the right one may follow.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from radius import eap as eap_packets
from radius.attributes import Call, Nas, Pair, of_call
from radius.exchange import Question
from radius.packet import LONGEST_EAP, LONGEST_VALUE, Answer, Flaw, Request, Server
from radius.printable import printable
from radius.schedule import LIMIT, in_order
from radius.sockets import Wires, ignored
from radius.verdict import EapVerdict, NoAnswer, Reject, Verdict, of_eap, of_mschapv2, of_pap

MOST_ROUNDS = 50
"""Maximum challenges of one EAP conversation: EAP-TLS with long chains needs some twenty."""
MOST_LOGGED = 64
"""Maximum log lines about ignored answers; all are counted."""
LONGEST_PASSWORD = 128
"""RFC 2865, section 5.2."""


class ChapAttempt(Protocol):
    """gateway.ppp's MsChapV2Attempt."""

    @property
    def user(self) -> str:
        """The name sent by the client."""

    @property
    def authenticator_challenge(self) -> bytes:
        """The gateway's challenge: 16 bytes."""

    @property
    def peer_challenge(self) -> bytes:
        """The client's challenge: 16 bytes."""

    @property
    def nt_response(self) -> bytes:
        """24 bytes."""

    @property
    def identifier(self) -> int:
        """The identifier of the CHAP packets."""


@dataclass(frozen=True)
class _Answered:
    answer: Answer
    server: Server


@dataclass
class EapSession:
    """A pass-through EAP conversation, updated by `RadiusClient.eap`."""

    call: Call
    user: bytes = b""
    """The client's EAP identity."""
    server: Server | None = None
    """The server that answered first; only this one knows the State."""
    state: bytes | None = field(default=None, repr=False)
    ends: float = 0.0
    """The time limit, by the event loop's clock; set with the first packet."""
    rounds: int = 0


class RadiusClient:
    """A gateway's client for several RADIUS servers, which it asks in order of their scores."""

    def __init__(
        self,
        servers: Sequence[Server],
        nas: Nas,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
        log: Callable[[str], None] = lambda _: None,
        limit: float = LIMIT,
    ) -> None:
        self.counters: Counter[Flaw] = Counter()
        """Ignored answers, by flaw."""
        self._servers = in_order(servers)
        self._nas = nas
        self._log = log
        self._limit = limit
        self._logged: set[tuple[Flaw, str]] = set()
        self._wires = Wires(nas.address, entropy, self._flawed)
        for server in self._servers:
            if server.may_omit_message_authenticator:
                log(f"RADIUS server {server.address} may answer without Message-Authenticator "
                    "outside EAP: open to CVE-2024-3596")  # fmt: skip

    def close(self) -> None:
        """Close the sockets."""
        self._wires.close()

    async def pap(self, call: Call, user: str, password: str) -> Verdict:
        """Authenticate a user by name and password."""
        if len(password.encode()) > LONGEST_PASSWORD:
            return Reject("", "password", f"the password has more than {LONGEST_PASSWORD} bytes")
        request = Request([*of_call(self._nas, call)], password=password)
        asked = await self._ask(request, user.encode(), self._servers, self._limit)
        return of_pap(asked.answer, asked.server.address) if isinstance(asked, _Answered) else asked

    async def mschapv2(self, call: Call, attempt: ChapAttempt) -> Verdict:
        """Authenticate a client's MS-CHAPv2 response (RFC 2759)."""
        chap2 = bytes((attempt.identifier, 0)) + attempt.peer_challenge + bytes(8)
        pairs: list[Pair] = [
            *of_call(self._nas, call),
            ("MS-CHAP-Challenge", attempt.authenticator_challenge),
            ("MS-CHAP2-Response", chap2 + attempt.nt_response),
        ]
        asked = await self._ask(Request(pairs), attempt.user.encode(), self._servers, self._limit)
        if isinstance(asked, _Answered):
            return of_mschapv2(asked.answer, asked.server.address, attempt.identifier)
        return asked

    async def eap(self, session: EapSession, packet: bytes) -> EapVerdict:
        """Relay a client's EAP-Response; the first one must be its identity."""
        objection = self._begin(session, packet, asyncio.get_running_loop().time())
        if objection:
            return objection
        state: list[Pair] = [("State", session.state)] if session.state is not None else []
        request = Request([*of_call(self._nas, session.call), *state], eap=packet)
        servers = [session.server] if session.server else self._servers
        left = session.ends - asyncio.get_running_loop().time()
        asked = await self._ask(request, session.user, servers, left)
        if not isinstance(asked, _Answered):
            return asked
        session.server, session.state = asked.server, asked.answer.state
        return of_eap(asked.answer, asked.server.address)

    def _begin(self, session: EapSession, packet: bytes, now: float) -> Reject | NoAnswer | None:
        """Why the packet cannot be relayed, if so; updates identity, rounds and end."""
        if not eap_packets.is_response(packet) or len(packet) > LONGEST_EAP:
            return Reject("", "refused", "the client sent no complete EAP-Response")
        if session.rounds == 0:
            named = eap_packets.identity(packet)
            if named is None:
                return Reject("", "refused", "the client did not begin with its EAP identity")
            session.user, session.ends = named, now + self._limit
        session.rounds += 1
        if session.rounds > MOST_ROUNDS:
            return Reject("", "refused", f"no end after {MOST_ROUNDS} challenges")
        return NoAnswer(f"not done within {self._limit:g} s") if now >= session.ends else None

    async def _ask(
        self, request: Request, user: bytes, servers: Sequence[Server], limit: float
    ) -> _Answered | NoAnswer | Reject:
        if not 1 <= len(user) <= LONGEST_VALUE:
            return Reject("", "refused", f"a user name of {len(user)} bytes")
        request = replace(request, pairs=[("User-Name", user), *request.pairs])
        try:
            wire = await self._wires.free()
        except OSError as error:
            return NoAnswer(f"no socket at {self._nas.address}: {error.strerror or error}")
        question = await wire.ask(request, servers, limit)
        if question.answer is None or question.answered_by is None:
            return self._unanswered(question, wire.error)
        silent = [host for host in question.asked if host != question.answered_by.address]
        instead = f", and {', '.join(silent)} did not" if silent else ""
        self._log(
            f"RADIUS server {question.answered_by.address} answered for {_name(user)}: "
            f"{question.answer.kind}{instead}"
        )
        return _Answered(question.answer, question.answered_by)

    def _unanswered(self, question: Question, error: str) -> NoAnswer:
        asked = ", ".join(question.asked) or "any server"
        silence = f"no answer from {asked} within {question.limit:.3g} s"
        unsigned = set(question.flaws) == {"no-message-authenticator"}
        verdict = NoAnswer(
            "; ".join(filter(None, (silence, ignored(question.flaws), error))),
            "radius-unsigned" if unsigned else "radius-no-answer",
        )
        self._log(f"RADIUS: {verdict.message}")
        return verdict

    def _flawed(self, flaw: Flaw, address: str) -> None:
        """Count an ignored answer; log one line per flaw and address."""
        self.counters[flaw] += 1
        if (flaw, address) not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add((flaw, address))
            self._log(f"RADIUS: an answer from {address} is ignored: {flaw}")


def _name(user: bytes) -> str:
    """A name sent by a client, escaped and quoted for a log line."""
    return json.dumps(printable(user.decode(errors="replace")), ensure_ascii=False)
