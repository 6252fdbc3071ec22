"""Authenticates SSTP users with certificates: relays their EAP to gateway.eap_tls.worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.eap_tls.worker.messages import Failed, Shown
from gateway.policy.sessions import Peer
from gateway.ppp import keys
from gateway.sstp.gate import Vouched
from gateway.sstp.worker.messages import Continue, Denied, EapGiven, Key

if TYPE_CHECKING:
    from gateway.eap_tls.service import EapTls
    from gateway.sstp.worker.messages import Asked, Method


class CertificateAuthenticator:
    """gateway.sstp.gate.Authenticator."""

    methods: tuple[Method, ...] = ("EAP",)

    def __init__(self, eap_tls: EapTls) -> None:
        self._eap_tls = eap_tls
        self._conversations: dict[int, int] = {}

    async def authenticate(self, asked: Asked) -> Vouched | Denied | Continue:
        """Handle one EAP-Response."""
        given = asked.attempt
        if not isinstance(given, EapGiven):
            return Denied(call=asked.call, reason="refused", message="certificates only")
        if asked.call not in self._conversations:
            self._conversations[asked.call] = self._eap_tls.begin(asked.address)
        step = await self._eap_tls.respond(
            self._conversations[asked.call], given.packet, room=given.room
        )
        if isinstance(step, Shown):
            shown = step.certificate
            peer = Peer(
                "SSTP",
                shown.user,
                shown.thumbprints,
                shown.root,
                asked.address,
                port=asked.port,
                began=asked.began,
            )
            made = tuple(Key(form=key.form, key=key.key) for key in keys.from_msk(step.msk))
            return Vouched(peer, made, eap=step.success, failure=step.failure)
        if isinstance(step, Failed):
            return Denied(
                call=asked.call,
                reason=step.reason,
                message=step.message,
                eap=step.packet,
                user=step.certificate.user,
                thumbprint="".join(step.certificate.thumbprints[:1]),
            )
        return Continue(call=asked.call, eap=step.packet, reason=step.reason, message=step.message)

    def forget(self, call: int) -> None:
        """Discard the call's state: the call has ended."""
        conversation = self._conversations.pop(call, None)
        if conversation is not None:
            self._eap_tls.forget(conversation)
