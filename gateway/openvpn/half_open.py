"""Limits half-open connections to openvpn, those not admitted yet, as SSTP does.

openvpn itself limits only the total number of clients (max-clients), so that one silent source
could occupy every place for hand-window seconds. The gateway therefore lists the clients and has
openvpn close the oldest connections of the source that has most. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.unprivileged.halfopen import HalfOpen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

MOST_HALF_OPEN = 1024
SHARE = 256
"""Maximum per source: many clients may be behind one NAT."""
MOST_CLIENTS = 1000
"""The largest SKU's limit."""
MAX_CLIENTS = MOST_CLIENTS + MOST_HALF_OPEN + SHARE
"""openvpn's max-clients: with room for connections that arrive between two checks."""
LOOK_FROM = SHARE // 2
"""Number of half-open connections from which on the clients are listed."""

Row = dict[str, str]
Place = tuple[str, str]
"""Public address and port."""


def rows(lines: Iterable[str]) -> list[Row]:
    """The clients in the answer to `status 3`, as dictionaries by column name."""
    header: list[str] = []
    found = []
    for line in lines:
        row = line.split("\t")
        if row[:2] == ["HEADER", "CLIENT_LIST"]:
            header = row[2:]
        elif row[0] == "CLIENT_LIST":
            found.append(dict(zip(header, row[1:], strict=False)))
    return found


def half_open(clients: Iterable[Row], known: Collection[str]) -> list[Row]:
    """The clients whose id is not known, the oldest first."""
    return sorted(
        (row for row in clients if row["Client ID"] not in known),
        key=lambda row: int(row["Connected Since (time_t)"]),
    )


def surplus(waiting: Iterable[Mapping[str, str]]) -> list[Place]:
    """The connections to close; `waiting` are the half-open ones, the oldest first."""
    table: HalfOpen[Place] = HalfOpen(total=MOST_HALF_OPEN, share=SHARE)
    out = []
    for row in waiting:
        address, _, port = row["Real Address"].rpartition(":")
        gone = table.add((address, port), address)
        if gone:
            out.append(gone)
    return out
