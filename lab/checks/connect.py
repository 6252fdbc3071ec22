"""`connects` and `refused`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.common.rotation import Place
from gateway.policy.diagnostics import now as attempt_time
from lab.checks import records
from lab.checks.records import Record
from lab.topology.model.steps import Connects, Refused
from lab.topology.model.vocabulary import Reason
from lab.vpn_client import Connection, NotDialledError, RefusedError
from lab.waiting import patience, wait_until
from lab.world import ClientComputer, Outcome, World
from radius.reasons import Refusal, bare, most_telling

TOLD_LITTLE: tuple[Reason, ...] = ("refused", "password")
"""What a client says that was told little, on purpose. Other reasons it found out itself."""
SERVERS_LIMIT = 1.0
"""Seconds within which a RADIUS server has written down whom it refused."""


async def connects(step: Connects, world: World) -> Outcome:
    """Dial and be connected; a tunnel of the wanted kind that stands at both ends counts."""
    client = world.clients[step.connects]
    up = await _standing(client) if step.after is None else None
    if up is not None and step.over in (None, up.protocol):
        wrong = await _wrong_server(step, world)
        return Outcome(held=not wrong, detail=wrong or f"is connected already: {_told(up)}")
    try:
        # Without `after` a named protocol is the user's own choice; with it, the order decides.
        async with patience(math.inf) as counted:
            connection, failures = await client.dial(None if step.after else step.over)
    except RefusedError as error:
        return Outcome(held=False, detail=f"refused: {error}", evidence=_said(error))
    tried = [
        failure.protocol
        for failure in failures
        if isinstance(failure, RefusedError) and not isinstance(failure, NotDialledError)
    ]
    evidence: dict[str, Any] = {}
    if failures:
        evidence["tried before"] = [str(failure) for failure in failures]
    if connection.said:
        evidence["the client's own lines"] = list(connection.said)
    taken = max(0.0, connection.seconds - counted.left_out)
    wrong = (
        _shortcoming(step, connection, tried, taken)
        or ("" if client.session else f"{_told(connection)}; the gateway has no session of it")
        or await _wrong_server(step, world)
    )
    return Outcome(held=not wrong, detail=wrong or _told(connection), evidence=evidence)


async def _standing(client: ClientComputer) -> Connection | None:
    """The client's tunnel, if the gateway has its session, too."""
    return await client.connection() if await records.session(client) else None


def _shortcoming(step: Connects, connection: Connection, tried: Sequence[str], taken: float) -> str:
    """`taken`: the seconds that count."""
    if step.over not in (None, connection.protocol):
        return f"connected over {connection.protocol}"
    if step.after is not None and step.after not in tried:
        return f"{step.after} was not tried before; {', '.join(tried) or 'nothing'} was"
    if step.within is not None and taken > step.within:
        return f"took {connection.seconds:.2f} s"
    return ""


async def _wrong_server(step: Connects, world: World) -> str:
    """What is wrong with who vouched for the client's session."""
    if step.radius is None:
        return ""
    record = await records.of_session(world.clients[step.connects], "connected")
    wanted = world.addresses[step.radius]
    if record and record["radiusServer"] == wanted:
        return ""
    said = record["message"] if record else "nothing"
    return f"not by RADIUS server {wanted}; the gateway's log: {said}"


def _told(connection: Connection) -> str:
    return (
        f"{connection.protocol}, {connection.address}, {connection.datapath}, "
        f"in {connection.seconds:.2f} s"
    )


async def refused(step: Refused, world: World) -> Outcome:
    """Dial and not be connected, for the right reason."""
    client = world.clients[step.refused]
    began, dialled = attempt_time(), time.monotonic()
    written = {name: server.written() for name, server in world.radius.items()}
    try:
        connection, _ = await client.dial(step.over)
    except RefusedError as error:
        record = told = None
        own = await records.of_attempts(client, error.protocol, began)
        let_in = [row["message"] for row in own if row["event"] == "connected"]
        if let_in or error.reason in TOLD_LITTLE:
            record = await records.refusal(client, error.protocol, began)
        if let_in and not record:
            detail = f"was let in: {let_in[-1]}; the client: {error.message}"
            return Outcome(held=False, detail=detail, evidence=_said(error))
        if error.reason in TOLD_LITTLE and _vague(record):
            several = _rivals(client, world, dialled)
            told = await _servers_word(client, world, written, agreed=several)
        return _judged(step, error, record, told)
    return Outcome(held=False, detail=f"was let in: {_told(connection)}")


def _judged(
    step: Refused, error: RefusedError, record: Record | None, told: Refusal | None
) -> Outcome:
    reason = told.reason if told else record["reason"] if record else error.reason
    evidence = _said(error) | ({"the gateway's log": record} if record else {})
    if told:
        evidence["the RADIUS server's log"] = told.message
    if step.because not in (None, reason):
        silent = error.reason in TOLD_LITTLE and not record and not told
        why = "the gateway gave no reason for this dial" if silent else f"but because {reason}"
        return Outcome(held=False, detail=f"refused, {why}", evidence=evidence)
    if step.says is not None and step.says not in error.message:
        detail = f"refused ({reason}), but the client did not say {step.says!r}"
        return Outcome(held=False, detail=detail, evidence=evidence)
    detail = f"{reason} after {error.seconds:.2f} s; the client: {error.message}"
    return Outcome(held=True, detail=detail, evidence=evidence)


def _vague(record: Record | None) -> bool:
    """Whether the RADIUS server may know more than it told the gateway."""
    return record is None or bool(record["radiusServer"]) or record["reason"] == "radius-no-answer"


def _rivals(client: ClientComputer, world: World, since: float) -> bool:
    """Whether another computer of the same user dialled since then: RADIUS servers write down the
    user, but nothing that tells one user's dials apart."""
    own = bare(client.user).casefold()
    return any(
        other.dialled_until > since and bare(other.user).casefold() == own
        for other in world.clients.values()
        if other is not client
    )


async def _servers_word(
    client: ClientComputer,
    world: World,
    written: Mapping[str, Mapping[Path, Place]],
    *,
    agreed: bool,
) -> Refusal | None:
    """What the RADIUS servers wrote down about this client's user since it dialled, if anything;
    if `agreed`, only where that is one reason."""
    if not world.radius:
        return None

    def word() -> Refusal | None:
        found = [
            server.refusal(client.user, written[name], agreed=agreed)
            for name, server in world.radius.items()
        ]
        return most_telling(found)

    try:
        return await wait_until("the RADIUS server's record of it", SERVERS_LIMIT, word)
    except TimeoutError:
        return None


def _said(error: RefusedError) -> dict[str, Any]:
    return {"the client's own message": error.message}
