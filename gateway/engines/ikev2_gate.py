"""The gate for IKEv2: what it says about the certificates that charon asks about.

Before charon lets a client in it asks the OCSP responder; `decide` puts the question to the gate
and remembers the verdict until the IKE_SA is up or refused.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.engines.ikev2_attempts import subject
from gateway.sessions import RESERVATION_LIFE, Peer
from gateway.trust import examine, is_authority, thumbprint, user_name
from gateway.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cryptography import x509

    from gateway.admission import Admission
    from gateway.engines.ikev2_attempts import Attempts
    from gateway.ocsp import Question, Status
    from gateway.sessions import Reservation
    from gateway.vocabulary import Reason

LOG_LIMIT = 1.0
"""Seconds for charon's log line with the client's name to come."""


@dataclass(frozen=True)
class Verdict:
    """What the gate said about a client's certificate; `reservation` is there if it said yes."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    reason: Reason | None
    message: str
    reservation: Reservation | None = None
    expires: float = field(default_factory=lambda: time.monotonic() + RESERVATION_LIFE)

    @property
    def subject(self) -> str:
        """As charon prints it."""
        return subject(self.certificate.subject)


class Turns:
    """One question about an intermediate at a time.

    An OCSP request does not say for which client charon asks; its log does, but two clients may
    ask within a millisecond. So each is told `later` when it is its turn, and the one who then
    asks again is alone.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def take(self) -> Status:
        """Wait for the turn; it ends by itself if nobody asks again."""
        await self._lock.acquire()
        self._end = asyncio.get_running_loop().call_later(LOG_LIMIT, self.end)
        return "later"

    def end(self) -> None:
        """The next one's turn; nothing happens if there is none to end."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
            self._lock.release()


class Gate:
    """Asks admission, and remembers.

    `known` gives the certificates that charon holds, those of clients on their way among them.
    `learn` makes charon ask about what an intermediate has issued; charon cannot be told
    beforehand, for Azure is given roots only. It must not wait: charon holds the lock of its list
    of authorities until it has our answer.
    """

    def __init__(
        self,
        admission: Admission,
        known: Callable[[], Awaitable[list[x509.Certificate]]],
        attempts: Attempts,
        learn: Callable[[x509.Certificate], None],
    ) -> None:
        self.roots: tuple[x509.Certificate, ...] = ()
        self._admission = admission
        self._known = known
        self._attempts = attempts
        self._learn = learn
        self._verdicts: list[Verdict] = []
        self._turns = Turns()

    async def decide(self, question: Question) -> Status:
        """Answer charon's OCSP question."""
        known = await self._known()
        certificate = next((c for c in known if question.matches(c)), None)
        if certificate is None:
            return "unknown"
        if is_authority(certificate):
            if not question.again:
                return await self._turns.take()
            try:
                return await self._decide_below(certificate)
            finally:
                self._turns.end()
        return "revoked" if self._judge(certificate, known).reason else "good"

    def take(self, name: str, *, admitted: bool) -> list[Verdict]:
        """Take out the verdicts of a subject that said yes, or those that said no."""
        now = time.monotonic()
        self._verdicts = [verdict for verdict in self._verdicts if verdict.expires > now]
        taken = [
            verdict
            for verdict in self._verdicts
            if verdict.subject == name and (verdict.reason is None) == admitted
        ]
        self._verdicts = [verdict for verdict in self._verdicts if verdict not in taken]
        return taken

    def put_back(self, verdicts: list[Verdict]) -> None:
        """Those that `take` gave and that are for others."""
        self._verdicts.extend(verdicts)

    async def judge_late(self, name: str) -> Verdict | None:
        """For a client that is in without a verdict: by its subject, None if that is ambiguous."""
        known = await self._known()
        candidates = _of_subject(known, name)
        if len(candidates) != 1:
            return None
        self._judge(candidates[0], known)
        return self._verdicts.pop()

    async def explain(self, name: str) -> Verdict | None:
        """Why charon refused a subject's certificate before it asked; None if nothing is found."""
        known = await self._known()
        candidates = _of_subject(known, name)
        if len(candidates) != 1:
            return None
        finding = examine(candidates[0], known, self.roots, _now())
        return Verdict(candidates[0], finding.chain, finding.reason, finding.message)

    def _judge(self, certificate: x509.Certificate, known: list[x509.Certificate]) -> Verdict:
        finding = examine(certificate, known, self.roots, _now())
        if finding.reason:
            verdict = Verdict(certificate, finding.chain, finding.reason, finding.message)
        else:
            root = thumbprint(finding.chain[-1])
            peer = Peer("IkeV2", user_name(certificate), thumbprint(certificate), root)
            decision = self._admission.decide(peer)
            verdict = Verdict(
                certificate, finding.chain, decision.reason, decision.message, decision.reservation
            )
        self._verdicts.append(verdict)
        return verdict

    async def _decide_below(self, authority: x509.Certificate) -> Status:
        """Charon asks about an intermediate after the client's certificate; the intermediate is
        never revoked itself (azure-docs: revocation is by leaf). Only when charon meets it for
        the first time it could not ask about the client's, so that is judged here.

        A renewed certificate has the subject of the old one, which charon may still hold: the one
        that was judged for this attempt is meant, and if none was, none of them may be refused.
        """
        leaves = await self._asking_below(authority)
        verdicts = [verdict for verdict in self._verdicts if verdict.certificate in leaves][-1:]
        if not verdicts:
            known = await self._known()
            verdicts = [self._judge(leaf, known) for leaf in leaves]
            for intermediate in {part for v in verdicts for part in v.chain[1:-1]}:
                self._learn(intermediate)
        return "revoked" if any(verdict.reason for verdict in verdicts) else "good"

    async def _asking_below(self, authority: x509.Certificate) -> list[x509.Certificate]:
        """Certificates with the subject of the client for whose sake charon asks about this
        authority; none if it does not say so, and whoever comes in unjudged is judged then.

        Several clients may be on their way, and one's revocation is not the others'.
        """
        try:
            attempt = await wait_until(
                "charon's log line on whom it asks for",
                LOG_LIMIT,
                lambda: self._attempts.claim(subject(authority.subject)),
            )
        except TimeoutError:
            return []
        known = await self._known()
        return [
            certificate
            for certificate in _of_subject(known, attempt.subject)
            if authority in examine(certificate, known, self.roots, _now()).chain
        ]


def _of_subject(known: list[x509.Certificate], name: str) -> list[x509.Certificate]:
    return [c for c in known if not is_authority(c) and subject(c.subject) == name]


def _now() -> datetime:
    return datetime.now(UTC)
