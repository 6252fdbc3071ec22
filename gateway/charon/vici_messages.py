"""charon's vici messages as values. A pure mapping; every field may be missing.

Source: strongSwan 5.9.8, src/libcharon/plugins/vici/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LogLine:
    """A log message; `uniqueid` is empty outside an IKE_SA."""

    group: str
    uniqueid: str
    text: str
    connection: str = ""
    """Name of the IKE_SA's connection, once charon has selected one."""


@dataclass(frozen=True)
class ChildSa:
    """Counters of a CHILD_SA; "in" is from the client."""

    uniqueid: str
    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    state: str = ""


@dataclass(frozen=True)
class IkeSa:
    """An IKE_SA."""

    uniqueid: str
    state: str
    remote_host: str
    remote_id: str
    virtual_addresses: tuple[str, ...] = ()
    children: tuple[ChildSa, ...] = ()
    connection: str = ""
    """The name of its connection."""
    remote_port: str = ""


@dataclass(frozen=True)
class UpDown:
    """`ike-updown`."""

    up: bool
    sas: tuple[IkeSa, ...]


@dataclass(frozen=True)
class IkeRekeyed:
    """`ike-rekey`: the IKE_SA continues under a new unique id."""

    old: str
    new: str


@dataclass(frozen=True)
class ChildRekeyed:
    """`child-rekey`: the final counters of the replaced CHILD_SA."""

    uniqueid: str
    old: ChildSa
    connection: str = ""


@dataclass(frozen=True)
class ChildUpDown:
    """`child-updown` for these connections."""

    connections: tuple[str, ...]


Event = LogLine | UpDown | ChildUpDown | IkeRekeyed | ChildRekeyed

EVENTS = ("ike-updown", "child-updown", "ike-rekey", "child-rekey", "log")


@dataclass(frozen=True)
class _Reader:
    """Reads fields of a message; missing fields are empty."""

    message: dict[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.message.get(name, b"")
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""

    def number(self, name: str) -> int:
        text = self.text(name)
        return int(text) if text.isdecimal() else 0

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.message.get(name, [])
        if not isinstance(value, list):
            return ()
        return tuple(v.decode("utf-8", "replace") for v in value if isinstance(v, bytes))

    def sections(self) -> list[_Reader]:
        return [_Reader(value) for value in self.message.values() if isinstance(value, dict)]

    def named_sections(self) -> list[tuple[str, _Reader]]:
        return [(k, _Reader(v)) for k, v in self.message.items() if isinstance(v, dict)]

    def section(self, name: str) -> _Reader:
        value = self.message.get(name)
        return _Reader(value) if isinstance(value, dict) else _Reader()


def event(name: str, message: dict[str, Any]) -> list[Event]:
    """The events in one message; unknown events are ignored."""
    reader = _Reader(message)
    if name == "log":
        words = (reader.text(key) for key in ("group", "ikesa-uniqueid", "msg", "ikesa-name"))
        return [LogLine(*words)]
    if name == "ike-updown":
        return [UpDown(up=reader.text("up") == "yes", sas=ike_sas(message))]
    if name == "child-updown":
        return [ChildUpDown(tuple(name for name, _ in reader.named_sections()))]
    if name == "ike-rekey":
        return [
            IkeRekeyed(sa.section("old").text("uniqueid"), sa.section("new").text("uniqueid"))
            for sa in reader.sections()
        ]
    if name == "child-rekey":
        return [
            ChildRekeyed(sa.text("uniqueid"), _child(child.section("old")), name)
            for name, sa in reader.named_sections()
            for child in sa.section("child-sas").sections()
        ]
    return []


def ike_sas(message: dict[str, Any]) -> tuple[IkeSa, ...]:
    """The IKE_SAs in a `list-sa` or `ike-updown` message."""
    return tuple(
        IkeSa(
            uniqueid=sa.text("uniqueid"),
            connection=name,
            state=sa.text("state"),
            remote_host=sa.text("remote-host"),
            remote_port=sa.text("remote-port"),
            remote_id=sa.text("remote-eap-id") or sa.text("remote-id"),
            virtual_addresses=sa.texts("remote-vips"),
            children=tuple(_child(child) for child in sa.section("child-sas").sections()),
        )
        for name, sa in _Reader(message).named_sections()
    )


def _child(reader: _Reader) -> ChildSa:
    return ChildSa(
        uniqueid=reader.text("uniqueid"),
        bytes_in=reader.number("bytes-in"),
        bytes_out=reader.number("bytes-out"),
        packets_in=reader.number("packets-in"),
        packets_out=reader.number("packets-out"),
        state=reader.text("state"),
    )
