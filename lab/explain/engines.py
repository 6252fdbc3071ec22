"""The gateway's daemons: whether the one of a protocol runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.policy.protocols import PROTOCOLS
from lab.explain.model import Finding, failure

if TYPE_CHECKING:
    from lab.vpn_client import Connection
    from lab.world import ClientComputer, GatewayHandle

OFF = "off"


@dataclass(frozen=True)
class EngineSeen:
    """A daemon that should run and does not."""

    gateway: str
    daemon: str
    state: str
    death: str
    """How it last died."""
    record: Mapping[str, Any]
    """The gateway's last record about it; empty: there is none."""

    @property
    def cause(self) -> str:
        """In words, with its moment."""
        if self.state == OFF:
            return f"the gateway {self.gateway} is off: its API gives no answer"
        since = f" since {self.record['time']}" if self.record else ""
        return f"{self.daemon} of {self.gateway} does not run{since}"

    @property
    def proof(self) -> tuple[str, ...]:
        """What the gateway says of it."""
        if self.state == OFF:
            return (f"{self.gateway}'s API: {self.death}",)
        runtime = f"{self.gateway}, GET /runtime: {self.daemon} is {self.state}; {self.death}"
        last = self.record
        told = [f"the gateway's log at {last['time']}: {last['message']}"] if last else []
        return (runtime, *told)

    @property
    def remedy(self) -> str:
        """Where to look."""
        return f"see why it does not start: p2slab logs {self.gateway} {self.daemon}"


async def look(gateway: GatewayHandle, protocol: str) -> EngineSeen | None:
    """The daemon of a protocol that the gateway offers; None: it runs, or is not wanted. Of a
    gateway that is switched off nothing runs."""
    daemon = next(row.daemon for name, row in PROTOCOLS.items() if name == protocol)
    try:
        rows = (await gateway.runtime())["engines"]
    except OSError as error:
        return EngineSeen(gateway.name, daemon, OFF, str(error), {})
    row = next((row for row in rows if row["protocol"] == protocol), None)
    if row is None or row["state"] == "running":
        return None
    told = [
        record
        for record in await gateway.log()
        if record["event"] == "engine" and record["protocol"] == protocol
    ]
    last = told[-1] if told else {}
    return EngineSeen(gateway.name, daemon, row["state"], row["death"], last)


async def switched_off(client: ClientComputer) -> Finding | None:
    """Of a client whose gateway is off; None: it is not."""
    gateway = client.gateway
    try:
        await gateway.exists()
    except OSError as error:
        seen = EngineSeen(gateway.name, "", OFF, str(error), {})
        cause = f"{client.name} is not connected: {seen.cause}"
        return failure("gateway-down", cause, *seen.proof, remedy=f"switch {gateway.name} on")
    return None


def half_a_tunnel(client: str, seen: EngineSeen, connection: Connection) -> Finding:
    """Of a client that has not noticed yet."""
    cause = f"the tunnel of {client} stands at its own end alone: {seen.cause}"
    own = f"{client}: {connection.protocol}, {connection.address} on {connection.interface}"
    return failure("gateway-down", cause, *seen.proof, own, remedy=seen.remedy)


def no_tunnel(client: str, since: str, seen: EngineSeen, *proof: str) -> Finding:
    """Of a client whose session ended with the daemon."""
    cause = f"{client} has no tunnel since {since}: {seen.cause}"
    return failure("gateway-down", cause, *seen.proof, *proof, remedy=seen.remedy, at=since)
