"""Authenticates SSTP users by RADIUS: relays their PPP authentication to the servers.

Clients are offered EAP first, which Azure's profiles for RADIUS name (EAPMSCHAPv2, EAPTLS), then
MS-CHAPv2. Azure does not document the methods that its gateway offers over SSTP. PAP is not
offered: it yields no keys for the crypto binding.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from gateway.policy.sessions import Peer
from gateway.ppp import chap, keys, mschapv2
from gateway.sstp.gate import Vouched
from gateway.sstp.worker.messages import Continue, Denied, EapGiven, Key, MsChapV2Given
from radius.attributes import Call
from radius.client import EapSession
from radius.printable import printable
from radius.verdict import Accept, Challenge, NoAnswer, Reject

if TYPE_CHECKING:
    from gateway.policy.radius_path import RadiusPath
    from gateway.sstp.worker.messages import Asked, Method
    from radius.verdict import EapVerdict

MOST_CONVERSATIONS = 4096
"""More than the worker's connections."""


class RadiusAuthenticator:
    """gateway.sstp.gate.Authenticator."""

    methods: tuple[Method, ...] = ("EAP", "MS-CHAPv2")

    def __init__(self, path: RadiusPath) -> None:
        self._path = path
        self._conversations: OrderedDict[int, EapSession] = OrderedDict()

    async def authenticate(self, asked: Asked) -> Vouched | Denied | Continue:
        """Ask the servers, for at most 30 s (radius.client)."""
        if not self._path.enabled:
            message = "Radius authentication is not enabled"
            return Denied(call=asked.call, reason="refused", message=message)
        if unreachable := self._path.objection():
            return Denied(call=asked.call, reason="radius-no-answer", message=unreachable, text="")
        match asked.attempt:
            case MsChapV2Given() as given:
                outcome = await self._path.client.mschapv2(_call(asked), given)
                return self._verdict(asked, outcome, given.user, chap.METHOD)
            case EapGiven() as given:
                return await self._eap(asked, given)
        return Denied(call=asked.call, reason="refused", message="a method that was not offered")

    def forget(self, call: int) -> None:
        """Discard the call's state: the call has ended."""
        self._conversations.pop(call, None)

    async def _eap(self, asked: Asked, given: EapGiven) -> Vouched | Denied | Continue:
        session = self._conversations.get(asked.call)
        if session is None:
            session = self._conversations[asked.call] = EapSession(_call(asked))
            if len(self._conversations) > MOST_CONVERSATIONS:
                self._conversations.popitem(last=False)
        outcome = await self._path.client.eap(session, given.packet)
        if isinstance(outcome, Challenge):
            return Continue(call=asked.call, eap=outcome.eap)
        self.forget(asked.call)
        user = printable(session.user.decode(errors="replace"))
        return self._verdict(asked, outcome, user, given.speaks)

    def _verdict(
        self, asked: Asked, outcome: EapVerdict, user: str, method: str
    ) -> Vouched | Denied:
        if isinstance(outcome, Accept):
            return _vouched(asked, outcome, outcome.user or user, method)
        if isinstance(outcome, NoAnswer):
            words = "; ".join(filter(None, (outcome.message, self._path.silence())))
            return Denied(call=asked.call, reason=outcome.reason, message=words, text="")
        assert isinstance(outcome, Reject)
        return _denied(asked, outcome)


def _vouched(asked: Asked, outcome: Accept, user: str, method: str) -> Vouched | Denied:
    """The acceptance, with the keys that the client must have, too; refused without keys."""
    assert outcome.keys  # only PAP has none
    found = keys.from_radius(outcome.keys.recv, outcome.keys.send, method)
    if not found:
        return Denied(
            call=asked.call,
            reason="no-keys",
            message=f"its MS-MPPE keys are too short for {method}",
            text="",
            radius_server=outcome.server,
        )
    return Vouched(
        Peer(
            "SSTP",
            user,
            (),
            "",
            asked.address,
            "Radius",
            outcome.server,
            method,
            asked.port,
            asked.began,
        ),
        tuple(Key(form=key.form, key=key.key) for key in found),
        outcome.success,
        outcome.eap,
    )


def _denied(asked: Asked, outcome: Reject) -> Denied:
    """The refusal: the log gets the server's address and message, the client only its text."""
    failure = mschapv2.parse_failure(outcome.message)
    error, text = failure or ("", outcome.message)
    return Denied(
        call=asked.call,
        reason=outcome.reason,
        message=f"E={error} {text}".rstrip() if failure else text,
        text=text,
        error=outcome.error,
        eap=outcome.eap,
        radius_server=outcome.server,
    )


def _call(asked: Asked) -> Call:
    return Call(asked.address, asked.call)
