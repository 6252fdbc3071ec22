"""`connects` and `refused`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

TOLD_LITTLE: tuple[Reason, ...] = ("refused", "password", "no-proposal")
"""What a client says that was told little, on purpose. Other reasons it found out itself."""
LEAVING_LIMIT = 5.0
"""Seconds within which a gateway ends the session of a client that has said goodbye."""
SERVERS_LIMIT = 1.0
"""Seconds within which a RADIUS server has written down whom it refused."""


async def connects(step: Connects, world: World) -> Outcome:
    """Dial and be connected; a tunnel of the wanted kind that stands at both ends counts."""
    client = world.clients[step.connects]
    gateway = world.gateways[step.to] if step.to else client.own_gateway
    standing = await _standing(client)
    up = standing if step.after is None and client.gateway is gateway else None
    if up is not None and step.over in (None, up.protocol):
        wrong = await _wrong_server(step, world)
        detail = wrong or f"is connected already: {_told(up)}"
        return Outcome(held=not wrong, detail=detail, evidence=_tunnel(up))
    dial, left = Dial(client, world), Left(client) if standing else None
    try:
        # Without `after` a named protocol is the user's own choice; with it, the order decides.
        async with patience(math.inf) as counted:
            connection, failures = await client.dial(None if step.after else step.over, to=gateway)
    except RefusedError as error:
        far = await dial.far_end(error)
        detail = f"refused: {error}{far.sentence}"
        return Outcome(held=False, detail=detail, evidence=_said(error) | far.evidence)
    tried = [
        failure.protocol
        for failure in failures
        if isinstance(failure, RefusedError) and not isinstance(failure, NotDialledError)
    ]
    evidence = _tunnel(connection)
    if failures:
        evidence["tried before"] = [str(failure) for failure in failures]
    if connection.said:
        evidence["the client's own lines"] = list(connection.said)
    taken = max(0.0, connection.seconds - counted.left_out)
    wrong = (
        _shortcoming(step, connection, tried, taken)
        or ("" if client.session else f"{_told(connection)}; the gateway has no session of it")
        or await _wrong_server(step, world)
        or (await left.still_there() if left else "")
    )
    at = f", at {gateway.name}" if step.to else ""
    return Outcome(held=not wrong, detail=wrong or f"{_told(connection)}{at}", evidence=evidence)


async def _standing(client: ClientComputer) -> Connection | None:
    """The client's tunnel, if the gateway has its session, too."""
    return await client.connection() if await records.session(client) else None


class Left:
    """The session of a tunnel that stands and ends with the next dial."""

    def __init__(self, client: ClientComputer) -> None:
        self._gateway, self._session = client.gateway, client.session

    async def still_there(self) -> str:
        """Words, if the gateway has it for long afterwards."""

        async def gone() -> bool:
            return all(
                row["vpnConnectionId"] != self._session for row in await self._gateway.sessions()
            )

        what = f"{self._gateway.name} ends the session before, {self._session}"
        try:
            await wait_until(what, LEAVING_LIMIT, gone)
        except TimeoutError as error:
            return str(error)
        return ""


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


def _tunnel(connection: Connection) -> dict[str, Any]:
    return {"tunnel": {"protocol": connection.protocol, "address": connection.address}}


def _told(connection: Connection) -> str:
    return (
        f"{connection.protocol}, {connection.address}, {connection.datapath}, "
        f"in {connection.seconds:.2f} s"
    )


async def refused(step: Refused, world: World) -> Outcome:
    """Dial and not be connected, for the right reason."""
    client = world.clients[step.refused]
    dial = Dial(client, world)
    try:
        connection, _ = await client.dial(
            step.over, to=world.gateways[step.to] if step.to else None
        )
    except RefusedError as error:
        far = await dial.far_end(error)
        if far.let_in and not far.record:
            detail = f"was let in: {far.let_in}; the client: {error.message}"
            return Outcome(held=False, detail=detail, evidence=_said(error))
        return _judged(step, error, far)
    detail = f"was let in: {_told(connection)}"
    return Outcome(held=False, detail=detail, evidence=_tunnel(connection))


def _judged(step: Refused, error: RefusedError, far: FarEnd) -> Outcome:
    reason = far.reason or error.reason
    evidence = _said(error) | far.evidence
    if step.because not in (None, reason):
        silent = error.reason in TOLD_LITTLE and not far.reason
        why = "the gateway gave no reason for this dial" if silent else f"but because {reason}"
        return Outcome(held=False, detail=f"refused, {why}", evidence=evidence)
    if step.says is not None and step.says not in error.message:
        detail = f"refused ({reason}), but the client did not say {step.says!r}"
        return Outcome(held=False, detail=detail, evidence=evidence)
    detail = f"{reason} after {error.seconds:.2f} s; the client: {error.message}{far.proposals}"
    return Outcome(held=True, detail=detail, evidence=evidence)


@dataclass(frozen=True)
class FarEnd:
    """What the gateway and the RADIUS servers wrote down about a dial that was refused."""

    record: Record | None = None
    """The gateway's record of the refusal."""
    told: Refusal | None = None
    """The RADIUS server's word, where it may know more than it told the gateway."""
    let_in: str = ""
    """The gateway's words when it let the client in for a moment."""

    @property
    def reason(self) -> Reason | None:
        """The reason of whoever decided; None: nobody wrote one down about this dial."""
        return self.told.reason if self.told else self.record["reason"] if self.record else None

    @property
    def evidence(self) -> dict[str, Any]:
        """The records themselves."""
        said = {"the RADIUS server's log": self.told.message} if self.told else {}
        return ({"the gateway's log": self.record} if self.record else {}) | said

    @property
    def sentence(self) -> str:
        """Both logs' words, behind those of the client program."""
        words = f"; the gateway ({self.record['reason']}): {self.record['message']}" if (
            self.record) else ""  # fmt: skip
        return words + (
            f"; the RADIUS server ({self.told.reason}): {self.told.message}" if self.told else ""
        )

    @property
    def proposals(self) -> str:
        """What the gateway has and the client offered, where that is why."""
        return self.sentence if self.reason == "no-proposal" else ""


class Dial:
    """A dial that is about to be made: whatever was written down before it is not about it."""

    def __init__(self, client: ClientComputer, world: World) -> None:
        self._client, self._world = client, world
        self._began, self._dialled = attempt_time(), time.monotonic()
        self._written = {name: server.written() for name, server in world.radius.items()}

    async def far_end(self, error: RefusedError) -> FarEnd:
        """What is written down about it, now that the client was refused."""
        client, record, told = self._client, None, None
        own = await records.of_attempts(client, error.protocol, self._began)
        let_in = [row["message"] for row in own if row["event"] == "connected"]
        if let_in or error.reason in TOLD_LITTLE:
            record = await records.refusal(client, error.protocol, self._began)
        if error.reason in TOLD_LITTLE and _vague(record) and not (let_in and not record):
            several = _rivals(client, self._world, self._dialled)
            told = await _servers_word(client, self._world, self._written, agreed=several)
        return FarEnd(record, told, let_in[-1] if let_in else "")


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
