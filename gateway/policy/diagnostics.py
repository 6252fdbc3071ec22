"""P2SDiagnosticLog and TunnelDiagnosticLog: records of events of clients and engines, and of
site-to-site tunnels; the newest are kept.

Names and messages may come from strangers. They are sanitised here, and on stderr each value is
quoted, so that none can imitate another field or line.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from radius.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.arm.connections import ConnectionStatus
    from gateway.common.vocabulary import Reason, VpnProtocol

Event = Literal["connected", "refused", "disconnected", "engine"]
KEPT = 2000
LONGEST_MESSAGE = 2000
"""Characters."""


@dataclass(frozen=True)
class Record:
    """One record; absent values are empty strings."""

    time: str
    protocol: VpnProtocol
    event: Event
    user: str = ""
    publicIpAddress: str = ""
    publicPort: str = ""
    attemptTime: str = ""
    """When the client's attempt to connect began: address, port and this time tell attempts apart,
    names do not."""
    vpnConnectionId: str = ""
    """The session that began or ended."""
    reason: Reason | Literal[""] = ""
    message: str = ""
    thumbprint: str = ""
    serialNumber: str = ""
    """The serial number of a certificate refused before its thumbprint was known; decimal."""
    radiusServer: str = ""
    """The address of the RADIUS server that accepted or refused the user."""
    operationName: str = "P2SLogEvent"


class Records(Protocol):
    """A collection of records."""

    def append(self, record: Record, /) -> None:
        """Add a record."""

    def __iter__(self) -> Iterator[Record]: ...


class DiagnosticLog:
    """A ring buffer of records; each is also written to stderr, the program's own log."""

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
        port: str = "",
        began: str = "",
        connection: str = "",
        thumbprint: str = "",
        serial: str = "",
        radius_server: str = "",
    ) -> None:
        """Add a record with the current time (UTC). The message of a refusal by RADIUS begins with
        the server's address, for people. `began`: the time of the attempt (`now`).
        """
        if event == "refused" and radius_server:
            message = f"RADIUS server {radius_server}: {message}"
        record = Record(
            time=now(),
            protocol=protocol,
            event=event,
            user=printable(user),
            publicIpAddress=printable(address),
            publicPort=printable(port),
            attemptTime=began,
            vpnConnectionId=connection,
            reason=reason or "",
            message=printable(message, LONGEST_MESSAGE),
            thumbprint=printable(thumbprint),
            serialNumber=printable(serial),
            radiusServer=printable(radius_server),
        )
        self._records.append(record)
        _write(f"{record.time} {protocol} {event}", vars(record), _SHOWN)

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
    """A ring buffer of tunnel records, also written to stderr."""

    def __init__(self) -> None:
        self._records: deque[TunnelRecord] = deque(maxlen=KEPT)

    def add(self, connection: str, status: ConnectionStatus, peer: str, message: str) -> None:
        """Add a record with the current time (UTC)."""
        name = "TunnelConnected" if status == "Connected" else "TunnelDisconnected"
        words = printable(message, LONGEST_MESSAGE)
        record = TunnelRecord(now(), connection, status, printable(peer), words, name)
        self._records.append(record)
        _write(f"{record.time} tunnel {status}", vars(record), _SHOWN_OF_A_TUNNEL)

    def documents(self) -> list[dict[str, Any]]:
        """All records, oldest first."""
        return [asdict(record) for record in self._records]


_SHOWN = (
    "reason",
    "user",
    "publicIpAddress",
    "publicPort",
    "vpnConnectionId",
    "thumbprint",
    "serialNumber",
    "radiusServer",
    "message",
)
_SHOWN_OF_A_TUNNEL = ("connection", "remoteIP", "message")


def now() -> str:
    """The current time: UTC, ISO 8601, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _write(head: str, values: dict[str, str], names: tuple[str, ...]) -> None:
    """Write one line to stderr: the head, then `name="value"`, the value as JSON."""
    fields = (f"{n}={json.dumps(values[n], ensure_ascii=False)}" for n in names if values[n])
    sys.stderr.write(" ".join((head, *fields)) + "\n")
