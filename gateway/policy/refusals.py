"""The bounded diagnostic log: strangers can flood neither the log file nor memory with refusals,
because each kind of event has its own ring buffer.

Refusals are rate-limited per protocol and per kind of peer: anonymous, with a claimed name, with a
known certificate. Refusals beyond the limit are counted and summed up in one line.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.common.rate_limit import RateLimit
from gateway.policy.diagnostics import KEPT, DiagnosticLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.common.vocabulary import VpnProtocol
    from gateway.policy.diagnostics import Event, Record

SUMMARY = 10.0
"""Seconds from the first suppressed refusal to the line that sums up all of them."""

_Kind = tuple["VpnProtocol", bool, bool]


class Rings:
    """The newest records of each kind of event."""

    def __init__(self) -> None:
        self._rings: dict[Event, deque[tuple[int, Record]]] = {}
        self._number = 0

    def append(self, record: Record) -> None:
        """Add a record; the oldest of its kind may be dropped."""
        self._number += 1
        ring = self._rings.setdefault(record.event, deque(maxlen=KEPT))
        ring.append((self._number, record))

    def __iter__(self) -> Iterator[Record]:
        """All records in chronological order."""
        every = (entry for ring in self._rings.values() for entry in ring)
        return (record for _, record in sorted(every, key=lambda entry: entry[0]))


class BoundedLog(DiagnosticLog):
    """A DiagnosticLog for a program that runs an event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._records = Rings()
        self._limits: dict[_Kind, RateLimit] = {}
        self._refused: Counter[tuple[str, str]] = Counter()
        self._left_out = 0

    def add(self, event: Event, protocol: VpnProtocol, message: str, **fields: Any) -> None:
        """Add a record, unless it is a refusal beyond the limit."""
        if event == "refused" and not self._may(protocol, fields):
            return
        super().add(event, protocol, message, **fields)

    def counts(self) -> dict[str, Any]:
        """All refusals by protocol and reason, and how many of them were not recorded."""
        totals: dict[str, dict[str, int]] = {}
        for (protocol, reason), count in sorted(self._refused.items()):
            totals.setdefault(protocol, {})[reason] = count
        return {"refused": totals, "withoutRecord": self._left_out}

    def _may(self, protocol: VpnProtocol, fields: dict[str, Any]) -> bool:
        reason = fields.get("reason") or "refused"
        self._refused[protocol, reason] += 1
        kind = (protocol, bool(fields.get("user")), bool(fields.get("thumbprint")))
        now = time.monotonic()
        limit = self._limits.setdefault(kind, RateLimit(now))
        if limit.allows(reason, now):
            return True
        self._left_out += 1
        if limit.left_out == 1:
            summary = partial(self._sum_up, protocol, limit)
            asyncio.get_running_loop().call_later(SUMMARY, summary)
        return False

    def _sum_up(self, protocol: VpnProtocol, limit: RateLimit) -> None:
        super().add("engine", protocol, limit.summary())
