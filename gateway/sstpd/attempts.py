"""A link's attempts as messages for the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ppp.events import EapAttempt, MsChapV2Attempt, PapAttempt
from gateway.sstpd.messages import EapGiven, MsChapV2Given, PapGiven, cut

if TYPE_CHECKING:
    from gateway.sstpd.messages import Attempt


def as_message(attempt: MsChapV2Attempt | PapAttempt | EapAttempt) -> Attempt:
    """The same, to be decided about by the gateway."""
    match attempt:
        case MsChapV2Attempt():
            return MsChapV2Given(
                user=cut(attempt.user),
                authenticator_challenge=attempt.authenticator_challenge,
                peer_challenge=attempt.peer_challenge,
                nt_response=attempt.nt_response,
                identifier=attempt.identifier,
            )
        case PapAttempt():
            return PapGiven(user=cut(attempt.user), password=attempt.password)
        case EapAttempt():
            identity = None if attempt.identity is None else cut(attempt.identity)
            return EapGiven(packet=attempt.packet, identity=identity, speaks=attempt.method)
