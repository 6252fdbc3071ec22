"""`survivesRekey`, `disconnected` and `staysDisconnected`: the lifetime of a tunnel."""

from __future__ import annotations

import re
import secrets
import socket
from contextlib import suppress

from gateway.common import rotation
from lab.checks import records
from lab.checks.reach import arriving
from lab.choices import counted
from lab.observe.arrivals import Arrival
from lab.topology.model.steps import Disconnected, StaysDisconnected, SurvivesRekey
from lab.waiting import wait_until
from lab.world import Outcome, World, end_of

INTERVAL = 0.02
BEFORE = AFTER = 10
"""Pings that must be answered before the rekey, and after it."""
PING_LIMIT = 15.0
_ANSWER = re.compile(r"icmp_seq=(\d+) .*time=")


async def survives_rekey(step: SurvivesRekey, world: World) -> Outcome:
    """Ping during the whole rekey, however long it takes; no ping may be lost."""
    address = world.addresses[step.host]
    own = Arrival(address, socket.IPPROTO_ICMP, 1 + secrets.randbelow(65535))
    async with arriving(step.host, world) as arrived:
        outcome = await _ping_and_rekey(step, world, own)
    if outcome.held and arrived is not None and own not in arrived:
        detail = f"{outcome.detail}, but it is not {step.host} that answers"
        return Outcome(held=False, detail=detail)
    return outcome


async def _ping_and_rekey(step: SurvivesRekey, world: World, own: Arrival) -> Outcome:
    client, address = world.clients[step.survivesRekey], own.address
    argv = ["ping", "-n", "-i", str(INTERVAL), "-e", str(own.source_port), address]
    ping = await client.node.spawn(argv, log=f"ping-{step.host}")
    begun = rotation.place(ping.log)

    def answered() -> set[int]:
        return {int(number) for number in _ANSWER.findall(rotation.since(ping.log, begun))}

    try:
        await wait_until(
            f"{BEFORE} answers from {address}", PING_LIMIT, lambda: len(answered()) >= BEFORE
        )
        await client.rekey()
        renewed_at = max(answered())
        # ping may have started before the log's position was read.
        sent = set(range(min(answered()), renewed_at + AFTER + 1))
        with suppress(TimeoutError):
            await wait_until("the answers to all of them", PING_LIMIT, lambda: sent <= answered())
        lost = sorted(sent - answered())
    finally:
        await ping.stop()
    detail = (
        f"{len(sent) - len(lost)} of {counted(len(sent), 'ping')} answered; "
        f"new keys after {renewed_at}"
    )
    return Outcome(held=not lost, detail=f"{detail}; lost: {lost}" if lost else detail)


async def disconnected(step: Disconnected, world: World) -> Outcome:
    """The tunnel is down within the time, for the expected reason in the gateway's log."""
    client = world.clients[step.disconnected]
    if not client.session:
        return Outcome(held=False, detail=f"{client.name} was not connected")
    try:
        client_text = await client.ended(step.within)
    except TimeoutError:
        return Outcome(held=False, detail=f"is still connected after {step.within:g} s")
    if step.because is None:
        return Outcome(held=True, detail=f"the client: {client_text}")
    record = await records.of_session(client, "disconnected")
    logged = f"{record['reason']} {record['message']}" if record else "nothing"
    held = step.because in logged
    detail = f"the gateway's log: {logged.strip()}; the client: {client_text}"
    return Outcome(held=held, detail=detail)


async def stays_disconnected(step: StaysDisconnected, world: World) -> Outcome:
    """During that time the client has no tunnel, and the gateway no new session of the client.

    An old session may remain: a computer that was switched off does not close it, and the gateway
    only notices by dead peer detection.
    """
    client = world.clients[step.staysDisconnected]
    old = {row["vpnConnectionId"] for row in await client.gateway.sessions()}

    async def connected() -> str:
        if await client.connection() is not None:
            return "the client is connected"
        if leased := await client.leased():
            return f"the computer has {', '.join(leased)}"
        new = [row for row in await client.gateway.sessions() if row["vpnConnectionId"] not in old]
        for protocol in {row["protocol"] for row in new}:
            ends = {end_of(row): row for row in new if row["protocol"] == protocol}
            for own in await client.made(protocol, ends):
                return f"the gateway has a new session: {ends[own]['vpnConnectionId']}"
        return ""

    try:
        seen = await wait_until(f"{client.name} connects by itself", step.seconds, connected)
    except TimeoutError:
        return Outcome(held=True, detail=f"no tunnel for {step.seconds:g} s")
    return Outcome(held=False, detail=seen)
