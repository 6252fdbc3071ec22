"""A dial that nobody answered, or somebody else than the gateway: where on the way. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain import access, held, inspection
from lab.explain.blame import all_blocked, blocked, ended
from lab.explain.model import Finding, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.explain.attempt import Attempt

_DNS = "udp/53 "
_ENGINES = "see the gateway's engines (p2slab status)"


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
    if silent := _nobody(attempt):
        yield silent
    if attempt.black_hole:
        yield attempt.black_hole


def no_answer(attempt: Attempt) -> Finding:
    """Nobody answered: where on the way the packets ended."""
    if attempt.name and not attempt.resolved:
        return _no_name(attempt)
    if dropped := [one for one in attempt.followed if one.dropped]:
        return all_blocked(dropped)
    for followed in attempt.followed:
        if found := ended(followed):
            return found
    proof = (attempt.client_said, *attempt.walks)
    if found := _nobody(attempt, *proof) or attempt.black_hole:
        return found
    if attempt.held:
        created = [deed for deed in attempt.deeds if deed.verb == "create"]
        if key := held.other_key(attempt.held, attempt.protocol, created, proof):
            return key
    cause = "the gateway was reached and did not answer the dial"
    return failure("gateway-down", cause, *proof, remedy=_ENGINES)


def _nobody(attempt: Attempt, *proof: str) -> Finding | None:
    """The gateway's daemon for the protocol does not run, or nothing listens on its ports."""
    silent, engine = attempt.silent_ports, attempt.engine
    cause = f"no program of the gateway listens on {silent}" if silent else ""
    seen = (f"/proc/net of the gateway's node: nothing on {silent}",) if silent else ()
    if engine:
        cause = ": ".join(filter(None, (engine.cause, cause)))
        return failure("gateway-down", cause, *engine.proof, *seen, *proof, remedy=engine.remedy)
    if not silent:
        return None
    return failure("gateway-down", cause, *seen, *proof, remedy=_ENGINES)


def _no_name(attempt: Attempt) -> Finding:
    servers = ", ".join(attempt.nameservers) or "none"
    asked = [one for one in attempt.followed if one.what.startswith(_DNS)]
    dropped = [one for one in asked if one.dropped]
    why, remedy = "", "let DNS (UDP 53) out, or see the name server"
    if dropped:
        why = f"; {blocked(dropped[0]).cause}"
    elif any(one.answers for one in asked) and attempt.public:
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
