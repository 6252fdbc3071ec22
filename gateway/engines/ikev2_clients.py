"""IKEv2 clients after the gate: charon's events turned into sessions and records.

No session lives without the gate's word: a client that got in without a verdict (charon was
content with a cached answer, or got none in time) is judged now, and put out if refused.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from gateway.engines import vici_messages as vici
from gateway.engines.background import Background
from gateway.engines.ikev2_attempts import common_name
from gateway.engines.ikev2_config import CONNECTIONS, RADIUS
from gateway.engines.s2s_config import SITE_TO_SITE
from gateway.errors import EngineError, GatewayError
from gateway.trust import thumbprint, user_name
from gateway.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.diagnostics import Event
    from gateway.engines.base import Surroundings
    from gateway.engines.ikev2_attempts import Attempt, Attempts
    from gateway.engines.ikev2_gate import Gate, Verdict
    from gateway.engines.ikev2_radius import RadiusRelay
    from gateway.engines.vici_link import ViciLink
    from gateway.sessions import Reservation, Session
    from gateway.vocabulary import Reason

LOG_LIMIT = 1.0
"""Seconds for charon's log line with the client's name to come."""

GOODBYE_MS = "1000"
"""How long a client may take to confirm that its IKE_SA is deleted, before it is forgotten."""


class Clients:
    """All that happens to IKEv2 clients."""

    def __init__(
        self,
        around: Surroundings,
        link: ViciLink,
        attempts: Attempts,
        gate: Gate,
        *,
        relay: RadiusRelay,
        peers: Callable[[], frozenset[str]],
    ) -> None:
        """`peers`: addresses of site-to-site devices, from which no client comes (azure-docs
        vpn-gateway-vpn-faq: P2S over IKEv2 cannot start from a public IP that S2S uses)."""
        self._around = around
        self._peers = peers
        self._relay = relay
        self._link = link
        self._attempts = attempts
        self._gate = gate
        self._children: dict[str, dict[str, vici.ChildSa]] = {}
        self._background = Background("IKEv2")

    def on_event(self, name: str, message: dict[str, Any]) -> None:
        """Take a vici event."""
        for event in vici.event(name, message):
            match event:
                case vici.LogLine() if not event.connection.startswith(SITE_TO_SITE):
                    attempt = self._attempts.feed(event)
                    if attempt and attempt.address not in self._peers():
                        self._background.start(self._refused(attempt))
                case vici.UpDown():
                    self._up_or_down(event)
                case vici.IkeRekeyed():
                    self._rekeyed(event)
                case vici.ChildRekeyed():
                    self._count(event.uniqueid, (event.old,))

    def _up_or_down(self, event: vici.UpDown) -> None:
        for sa in event.sas:
            if sa.connection not in CONNECTIONS:
                continue
            if event.up:
                self._background.start(self._up(sa))
            else:
                self._down(sa, "the client went away")

    async def refresh(self) -> None:
        """Counters and addresses (MOBIKE, NAT) from charon."""
        for message in await self._link.ask("list-sas", {"noblock": "yes"}):
            for sa in vici.ike_sas(message):
                self._count(sa.uniqueid, sa.children)
                session = self._around.sessions.by_handle("IkeV2", sa.uniqueid)
                if session:
                    session.public_address = sa.remote_host

    async def terminate(self, uniqueid: str) -> None:
        """Delete an IKE_SA, whether or not the client confirms it."""
        order = {"ike-id": uniqueid, "force": "yes", "timeout": GOODBYE_MS, "loglevel": "-1"}
        try:
            await self._link.apart("terminate", order)
        except EngineError as error:
            # it had gone by itself, or its client never confirmed and it was destroyed
            if not any(words in error.message for words in ("no matching", "terminating SA")):
                raise

    def all_gone(self, why: str) -> None:
        """charon is dead: so are its sessions."""
        for session in self._around.sessions.of("IkeV2"):
            self._close(session, why)

    # -------------------------------------------------------------------------------- coming in

    async def _up(self, sa: vici.IkeSa) -> None:
        if sa.connection == RADIUS:
            await self._up_by_radius(sa)
        else:
            await self._up_by_certificate(sa)

    async def _up_by_radius(self, sa: vici.IkeSa) -> None:
        attempt = self._attempts.of(sa.uniqueid)
        attempt.over = True
        admitted = self._relay.take(sa.uniqueid)
        if admitted is None:
            self._record_refusal(attempt, None, "refused", "nobody vouched for it")
            await self.terminate(sa.uniqueid)
        elif not sa.virtual_addresses:
            self._around.sessions.release(admitted.reservation)
            self._record_refusal(attempt, None, "no-address", "charon had no address for it")
            await self.terminate(sa.uniqueid)
        else:
            await self._open(sa, admitted.reservation, f"; RADIUS server {admitted.server}")

    async def _up_by_certificate(self, sa: vici.IkeSa) -> None:
        attempt = self._attempts.of(sa.uniqueid)
        try:
            await wait_until("charon's line", LOG_LIMIT, lambda: attempt.subject)
        except TimeoutError:
            attempt.message = "charon did not say whose certificate it was"
        attempt.over = True
        verdicts = self._gate.take(attempt.subject, admitted=True)
        await self._forget_answers()
        verdict = await self._choose(attempt, verdicts)
        if verdict is None or not verdict.reservation:
            reason = verdict.reason if verdict else None
            message = verdict.message if verdict else "whose certificate it was is ambiguous"
            self._record_refusal(attempt, verdict, reason or "refused", message)
            await self.terminate(sa.uniqueid)
        elif not sa.virtual_addresses:
            self._around.sessions.release(verdict.reservation)
            self._record_refusal(attempt, verdict, "no-address", "charon had no address for it")
            await self.terminate(sa.uniqueid)
        else:
            await self._open(sa, verdict.reservation)

    async def _choose(self, attempt: Attempt, verdicts: list[Verdict]) -> Verdict | None:
        """One verdict for this IKE_SA: of several with one certificate the first; of several
        certificates with one subject none, for it cannot be told which of them came in."""
        if not verdicts:
            return await self._gate.judge_late(attempt.subject)
        first, *others = verdicts
        if any(other.certificate != first.certificate for other in others):
            for verdict in verdicts:
                self._release(verdict)
            return None
        self._gate.put_back(others)
        return first

    async def _open(self, sa: vici.IkeSa, reservation: Reservation, note: str = "") -> None:
        address = IPv4Address(sa.virtual_addresses[0])
        try:
            session = self._around.sessions.open(
                reservation, handle=sa.uniqueid, private_address=address
            )
        except GatewayError:
            await self.terminate(sa.uniqueid)
            raise
        session.public_address = sa.remote_host
        self._record("connected", session, f"assigned {session.private_address}{note}")
        objection = self._around.admission.objection_to_session(session)
        if objection:  # the desired state changed in between
            session.ending = objection.message
            await self.terminate(sa.uniqueid)

    # ---------------------------------------------------------------------------------- refused

    async def _refused(self, attempt: Attempt) -> None:
        if self._relay.has_refused(attempt.uniqueid):
            return
        if admitted := self._relay.take(attempt.uniqueid):
            self._around.sessions.release(admitted.reservation)
        for lapsed in self._gate.take(attempt.subject, admitted=True):
            self._release(lapsed)
        refusals = self._gate.take(attempt.subject, admitted=False)
        verdict: Verdict | None = refusals[0] if refusals else None
        if verdict is None and attempt.subject:
            verdict = await self._gate.explain(attempt.subject)
        reason = (verdict.reason if verdict else None) or attempt.reason or "refused"
        message = (verdict.message if verdict else "") or attempt.message or "charon refused it"
        self._record_refusal(attempt, verdict, reason, message)
        await self._forget_answers()

    def _record_refusal(
        self, attempt: Attempt, verdict: Verdict | None, reason: Reason, message: str
    ) -> None:
        self._around.log.add(
            "refused",
            "IkeV2",
            message,
            reason=reason,
            user=user_name(verdict.certificate) if verdict else common_name(attempt.subject),
            address=attempt.address,
            thumbprint=thumbprint(verdict.certificate) if verdict else "",
        )

    def _release(self, verdict: Verdict) -> None:
        if verdict.reservation:
            self._around.sessions.release(verdict.reservation)

    async def _forget_answers(self) -> None:
        """charon keeps OCSP answers; the next attempt must be asked about anew."""
        await self._link.order("flush-certs", {"type": "OCSP_RESPONSE"})

    # -------------------------------------------------------------------------- while it is there

    def _down(self, sa: vici.IkeSa, why: str) -> None:
        session = self._around.sessions.by_handle("IkeV2", sa.uniqueid)
        if session:
            self._close(session, why)

    def _close(self, session: Session, why: str) -> None:
        if self._around.sessions.close(session):
            self._children.pop(session.id, None)
            self._record("disconnected", session, session.ending or why)

    def _rekeyed(self, event: vici.IkeRekeyed) -> None:
        session = self._around.sessions.by_handle("IkeV2", event.old)
        if session:
            session.handle = event.new

    def _count(self, uniqueid: str, children: tuple[vici.ChildSa, ...]) -> None:
        """Add up over CHILD_SAs: each begins at zero when the one before is rekeyed."""
        session = self._around.sessions.by_handle("IkeV2", uniqueid)
        if not session:
            return
        seen = self._children.setdefault(session.id, {})
        seen.update({child.uniqueid: child for child in children})
        counters = session.counters
        counters.ingress_bytes = sum(child.bytes_in for child in seen.values())
        counters.egress_bytes = sum(child.bytes_out for child in seen.values())
        counters.ingress_packets = sum(child.packets_in for child in seen.values())
        counters.egress_packets = sum(child.packets_out for child in seen.values())

    def _record(self, event: Event, session: Session, message: str) -> None:
        self._around.log.add(
            event,
            "IkeV2",
            message,
            user=session.peer.user,
            address=session.public_address,
            thumbprint=session.peer.thumbprint,
        )
