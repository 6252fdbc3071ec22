"""P2SDiagnosticLog and TunnelDiagnosticLog: what happened to clients and engines, and to
site-to-site tunnels, as records; the newest are kept."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.connections import ConnectionStatus
    from gateway.vocabulary import Reason, VpnProtocol

Event = Literal["connected", "refused", "disconnected", "engine"]
KEPT = 2000


@dataclass(frozen=True)
class Record:
    """One record; absent values are empty strings."""

    time: str
    protocol: str
    event: Event
    user: str = ""
    publicIpAddress: str = ""
    reason: str = ""
    message: str = ""
    thumbprint: str = ""
    operationName: str = "P2SLogEvent"


class Records(Protocol):
    """Where they are kept."""

    def append(self, record: Record, /) -> None:
        """Take one in."""

    def __iter__(self) -> Iterator[Record]: ...


class DiagnosticLog:
    """A ring of records; each is written to stderr too, which is the program's own log."""

    def __init__(self) -> None:
        self._records: Records = deque(maxlen=KEPT)

    def add(
        self,
        event: Event,
        protocol: VpnProtocol,
        message: str,
        *,
        reason: Reason | None = None,
        user: str = "",
        address: str = "",
        thumbprint: str = "",
    ) -> None:
        """Add a record with the time of now (UTC)."""
        record = Record(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            protocol=protocol,
            event=event,
            user=user,
            publicIpAddress=address,
            reason=reason or "",
            message=message,
            thumbprint=thumbprint,
        )
        self._records.append(record)
        who = " ".join(part for part in (user, address, thumbprint) if part)
        words = f"{record.time} {protocol} {event} {record.reason} {who}: {message}"
        sys.stderr.write(" ".join(words.split()) + "\n")

    def documents(self) -> list[dict[str, Any]]:
        """All records, oldest first."""
        return [asdict(record) for record in self._records]


@dataclass(frozen=True)
class TunnelRecord:
    """A site-to-site tunnel came up or went down."""

    time: str
    connection: str
    status: str
    remoteIP: str
    message: str
    operationName: str


class TunnelLog:
    """A ring of records, as above."""

    def __init__(self) -> None:
        self._records: deque[TunnelRecord] = deque(maxlen=KEPT)

    def add(self, connection: str, status: ConnectionStatus, peer: str, message: str) -> None:
        """Add a record with the time of now (UTC)."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        name = "TunnelConnected" if status == "Connected" else "TunnelDisconnected"
        self._records.append(TunnelRecord(now, connection, status, peer, message, name))
        end = f": {message}" if message else ""
        sys.stderr.write(f"{now} tunnel {connection} to {peer} {status}{end}\n")

    def documents(self) -> list[dict[str, Any]]:
        """All records, oldest first."""
        return [asdict(record) for record in self._records]
