"""The worker: one thread that handles one message at a time, each at a bounded cost."""

from __future__ import annotations

import select
import time
import traceback
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509

from gateway.eap_tls.worker import messages as m
from gateway.eap_tls.worker.server import Conversation, Failed, Refusal, Reply, Shown
from gateway.policy.trust import Finding, Roots, examine
from gateway.ppp import tls_contexts
from gateway.ppp.eap import Code
from gateway.ppp.frames import encode_packet
from gateway.unprivileged.channel import ChannelError
from radius.printable import printable

if TYPE_CHECKING:
    from OpenSSL import SSL

    from gateway.common.vocabulary import Reason
    from gateway.eap_tls.worker.server import Step
    from gateway.unprivileged.channel import Channel

DEAREST = 0.5
"""Maximum seconds of processor time per conversation: a hundred times what a usual one takes."""
MOST_CONVERSATIONS = 1500
"""More than the gateway's own limit (gateway.eap_tls.service); a safeguard."""


class Worker:
    """Answers the gateway until it exits. `context`: tls_contexts.server_context."""

    def __init__(
        self,
        channel: Channel[m.ToWorker],
        context: SSL.Context,
        kept: str,
    ) -> None:
        self._channel = channel
        self._kept = kept
        self._roots = Roots()
        self._context = context
        self._conversations: dict[int, _Counted] = {}
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Run until the other end is closed."""
        poll = select.poll()
        try:
            while True:
                wanted = select.POLLOUT if self._channel.wants_write else 0
                poll.register(self._channel.fileno(), select.POLLIN | wanted)
                poll.poll()
                self._channel.flush()
                for order in self._channel.receive():
                    self._handle(order)
        except ChannelError:  # the gateway has exited
            return

    def _handle(self, order: m.ToWorker) -> None:
        match order:
            case m.Configure():
                self._configure(order)
            case m.Response():
                self._channel.send(self._respond(order))
            case m.Forget():
                self._conversations.pop(order.conversation, None)
            case m.Look():
                self._channel.send(self._look(order))
            case m.Ping():
                counts = {**self._counts, "conversations": len(self._conversations)}
                self._channel.send(m.Pong(number=order.number, counts=counts))

    def _configure(self, order: m.Configure) -> None:
        certificates = tuple(map(x509.load_der_x509_certificate, order.roots))
        self._roots = Roots(certificates)
        tls_contexts.name_client_roots(self._context, certificates)
        self._channel.send(m.Configured(number=order.number, kept=self._kept))

    def _respond(self, order: m.Response) -> m.Request | m.Shown | m.Failed:
        conversation = self._conversations.get(order.conversation) or self._begin(order)
        step = conversation.receive(order.packet) if conversation else _busy(order.packet)
        if not isinstance(step, Reply):
            self._conversations.pop(order.conversation, None)
        return self._message(order.conversation, step)

    def _begin(self, order: m.Response) -> _Counted | None:
        if len(self._conversations) >= MOST_CONVERSATIONS:
            return None
        self._counts["begun"] += 1
        made = _Counted(
            Conversation(self._context, self._roots, lambda: datetime.now(UTC), order.room)
        )
        self._conversations[order.conversation] = made
        return made

    def _message(self, number: int, step: Step) -> m.Request | m.Shown | m.Failed:
        match step:
            case Reply(packet, refusal):
                reason, message = (refusal.reason, refusal.message) if refusal else (None, "")
                return m.Request(
                    conversation=number, packet=packet, reason=reason, message=printable(message)
                )
            case Shown(finding, msk, success, failure):
                self._counts["shown"] += 1
                return m.Shown(
                    conversation=number,
                    certificate=_certified(finding),
                    msk=msk,
                    success=success,
                    failure=failure,
                )
            case Failed(refusal, packet, finding):
                self._counts[f"failed: {refusal.reason}"] += 1
                return m.Failed(
                    conversation=number,
                    reason=refusal.reason,
                    message=printable(refusal.message),
                    packet=packet,
                    certificate=_certified(finding),
                )

    def _look(self, order: m.Look) -> m.Looked:
        try:
            finding = examine(order.chain, self._roots, datetime.now(UTC))
        except Exception:  # noqa: BLE001 - a fault of our own refuses this chain only
            traceback.print_exc()
            finding = Finding("fault", "a fault of the gateway's own")
        self._counts["looked at"] += 1
        return m.Looked(
            number=order.number,
            reason=finding.reason,
            message=printable(finding.message),
            certificate=_certified(finding),
        )


class _Counted:
    """A conversation with a limit on its processor time."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._left = DEAREST

    def receive(self, packet: bytes) -> Step:
        """Handle a packet; a fault of our own ends this conversation only."""
        began = time.thread_time()
        try:
            step = self._conversation.receive(packet)
        except Exception:  # noqa: BLE001 - any fault is a refusal
            traceback.print_exc()
            return _failed(packet, "fault", "a fault of the gateway's own")
        self._left -= time.thread_time() - began
        if self._left < 0:
            return _failed(packet, "refused", f"it took more than {DEAREST:g} s of processor time")
        return step


def _busy(packet: bytes) -> Failed:
    return _failed(packet, "refused", f"{MOST_CONVERSATIONS} conversations are open already")


def _failed(packet: bytes, reason: Reason, message: str) -> Failed:
    identifier = packet[1] if len(packet) > 1 else 0
    return Failed(Refusal(reason, message), encode_packet(Code.FAILURE, identifier))


def _certified(finding: Finding | None) -> m.Certified:
    identity = finding.identity if finding else None
    if finding is None or identity is None:
        return m.Certified()
    return m.Certified(
        user=printable(identity.user), thumbprints=identity.thumbprints, root=finding.root
    )
