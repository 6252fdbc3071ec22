"""A client whose clock is wrong: it judges certificates by it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from lab.nodes.base import Node
    from lab.topology.model.vocabulary import Reason
    from lab.world import ClientComputer, World

REASONS: tuple[Reason, ...] = ("server-untrusted", "expired", "not-yet-valid", "no-certificate")
"""What clients say of certificates that they judge themselves."""
ALIKE = timedelta(minutes=1)
"""Clocks that differ less are not compared further."""
_OPENSSLS = "%b %d %H:%M:%S %Y GMT"


@dataclass(frozen=True)
class Clocks:
    """Two clocks that differ, and the certificate that the gateway shows: UTC."""

    client: str
    own: datetime
    gateway: str
    right: datetime
    first: datetime
    """Of the certificate's validity."""
    last: datetime


async def look_at_clocks(client: ClientComputer, world: World) -> Clocks | None:
    """None: they agree."""
    gateway = client.gateway.name
    node = world.nodes[gateway]
    own, right = await asyncio.gather(_now(client.node), _now(node))
    if abs(own - right) < ALIKE:
        return None
    placement = next(plan.placement for plan in world.plan.gateways if plan.name == gateway)
    path = str(placement.serverCertificate.certificate)
    done = await node.run(["openssl", "x509", "-in", path, "-noout", "-startdate", "-enddate"])
    dates = [line.partition("=")[2] for line in done.stdout.splitlines()]
    first, last = (datetime.strptime(text, _OPENSSLS).replace(tzinfo=UTC) for text in dates)
    return Clocks(client.name, own, gateway, right, first, last)


async def _now(node: Node) -> datetime:
    done = await node.run(["date", "+%s"])
    return datetime.fromtimestamp(int(done.stdout), UTC)


def judge(clocks: Clocks, said: Sequence[str], at: float) -> Finding:
    """The clock, with both times, and what the client takes the gateway's certificate for."""
    own, right = _text(clocks.own), _text(clocks.right)
    validity = f"valid from {_text(clocks.first)} to {_text(clocks.last)}"
    if clocks.own < clocks.first:
        effect = f"by it the gateway's certificate, {validity}, is not valid yet"
    elif clocks.own > clocks.last:
        effect = f"by it the gateway's certificate, {validity}, has expired"
    else:
        effect = "it judges certificates by it, such as its user's"
    return failure(
        "certificate",
        f"the clock of {clocks.client} is {_far(clocks.own - clocks.right)}: it says {own}, and "
        f"that of {clocks.gateway} says {right}; {effect}",
        f"date on {clocks.client}: {own}; date on {clocks.gateway}: {right}",
        f"the certificate of {clocks.gateway}: {validity}",
        *said,
        remedy=f"set the clock of {clocks.client}",
        at=stamp(at),
    )


def _far(difference: timedelta) -> str:
    words = "ahead" if difference > timedelta() else "behind"
    return f"{abs(difference) / timedelta(days=1):.1f} days {words}"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
