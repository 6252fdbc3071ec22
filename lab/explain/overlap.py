"""Two routes of a client to one address: that of its own network, and that of its tunnel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.nodes.base import Node


LOOPBACK = "lo"


@dataclass(frozen=True)
class Row:
    """A route that has the address."""

    prefix: str
    device: str
    text: str
    """As `ip route` has it."""

    @property
    def length(self) -> int:
        """Bits of its prefix."""
        return ip_network(self.prefix).prefixlen


async def routes_to(node: Node, address: str) -> list[Row]:
    """All routes of a node that have an address, of whichever table."""
    argv = ["ip", "-json", "-4", "route", "show", "table", "all", "match", address]
    done = await node.run(argv)
    return [row for one in json.loads(done.stdout or "[]") if (row := _row(one))]


def _row(one: dict[str, object]) -> Row | None:
    """None: no route to a device."""
    if one.get("type", "unicast") != "unicast" or "dev" not in one:
        return None
    prefix = "0.0.0.0/0" if one["dst"] == "default" else str(one["dst"])
    words = ("via", "gateway"), ("dev", "dev"), ("metric", "metric"), ("table", "table")
    rest = [f"{word} {one[key]}" for word, key in words if key in one]
    return Row(prefix, str(one["dev"]), " ".join([prefix, *rest]))


def overlap(
    address: str, rows: Sequence[Row], proof: Sequence[str], *, taken: str, tunnel: str, access: str
) -> Finding | None:
    """Why packets leave by the device `taken` and not by `tunnel`; None: only one has a route.
    `access`: the client's access network."""
    device = next((row.device for row in rows if row.device != tunnel and row.length), "")
    mine = taken == LOOPBACK
    own = max((row for row in rows if row.device == (device if mine else taken)),
              key=_length, default=None)  # fmt: skip
    inside = max((row for row in rows if row.device == tunnel), key=_length, default=None)
    if own is None or inside is None or own.length == 0:
        return None
    longer = "is longer" if own.length > inside.length else "is as long"
    why = (
        "packets do not leave, for it is the client's own address"
        if mine
        else f"packets leave by {taken}, for the prefix of the client's own network {longer}"
    )
    return failure(
        "overlap",
        f"{own.prefix} of {access} overlaps {inside.prefix} of the tunnel: both have {address}; "
        f"{why}",
        f"the route of {access}: {own.text}",
        f"the route of the tunnel: {inside.text}",
        *proof,
        remedy=f"give {access} another prefix, or the VNet",
    )


def _length(row: Row) -> int:
    return row.length
