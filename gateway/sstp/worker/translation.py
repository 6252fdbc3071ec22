"""Translates between the protocols' events and the channel's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ppp.events import Accept, EapAttempt, EapReply, MsChapV2Attempt, PapAttempt, Refuse
from gateway.ppp.keys import BindingKey
from gateway.sstp.worker.messages import (
    Admitted,
    Continue,
    Denied,
    EapGiven,
    MsChapV2Given,
    PapGiven,
    Traffic,
)
from radius.printable import printable

if TYPE_CHECKING:
    from gateway.dataplane.counters import Counters, PlaneCounters
    from gateway.ppp.events import Verdict
    from gateway.sstp.worker.messages import Attempt


def attempt(made: MsChapV2Attempt | PapAttempt | EapAttempt) -> Attempt:
    """A link's attempt, as a message to the gateway."""
    match made:
        case MsChapV2Attempt():
            return MsChapV2Given(
                user=printable(made.user),
                authenticator_challenge=made.authenticator_challenge,
                peer_challenge=made.peer_challenge,
                nt_response=made.nt_response,
                identifier=made.identifier,
            )
        case PapAttempt():
            return PapGiven(user=printable(made.user), password=made.password)
        case EapAttempt():
            identity = None if made.identity is None else printable(made.identity)
            return EapGiven(
                packet=made.packet, identity=identity, speaks=made.method, room=made.room
            )


def verdict(order: Admitted | Denied | Continue) -> Verdict:
    """The gateway's decision, as a verdict for the link."""
    match order:
        case Admitted():
            keys = tuple(BindingKey(key.form, key.key) for key in order.keys)
            return Accept(order.address, keys, order.text, order.eap)
        case Denied():
            return Refuse(
                order.reason, order.message, order.eap, order.error, order.retry, order.text
            )
        case Continue():
            return EapReply(order.eap, (order.reason, order.message) if order.reason else None)


def traffic(call: int, counters: Counters) -> Traffic:
    """The traffic of a call."""
    return Traffic(
        call=call,
        packets_in=counters.packets_in,
        bytes_in=counters.bytes_in,
        packets_out=counters.packets_out,
        bytes_out=counters.bytes_out,
    )


def losses(counters: Counters, barred: int) -> dict[str, int]:
    """The lost packets of a call; `barred`: frames that were not allowed through."""
    return {
        "frames barred": barred,
        "packets dropped": counters.dropped,
        "packets spoofed": counters.spoofed,
        "packets malformed": counters.malformed,
        "packets refused by the kernel": counters.refused,
    }


def losses_without_call(counters: PlaneCounters) -> dict[str, int]:
    """The lost packets that belong to no call."""
    return {
        "packets to nobody": counters.unknown,
        "packets unusable": counters.unusable,
        "answers refused by the kernel": counters.refused,
    }
