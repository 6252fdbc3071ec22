"""A second factor by push in front of a RADIUS server: the state of radius.push_proxy, sans-I/O.

The proxy forwards a request to the server. If the server accepts, the proxy asks the user and holds
the answer back until the user decides on the phone. The gateway is not aware of this: it waits,
30 s at most (docs/facts.md §13). To have a code typed, the proxy sends an Access-Challenge,
which neither PPP nor EAP-MSCHAPv2 supports: it fails, as with Azure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from pyrad.packet import AccessAccept, AccessChallenge, AccessReject, AuthPacket

from radius import relay
from radius.printable import printable
from radius.reasons import DENIED, LATE, TYPED, Reason, bare
from radius.schedule import LIMIT

Approved = Literal["asked", "never", "typed"] | float
"""By the command `approve`; never; by a typed code; or by itself after this many seconds."""
Address = tuple[str, int]
TO_SERVER: Address = ("", 0)
"""Stands for the RADIUS server's address."""
MOST = 200
"""Maximum requests pending at the server: an identifier has eight bits."""
MOST_WAITING = 1024
STATE_LENGTH = 16
REMEMBERED = 60.0
"""Seconds after which a request is forgotten, answered or not."""
ASK_FOR_CODE = "Enter your verification code"
EAP_FAILURE, EAP_REQUEST, EAP_GTC = 4, 1, 6


@dataclass
class Visit:
    """A request and its state."""

    source: Address
    request: AuthPacket
    began: float
    asked: AuthPacket | None = None
    """The request as sent to the server; None once the server has answered."""
    sent: bytes = b""
    accepted: AuthPacket | None = None
    """The server's Access-Accept, held back until the user decides."""
    kept_at: float = 0.0
    reply: bytes = b""
    """The answer to the client, repeated for retransmissions."""
    due: float | None = None
    """When to send the answer, if it is delayed."""
    told_late: bool = False

    @property
    def user(self) -> str:
        """The User-Name, sanitised for a log line."""
        name = b"".join(self.request.get(relay.USER_NAME, []))
        return printable(name.decode(errors="replace"))


@dataclass
class PushProxy:
    """Requests in, answers out; the caller empties `outgoing` and `lines`."""

    clients: Sequence[tuple[IPv4Network, bytes]] = field(repr=False)
    """Clients' prefixes and secrets."""
    secret: bytes = field(repr=False)
    """The server's secret."""
    entropy: Callable[[int], bytes]
    factor: Approved | None = None
    deniers: frozenset[str] = frozenset()
    """Users who deny where others approve by themselves."""
    slow: float = 0.0
    """Seconds by which every answer is delayed."""
    outgoing: list[tuple[bytes, Address]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _visits: dict[tuple[Address, int, bytes], Visit] = field(default_factory=dict)
    _at_server: dict[int, Visit] = field(default_factory=dict)
    _states: dict[bytes, float] = field(default_factory=dict)
    """The proxy's own challenges: State to time."""

    # ---- input

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Handle a datagram from a client."""
        secret = self._secret_of(source[0])
        if secret is None:
            self.lines.append(f"from {source[0]}, which is no client: ignored")
            return
        request = relay.read_request(data, secret)
        if request is None:
            self.lines.append(
                f"from {source[0]}: no Access-Request signed with its secret: ignored"
            )
            return
        key = (source, request.id, request.authenticator)
        if key in self._visits:
            self._again(self._visits[key])
        elif len(self._visits) < MOST_WAITING and len(self._at_server) < MOST:
            self._visits[key] = visit = Visit(source, request, now)
            self._enter(visit, now)
        else:
            self.lines.append("too many requests at once: ignored")

    def answered(self, data: bytes, now: float) -> None:
        """Handle a datagram from the server."""
        visit = self._at_server.get(data[1]) if len(data) > 1 else None
        answer = relay.read_answer(data, visit.asked) if visit and visit.asked else None
        if visit is None or answer is None:
            self.lines.append("an answer of the server is none to what it was asked: ignored")
            return
        del self._at_server[data[1]]
        visit.asked = None
        if answer.code == AccessAccept and self.factor is not None:
            self._ask_user(visit, answer, now)
        else:
            self._ready(visit, relay.back(answer, visit.request), now)

    def decide(self, user: str, now: float, *, approve: bool) -> int:
        """Handle the user's decision; return the number of requests that it decides."""
        waiting = [
            visit for visit in self._waiting() if bare(visit.user).lower() == bare(user).lower()
        ]
        for visit in waiting:
            self._approve(visit, now) if approve else self._deny(visit, now)
        return len(waiting)

    def tick(self, now: float) -> None:
        """Do what is due: approvals, delayed answers, forgetting old requests."""
        for visit in list(self._waiting()):
            waited = now - visit.kept_at
            if isinstance(self.factor, float) and waited >= self.factor:
                denies = bare(visit.user).lower() in self.deniers
                self._deny(visit, now) if denies else self._approve(visit, now)
            elif now - visit.began >= LIMIT and not visit.told_late:
                visit.told_late = True
                words = f"{LATE}: no word within {LIMIT:g} s, as long as gateways wait"
                self._log(visit, words, "second-factor-late")
        for visit in self._visits.values():
            if visit.due is not None and now >= visit.due:
                visit.due = None
                self.outgoing.append((visit.reply, visit.source))
        old = [key for key, visit in self._visits.items() if now - visit.began > REMEMBERED]
        self._states = {s: at for s, at in self._states.items() if now - at <= REMEMBERED}
        for key in old:
            gone = self._visits.pop(key)
            if gone.asked:
                self._at_server.pop(gone.asked.id, None)

    def deadline(self) -> float | None:
        """When `tick` must be called next; None: not until the next datagram."""
        times = [visit.began + REMEMBERED for visit in self._visits.values()]
        times += [visit.due for visit in self._visits.values() if visit.due is not None]
        for visit in self._waiting():
            if isinstance(self.factor, float):
                times.append(visit.kept_at + self.factor)
            if not visit.told_late:
                times.append(visit.began + LIMIT)
        return min(times) if times else None

    @property
    def waiting(self) -> list[str]:
        """The users who are being asked."""
        return sorted({visit.user for visit in self._waiting()})

    # ---- inside

    def _secret_of(self, address: str) -> bytes | None:
        source = IPv4Address(address)
        return next((secret for prefix, secret in self.clients if source in prefix), None)

    def _waiting(self) -> list[Visit]:
        return [visit for visit in self._visits.values() if visit.accepted is not None]

    def _enter(self, visit: Visit, now: float) -> None:
        """Forward a new request; refuse the answer to our own challenge, which cannot be a code."""
        state = b"".join(visit.request.get(relay.STATE, []))
        if state not in self._states:
            self._send_on(visit)
            return
        eap = _eap(visit.request)
        failure = bytes((EAP_FAILURE, eap[1], 0, 4)) if eap else b""
        self._ready(visit, relay.made_up(visit.request, AccessReject, TYPED, eap=failure), now)

    def _send_on(self, visit: Visit) -> None:
        identifier = next(n for n in range(256) if n not in self._at_server)
        visit.asked = relay.onwards(visit.request, identifier, self.secret, self.entropy)
        if visit.asked is None:
            self.lines.append(f"from {visit.source[0]}: the password is not hidden: ignored")
            return
        visit.sent = visit.asked.RequestPacket()
        self._at_server[identifier] = visit
        self.outgoing.append((visit.sent, TO_SERVER))

    def _again(self, visit: Visit) -> None:
        """Handle a retransmission, without asking the user again."""
        if visit.reply and visit.due is None:
            self.outgoing.append((visit.reply, visit.source))
        elif visit.asked is not None:
            self.outgoing.append((visit.sent, TO_SERVER))

    def _ask_user(self, visit: Visit, answer: AuthPacket, now: float) -> None:
        if self.factor == "typed":
            self._ask_for_code(visit, answer, now)
            return
        visit.accepted, visit.kept_at = answer, now
        self._log(visit, "asked")

    def _approve(self, visit: Visit, now: float) -> None:
        assert visit.accepted is not None
        waited = now - visit.began
        if waited < LIMIT:
            self._log(visit, f"approved after {waited:.1f} s")
        else:
            words = f"{LATE}: approved after {waited:.1f} s, and gateways wait {LIMIT:g} s"
            self._log(visit, words, "second-factor-late")
        reply = relay.back(visit.accepted, visit.request)
        visit.accepted = None
        self._ready(visit, reply, now)

    def _deny(self, visit: Visit, now: float) -> None:
        assert visit.accepted is not None
        self._log(visit, DENIED, "second-factor-denied")
        eap = _eap(visit.accepted)
        failure = bytes((EAP_FAILURE, eap[1], 0, 4)) if eap else b""
        visit.accepted = None
        self._ready(visit, relay.made_up(visit.request, AccessReject, DENIED, eap=failure), now)

    def _ask_for_code(self, visit: Visit, answer: AuthPacket, now: float) -> None:
        self._log(visit, TYPED, "typed-code")
        eap = _eap(answer)
        prompt = b""
        if eap:
            text = ASK_FOR_CODE.encode()
            head = bytes((EAP_REQUEST, eap[1] + 1 & 255)) + (5 + len(text)).to_bytes(2)
            prompt = head + bytes((EAP_GTC,)) + text
        state = self.entropy(STATE_LENGTH)
        self._states[state] = now
        reply = relay.made_up(visit.request, AccessChallenge, ASK_FOR_CODE, eap=prompt, state=state)
        self._ready(visit, reply, now)

    def _ready(self, visit: Visit, reply: bytes, now: float) -> None:
        visit.reply = reply
        if self.slow:
            visit.due = now + self.slow
        else:
            self.outgoing.append((reply, visit.source))

    def _log(self, visit: Visit, words: str, reason: Reason | None = None) -> None:
        """Log a line for radius.reasons.of_push_proxy; `reason`: of a refusal."""
        record = {"user": visit.user, "reason": reason, "message": words}
        self.lines.append(json.dumps(record, ensure_ascii=False))


def _eap(packet: AuthPacket) -> bytes:
    eap = b"".join(packet.get(relay.EAP_MESSAGE, []))
    return eap if len(eap) >= 4 else b""
