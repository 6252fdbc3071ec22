"""`connects` and `refused`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.common.rotation import Place
from lab.topology.model.steps import Connects, Refused
from lab.vpn_client import Connection, RefusedError
from lab.waiting import patience, wait_until
from lab.world import ClientComputer, Outcome, World
from radius.printable import printable
from radius.reasons import Refusal, most_telling

Record = dict[str, Any]
SERVERS_LIMIT = 1.0
"""Seconds within which a RADIUS server has written down whom it refused."""
LOG_LIMIT = 2.0
"""Seconds within which the gateway has written down whom it refused."""


async def connects(step: Connects, world: World) -> Outcome:
    """Dial and be connected; a tunnel of the wanted kind that is up already counts."""
    client = world.clients[step.connects]
    up = await client.connection()
    if up is not None and step.after is None and step.over in (None, up.protocol):
        return Outcome(held=True, detail=f"is connected already: {_told(up)}")
    began = datetime.now(UTC)
    try:
        # Without `after` a named protocol is the user's own choice; with it, the order decides.
        async with patience(math.inf) as counted:
            connection, failures = await client.dial(None if step.after else step.over)
    except RefusedError as error:
        record = await _record_of_proposals(client, error, began, world)
        return Outcome(
            held=False,
            detail=f"refused: {error}{_quoted(record)}",
            evidence=_said(error) | _logged(record),
        )
    tried = [failure.protocol for failure in failures if isinstance(failure, RefusedError)]
    evidence: dict[str, Any] = {}
    if failures:
        evidence["tried before"] = [str(failure) for failure in failures]
    if connection.said:
        evidence["the client's own lines"] = list(connection.said)
    taken = max(0.0, connection.seconds - counted.left_out)
    wrong = _shortcoming(step, connection, tried, taken) or await _wrong_server(step, world)
    return Outcome(held=not wrong, detail=wrong or _told(connection), evidence=evidence)


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
    """What is wrong with who vouched for the client; the gateway's log is there before the
    tunnel."""
    if step.radius is None:
        return ""
    client = world.clients[step.connects]
    own = [
        record
        for record in await client.gateway.log()
        if record["event"] == "connected" and concerns(record, client)
    ]
    wanted = world.addresses[step.radius]
    if own and own[-1]["radiusServer"] == wanted:
        return ""
    said = own[-1]["message"] if own else "nothing"
    return f"not by RADIUS server {wanted}; the gateway's log: {said}"


def _told(connection: Connection) -> str:
    return (
        f"{connection.protocol}, {connection.address}, {connection.datapath}, "
        f"in {connection.seconds:.2f} s"
    )


async def refused(step: Refused, world: World) -> Outcome:
    """Dial and not be connected, for the right reason."""
    client = world.clients[step.refused]
    began = datetime.now(UTC)
    written = {name: server.written() for name, server in world.radius.items()}
    try:
        connection, _ = await client.dial(step.over)
    except RefusedError as error:
        record = await _gateways_record(client, error, began)
        record = record or await _record_of_proposals(client, error, began, world)
        asks = _vague(record) and error.reason == "refused"
        told = await _servers_word(client, world, written) if asks else None
        return _judged(step, error, record, told)
    return Outcome(held=False, detail=f"was let in: {_told(connection)}")


def _judged(
    step: Refused, error: RefusedError, record: Record | None, told: Refusal | None
) -> Outcome:
    reason = told.reason if told else record["reason"] if record else error.reason
    evidence = _said(error) | _logged(record)
    if told:
        evidence["the RADIUS server's log"] = told.message
    if step.because not in (None, reason):
        return Outcome(held=False, detail=f"refused, but because {reason}", evidence=evidence)
    if step.says is not None and step.says not in error.message:
        detail = f"refused ({reason}), but the client did not say {step.says!r}"
        return Outcome(held=False, detail=detail, evidence=evidence)
    detail = f"{reason} after {error.seconds:.2f} s; the client: {error.message}{_quoted(record)}"
    return Outcome(held=True, detail=detail, evidence=evidence)


def _quoted(record: Record | None) -> str:
    """What the gateway has and the client offered, where that is why."""
    if record and record["reason"] == "no-proposal":
        return f"; the gateway: {record['message']}"
    return ""


def _vague(record: Record | None) -> bool:
    """Whether the RADIUS server may know more than it told the gateway."""
    return record is None or bool(record["radiusServer"]) or record["reason"] == "radius-no-answer"


async def _servers_word(
    client: ClientComputer, world: World, written: Mapping[str, Mapping[Path, Place]]
) -> Refusal | None:
    """What the RADIUS servers wrote down about this client since it dialled, if anything."""
    if not world.radius:
        return None

    def word() -> Refusal | None:
        found = [
            server.refusal(client.user, written[name]) for name, server in world.radius.items()
        ]
        return most_telling(found)

    try:
        return await wait_until("the RADIUS server's record of it", SERVERS_LIMIT, word)
    except TimeoutError:
        return None


def _logged(record: Record | None) -> dict[str, Any]:
    return {"the gateway's log": record} if record else {}


def _said(error: RefusedError) -> dict[str, Any]:
    return {"the client's own message": error.message}


async def _gateways_record(
    client: ClientComputer, error: RefusedError, began: datetime
) -> Record | None:
    """What the gateway wrote down, if it was reached: a client is told little on purpose."""
    if error.reason != "refused":
        return None
    records = await _refusals(
        client, error, began.replace(microsecond=0), lambda record: concerns(record, client)
    )
    return records[-1] if records else None


async def _record_of_proposals(
    client: ClientComputer, error: RefusedError, began: datetime, world: World
) -> Record | None:
    """What the gateway wrote down about proposals that do not match. That they do not is the
    client program's own word. At that point the gateway does not know who dials, so its record is
    found by public address; where several clients share one, and offer different things
    meanwhile, there is none that is certain."""
    if error.reason != "no-proposal":
        return None
    addresses = {world.addresses.get(node.name) for node in (client.access, client.node)}
    records = await _refusals(
        client,
        error,
        began.replace(microsecond=began.microsecond // 1000 * 1000),  # as in the log
        lambda record: (
            record["reason"] == error.reason
            and (
                concerns(record, client)
                or (not record["thumbprint"] and record["publicIpAddress"] in addresses)
            )
        ),
    )
    own = [record for record in records if concerns(record, client)] or records
    return own[-1] if len({record["message"] for record in own}) == 1 else None


async def _refusals(
    client: ClientComputer,
    error: RefusedError,
    since: datetime,
    fits: Callable[[Record], bool],
) -> list[Record]:
    """The gateway's records of refusals over this protocol that fit, once there is one."""

    async def written() -> list[Record]:
        return [
            record
            for record in await client.gateway.log()
            if record["event"] == "refused"
            and record["protocol"] == error.protocol
            and datetime.fromisoformat(record["time"]) >= since
            and fits(record)
        ]

    try:
        return await wait_until("the gateway's record of it", LOG_LIMIT, written)
    except TimeoutError:
        return []


def concerns(record: dict[str, Any], client: ClientComputer) -> bool:
    """Whether a record of the gateway's is about this client: by the certificate where the record
    has it, by the name only where there is nothing else, for several may have one name."""
    if record["thumbprint"]:
        return bool(record["thumbprint"] == client.thumbprint)
    if record["serialNumber"]:
        return bool(record["serialNumber"] == client.serial)
    return bool(record["user"]) and bool(record["user"] == printable(client.user))
