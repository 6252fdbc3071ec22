"""`survivesRekey`, `disconnected` and `staysDisconnected`: the life of a tunnel."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from gateway.common import rotation
from lab.checks.connect import concerns
from lab.topology.model.steps import Disconnected, StaysDisconnected, SurvivesRekey
from lab.waiting import wait_until
from lab.world import ClientComputer, Outcome, World

INTERVAL = 0.02
BEFORE = AFTER = 10
"""Pings that must be answered before the keys are renewed, and once they are."""
PING_LIMIT = 15.0
LOG_LIMIT = 2.0
_ANSWER = re.compile(r"icmp_seq=(\d+) .*time=")


async def survives_rekey(step: SurvivesRekey, world: World) -> Outcome:
    """Ping all the while the keys are renewed, however long it takes; none may be lost."""
    client = world.clients[step.survivesRekey]
    address = world.addresses[step.host]
    ping = await client.node.spawn(
        ["ping", "-n", "-i", str(INTERVAL), address], log=f"ping-{step.host}"
    )
    begun = rotation.place(ping.log)

    def answered() -> set[int]:
        return {int(number) for number in _ANSWER.findall(rotation.since(ping.log, begun))}

    try:
        await wait_until(
            f"{BEFORE} answers from {address}", PING_LIMIT, lambda: len(answered()) >= BEFORE
        )
        await client.rekey()
        renewed_at = max(answered())
        # It may have begun before we knew its log.
        sent = set(range(min(answered()), renewed_at + AFTER + 1))
        with suppress(TimeoutError):
            await wait_until("the answers to all of them", PING_LIMIT, lambda: sent <= answered())
        lost = sorted(sent - answered())
    finally:
        await ping.stop()
    detail = f"{len(sent) - len(lost)} of {len(sent)} pings answered; new keys after {renewed_at}"
    return Outcome(held=not lost, detail=f"{detail}; lost: {lost}" if lost else detail)


async def disconnected(step: Disconnected, world: World) -> Outcome:
    """The tunnel is down within the time, for the reason that the gateway's log gives."""
    client = world.clients[step.disconnected]
    try:
        words = await client.ended(step.within)
    except TimeoutError:
        return Outcome(held=False, detail=f"is still connected after {step.within:g} s")
    if step.because is None:
        return Outcome(held=True, detail=f"the client: {words}")
    record = await _record(client)
    told = f"{record['reason']} {record['message']}" if record else "nothing"
    held = step.because in told
    return Outcome(held=held, detail=f"the gateway's log: {told.strip()}; the client: {words}")


async def _record(client: ClientComputer) -> dict[str, Any] | None:
    """The gateway's last word on this client, once it is that of a session's end."""

    async def written() -> dict[str, Any] | None:
        own = [record for record in await client.gateway.log() if concerns(record, client)]
        return own[-1] if own and own[-1]["event"] == "disconnected" else None

    try:
        return await wait_until("the gateway's record of it", LOG_LIMIT, written)
    except TimeoutError:
        return None


async def stays_disconnected(step: StaysDisconnected, world: World) -> Outcome:
    """For that time the client has no tunnel, and the gateway no new session of it.

    An old one may linger: a computer that was switched off does not say goodbye, and the gateway
    finds out by dead peer detection.
    """
    client = world.clients[step.staysDisconnected]
    old = {row["vpnConnectionId"] for row in await client.gateway.sessions()}

    async def connected() -> str:
        if await client.connection() is not None:
            return "the client is connected"
        own = [row for row in await client.gateway.sessions() if concerns_row(row, client)]
        new = [row for row in own if row["vpnConnectionId"] not in old]
        return f"the gateway has a new session: {new[0]}" if new else ""

    try:
        seen = await wait_until(f"{client.name} connects by itself", step.seconds, connected)
    except TimeoutError:
        return Outcome(held=True, detail=f"no tunnel for {step.seconds:g} s")
    return Outcome(held=False, detail=seen)


def concerns_row(row: dict[str, Any], client: ClientComputer) -> bool:
    """Whether a row of getVpnClientConnectionHealth is this client's."""
    if row["thumbprint"]:
        return bool(row["thumbprint"] == client.thumbprint)
    return bool(row["vpnUserName"] == client.user)  # whom RADIUS vouched for
