"""The gateway's daemons: whether the one of a protocol runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.policy.protocols import PROTOCOLS
from lab.explain.model import Finding, failure

if TYPE_CHECKING:
    from lab.world import GatewayHandle


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
        since = f" since {self.record['time']}" if self.record else ""
        return f"{self.daemon} of {self.gateway} does not run{since}"

    @property
    def proof(self) -> tuple[str, ...]:
        """What the gateway says of it."""
        runtime = f"{self.gateway}, GET /runtime: {self.daemon} is {self.state}; {self.death}"
        told = (f"the gateway's log at {self.record['time']}: {self.record['message']}",)
        return (runtime, *(told if self.record else ()))

    @property
    def remedy(self) -> str:
        """Where to look."""
        return f"see why it does not start: p2slab logs {self.gateway} {self.daemon}"


async def look(gateway: GatewayHandle, protocol: str) -> EngineSeen | None:
    """The daemon of a protocol that the gateway offers; None: it runs, or is not wanted."""
    rows = (await gateway.runtime())["engines"]
    row = next((row for row in rows if row["protocol"] == protocol), None)
    if row is None or row["state"] == "running":
        return None
    told = [
        record
        for record in await gateway.log()
        if record["event"] == "engine" and record["protocol"] == protocol
    ]
    daemon = next(row.daemon for name, row in PROTOCOLS.items() if name == protocol)
    last = told[-1] if told else {}
    return EngineSeen(gateway.name, daemon, row["state"], row["death"], last)


def no_tunnel(client: str, since: str, seen: EngineSeen, *proof: str) -> Finding:
    """Of a client whose session ended with the daemon."""
    cause = f"{client} has no tunnel since {since}: {seen.cause}"
    return failure("gateway-down", cause, *seen.proof, *proof, remedy=seen.remedy, at=since)
