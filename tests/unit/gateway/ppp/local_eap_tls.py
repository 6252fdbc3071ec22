"""A judge of a Pair (tests.unit.gateway.ppp.pair) that ends EAP-TLS as gateway.eap_tls.worker
does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address

from OpenSSL import SSL

from gateway.eap_tls.worker.server import Conversation, Failed, Reply, Shown
from gateway.policy.trust import Roots
from gateway.ppp.events import Accept, Attempt, EapAttempt, EapReply, Refuse, Verdict
from gateway.ppp.keys import from_msk
from tests.unit.gateway.ppp.certificates import credential, server_tls

GIVEN = IPv4Address("172.16.201.7")


def let_in(shown: Shown) -> Verdict | None:
    return Accept(GIVEN, from_msk(shown.msk), eap=shown.packet)


class LocalEapTls:
    """`shown`: certificates whose key was proved; `decide` says what becomes of them."""

    def __init__(
        self,
        context: SSL.Context | None = None,
        roots: Roots | None = None,
        decide: Callable[[Shown], Verdict | None] = let_in,
    ) -> None:
        self.shown: list[Shown] = []
        self.failed: list[Failed] = []
        self.decide = decide
        self._context = context or server_tls()
        self._roots = roots or Roots((credential("user root").certificate,))
        self._conversation: Conversation | None = None

    def __call__(self, attempt: Attempt) -> Verdict | None:
        assert isinstance(attempt, EapAttempt)
        if self._conversation is None:
            self._conversation = Conversation(
                self._context, self._roots, lambda: datetime.now(UTC), attempt.room
            )
        step = self._conversation.receive(attempt.packet)
        match step:
            case Reply(packet, refusal):
                return EapReply(packet, (refusal.reason, refusal.message) if refusal else None)
            case Shown():
                self.shown.append(step)
                return self.decide(step)
            case Failed(refusal, packet):
                self.failed.append(step)
                return Refuse(refusal.reason, refusal.message, packet)
