"""The gateway's RADIUS client: asks, waits at most 30 s, and says what it came to.

    client = RadiusClient(servers, Nas("RD0123456789AB", "10.1.255.4"), log=print)
    verdict = await client.mschapv2(Call("203.0.113.9", 7), attempt)

The event loop never waits for a server. Sockets are bound to the gateway's private address,
because a RADIUS server knows its clients by the GatewaySubnet (docs/facts.md §13). Answers
that are not authentic are counted and passed over, as RFC 2865 has it: the right one may follow.
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
from radius.sockets import Wires, told
from radius.verdict import EapVerdict, NoAnswer, Reject, Verdict, of_eap, of_mschapv2, of_pap

MOST_ROUNDS = 50
"""Challenges of one EAP conversation: EAP-TLS with long chains needs some twenty."""
MOST_TOLD = 64
"""Lines about answers that were passed over; all are counted."""
LONGEST_PASSWORD = 128
"""RFC 2865, section 5.2."""


class ChapAttempt(Protocol):
    """gateway.ppp's MsChapV2Attempt."""

    @property
    def user(self) -> str:
        """The name that the client gave."""

    @property
    def authenticator_challenge(self) -> bytes:
        """Ours: 16 bytes."""

    @property
    def peer_challenge(self) -> bytes:
        """The client's: 16 bytes."""

    @property
    def nt_response(self) -> bytes:
        """24 bytes."""

    @property
    def identifier(self) -> int:
        """Of the CHAP packets."""


@dataclass(frozen=True)
class _Answered:
    answer: Answer
    server: Server


@dataclass
class EapSession:
    """An EAP conversation that is passed through; `RadiusClient.eap` keeps it up to date."""

    call: Call
    user: bytes = b""
    """The client's EAP identity."""
    server: Server | None = None
    """Who answered first: only that one knows the State."""
    state: bytes | None = field(default=None, repr=False)
    ends: float = 0.0
    """By the event loop's clock; counts from the first packet."""
    rounds: int = 0


class RadiusClient:
    """RADIUS servers in the order of their scores, as one gateway asks them."""

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
        """Answers that were passed over, by what was wrong with them."""
        self._servers = in_order(servers)
        self._nas = nas
        self._log = log
        self._limit = limit
        self._told: set[tuple[Flaw, str]] = set()
        self._wires = Wires(nas.address, entropy, self._flawed)
        for server in self._servers:
            if server.may_omit_message_authenticator:
                log(f"RADIUS server {server.address} may answer without Message-Authenticator "
                    "outside EAP: open to CVE-2024-3596")  # fmt: skip

    def close(self) -> None:
        """Close the sockets."""
        self._wires.close()

    async def pap(self, call: Call, user: str, password: str) -> Verdict:
        """A name and a password."""
        if len(password.encode()) > LONGEST_PASSWORD:
            return Reject("", "password", f"the password has more than {LONGEST_PASSWORD} bytes")
        request = Request([*of_call(self._nas, call)], password=password)
        asked = await self._ask(request, user.encode(), self._servers, self._limit)
        return of_pap(asked.answer, asked.server.address) if isinstance(asked, _Answered) else asked

    async def mschapv2(self, call: Call, attempt: ChapAttempt) -> Verdict:
        """MS-CHAPv2 as a client answered it: RFC 2759's fields."""
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
        """Relay an EAP-Response of the client; the first one is its identity."""
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
        """What speaks against relaying the packet; the session's identity, round and time."""
        if not eap_packets.is_response(packet) or len(packet) > LONGEST_EAP:
            return Reject("", "refused", "the client sent no whole EAP-Response")
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
        verdict = NoAnswer("; ".join(filter(None, (silence, told(question.flaws), error))))
        self._log(f"RADIUS: {verdict.message}")
        return verdict

    def _flawed(self, flaw: Flaw, address: str) -> None:
        """Count it; one line for each kind and address."""
        self.counters[flaw] += 1
        if (flaw, address) not in self._told and len(self._told) < MOST_TOLD:
            self._told.add((flaw, address))
            self._log(f"RADIUS: an answer from {address} is ignored: {flaw}")


def _name(user: bytes) -> str:
    """A client's own word, in quotes of its own in a log line."""
    return json.dumps(printable(user.decode(errors="replace")), ensure_ascii=False)
