"""A dial that nobody answered, or somebody else than the gateway: where on the way. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain import access, inspection
from lab.explain.blame import all_blocked, blocked, ended
from lab.explain.model import Finding, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.explain.attempt import Attempt

_DNS = "udp/53 "


def led_away(attempt: Attempt) -> Finding | None:
    """The access network leads the client elsewhere; whom the gateway heard was not led away."""
    if attempt.record:
        return None
    if attempt.line:
        return access.without_line(attempt.line, attempt.client_said)
    name, resolved, public, said = attempt.name, attempt.resolved, attempt.public, attempt.message
    return (
        access.other_address(name, resolved, public, attempt.nameservers, said)
        or access.old_record(name, resolved, public, attempt.gateway, said)
        or (access.not_signed_in(attempt.portal, said) if attempt.portal else None)
        or (inspection.judge(attempt.shown, said, attempt.at) if attempt.shown else None)
    )


def obstacles(attempt: Attempt) -> Iterator[Finding]:
    """What keeps every dial from the gateway, whether or not this one came there."""
    dropped = (way for way in attempt.followed if way.dropped and not way.what.startswith(_DNS))
    if way := next(dropped, None):
        yield blocked(way)
    if silent := attempt.silent_ports:
        seen = f"/proc/net of the gateway's node: nothing on {silent}"
        yield failure("gateway-down", _nobody(silent), seen, remedy="see the gateway's engines")


def no_answer(attempt: Attempt) -> Finding:
    """Nobody answered: where on the way the packets ended."""
    if attempt.name and not attempt.resolved:
        return _no_name(attempt)
    if dropped := [one for one in attempt.followed if one.dropped]:
        return all_blocked(dropped)
    for followed in attempt.followed:
        if found := ended(followed):
            return found
    cause, remedy = (
        "the gateway was reached and did not answer the dial",
        "see the gateway's engines (p2slab status)",
    )
    proof = (attempt.client_said, *attempt.walks)
    if silent := attempt.silent_ports:
        cause = _nobody(silent)
        if engine := attempt.engine:
            cause, remedy = f"{engine.cause}: {cause}", engine.remedy
            proof = (*engine.proof, *proof)
    return failure("gateway-down", cause, *proof, remedy=remedy)


def _nobody(ports: str) -> str:
    return f"no program of the gateway listens on {ports}"


def _no_name(attempt: Attempt) -> Finding:
    servers = ", ".join(attempt.nameservers) or "none"
    dropped = [one for one in attempt.followed if one.dropped and one.what.startswith(_DNS)]
    why, remedy = "", "let DNS (UDP 53) out, or see the name server"
    if dropped:
        why = f"; {blocked(dropped[0]).cause}"
    elif any(one.answers for one in attempt.followed) and attempt.public:
        why = f", which answers that it has none, though it is {', '.join(attempt.public)}"
        remedy = "see why this name server refuses the name, or ask another one"
    known = (f"the Internet's DNS: {attempt.name} is {', '.join(attempt.public)}",)
    return failure(
        "name",
        f"the gateway's name {attempt.name} is not resolved by nameserver {servers}{why}",
        *attempt.walks,
        *(known if attempt.public else ()),
        attempt.client_said,
        remedy=remedy,
    )
