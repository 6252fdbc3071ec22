"""Connections to openvpn on which nobody has been let in yet: bounded, as SSTP's are.

openvpn itself counts only all clients together (max-clients), so that one source could take every
place and keep it for hand-window seconds by saying nothing. So the gateway looks at who is there,
and has openvpn end the oldest of the greediest. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.unprivileged.halfopen import HalfOpen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

MOST_HALF_OPEN = 1024
SHARE = 256
"""Of one source: many clients may stand behind one NAT."""
MOST_CLIENTS = 1000
"""The largest SKU's."""
MAX_CLIENTS = MOST_CLIENTS + MOST_HALF_OPEN + SHARE
"""openvpn's max-clients: some come between two looks."""
LOOK_FROM = SHARE // 2
"""Half-open connections from which on it is worth asking who they are."""

Row = dict[str, str]
Place = tuple[str, str]
"""Public address and port."""


def rows(lines: Iterable[str]) -> list[Row]:
    """The clients in the answer to `status 3`, by the names of its columns."""
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
    """Those whose client id is not among the known ones, the oldest first."""
    return sorted(
        (row for row in clients if row["Client ID"] not in known),
        key=lambda row: int(row["Connected Since (time_t)"]),
    )


def surplus(waiting: Iterable[Mapping[str, str]]) -> list[Place]:
    """Of the half-open ones, oldest first: those that have to go."""
    table: HalfOpen[Place] = HalfOpen(total=MOST_HALF_OPEN, share=SHARE)
    out = []
    for row in waiting:
        address, _, port = row["Real Address"].rpartition(":")
        gone = table.add((address, port), address)
        if gone:
            out.append(gone)
    return out
