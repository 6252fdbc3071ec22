"""What both ends of a call share: HTTP, then a machine and a PPP link over one stream of bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from gateway.dataplane.framing import HEADER
from gateway.ppp.events import Attempt, Authenticated, AuthenticationFailed, LinkDown
from gateway.ppp.frames import ip_packet, split
from gateway.sstp.protocol import building
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused, user_of
from gateway.sstp.protocol.machine import Machine
from gateway.sstp.protocol.packets import Framer, Status, is_control

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address

    from gateway.common.vocabulary import Reason
    from gateway.ppp.events import LinkEvent
    from gateway.sstp.protocol.events import CallEvent
    from gateway.sstp.protocol.http import RequestReader, ResponseReader
    from gateway.sstp.protocol.link import CallLink

MOST_UNSENT = 256 * 1024
"""Bytes that may wait in `outgoing` before the peer counts as one who does not read."""

LINGER = 3.0
"""Seconds in which what is left to send may go out after `closed`."""

_CONTROL_PROTOCOLS = 0x8000
"""Protocol numbers from here on are PPP's own control protocols (RFC 1661 section 2)."""

M = TypeVar("M", bound=Machine)


class Carrier(ABC, Generic[M]):
    """One end of a call. Bytes of TLS in and out, events out; the caller brings the time.

    `closed`: the connection is to be closed once `outgoing` is sent, or at `deadline()`.
    `established`: bound and IPCP open. `dropped` counts frames that were not let through.
    """

    def __init__(self, make_link: Callable[[float], CallLink], now: float, limit: float) -> None:
        self.closed = False
        self.established = False
        self.dropped = 0
        self._make_link = make_link
        self._reader: RequestReader | ResponseReader | None = None
        self._limit = limit
        self._due: float | None = now + limit
        self._network_due: float | None = None
        """Until when IPCP has to be open, once the call is bound."""
        self._machine: M | None = None
        self._link: CallLink | None = None
        self._framer = Framer()
        self._outgoing: list[bytes] = []
        self._unsent = 0
        self._events: list[CallEvent] = []
        self._user = ""
        self._told_bound = self._told_connected = self._refused = self._ended = False

    # ------------------------------------------------------------------------------ the owner's

    @property
    def ip_header(self) -> bytes:
        """What stands before an IP packet sent to the peer, after the SSTP header."""
        return self._link.ip_header if self._link else b""

    @property
    def peer_mru(self) -> int:
        """The largest IP packet to send to the peer."""
        return self._link.peer_mru if self._link else 0

    @property
    def address(self) -> IPv4Address | None:
        """The client's."""
        return self._link.address if self._link else None

    def receive(self, data: bytes, now: float) -> None:
        """Bytes out of TLS, cut anywhere. Never raises."""
        if self.closed:
            return
        rest = self._read_http(data, now) if self._reader else data
        for packet in self._framer.feed(rest):
            self._packet(packet, now)
        self._settle(now)
        if self._framer.broken:
            self._give_up("protocol", self._framer.broken, now)

    def tick(self, now: float) -> None:
        """Timers whose time has come."""
        if self.closed:
            return
        if self._reader and self._due is not None and now >= self._due:
            self._http_timed_out(now)
            return
        if self._machine:
            self._machine.tick(now)
            if self._network_due is not None and now >= self._network_due:
                self._network_due = None
                why = f"no IP address agreed on within {self._limit:g} s"
                self._machine.abort(Status.NEGOTIATION_TIMEOUT, why, now, fault="timeout")
            if self._link and self._machine.carries:
                self._link.tick(now)
        self._settle(now)

    def deadline(self) -> float | None:
        """When `tick` is wanted; after `closed`, when the connection is closed in any case."""
        if self.closed or self._reader or not self._machine:
            return self._due
        due = self._machine.deadline()
        links = self._link.deadline() if self._link and self._machine.carries else None
        times = (due, links, self._network_due)
        return min((time for time in times if time is not None), default=None)

    def outgoing(self) -> bytes:
        """Take the bytes to send."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self._unsent = 0
        return data

    def events(self) -> list[CallEvent]:
        """Take the events, in order."""
        events, self._events = self._events, []
        return events

    def rest(self) -> bytes:
        """Take the bytes of a packet that is not whole yet: a data plane cuts the stream from now
        on, and gives `receive` whole packets.
        """
        return self._framer.take()

    def heard(self, now: float) -> None:
        """When packets of the peer last went past the call (the data plane took them): it lives."""
        if self._machine:
            self._machine.heard(now)

    def send(self, packet: bytes, now: float) -> None:
        """An IP packet for the peer, for callers without a data plane of their own."""
        if self.established:
            self._put(building.data(self.ip_header + packet), now)

    def end(self, why: str, now: float) -> None:
        """Our side hangs up: PPP is taken down, then SSTP (3.2.4.2)."""
        if self.closed or self._ended:
            return
        self._end(why)
        if self._machine is None:
            self._close(now)
        elif self._link and self._machine.carries:
            self._link.terminate(why, now)
        else:
            self._machine.disconnect(why, now)
        self._settle(now)

    def lost(self, why: str, now: float) -> None:
        """The connection below is gone."""
        if not self.closed:
            self._end(why)
            self._outgoing.clear()
            self._close(now)

    # ------------------------------------------------------------------------- each end's own

    @abstractmethod
    def _read_http(self, data: bytes, now: float) -> bytes:
        """Take the HTTP header; what follows it, or nothing."""

    @abstractmethod
    def _http_timed_out(self, now: float) -> None:
        """No whole HTTP header in time."""

    @abstractmethod
    def _authenticated(self, event: Authenticated, now: float) -> None:
        """PPP has let the user in."""

    def _started(self, now: float) -> None:
        """PPP has just been started."""

    def _passes(self, frame: bytes) -> bool:
        """Whether a frame of ours is sent."""
        del frame
        return True

    # ------------------------------------------------------------------------------- inside

    def _packet(self, packet: bytes, now: float) -> None:
        machine = self._machine
        if machine is None or self.closed:
            return
        if is_control(packet):
            machine.receive(packet, now)
            self._settle(now)
            return
        machine.heard(now)
        frame = packet[HEADER:]
        if self.established and (inner := ip_packet(frame)) is not None:
            self._events.append(Data(inner))
            return
        parts = split(frame)
        control = parts is not None and parts[0] >= _CONTROL_PROTOCOLS
        if self._link and machine.carries and (control or self.established):
            self._link.receive(frame, now)
            self._settle(now)
        else:
            self.dropped += 1

    def _settle(self, now: float) -> None:
        """Carry between machine, link and owner until nothing moves."""
        machine = self._machine
        while machine and not self.closed:
            for packet in machine.outgoing():
                self._put(packet, now)
            if machine.carries and self._link is None:
                self._link = self._make_link(now)
                self._link.open(now)
                self._started(now)
            if machine.bound and not self._told_bound:
                self._told_bound = True
                self._network_due = now + self._limit
                self._events.append(machine.bound)
            if machine.ending:
                self._end(machine.ending.why, machine.ending.fault)
            if machine.closed:
                self._close(now)
            if not self._move(machine, now):
                break
        self._announce(machine)

    def _move(self, machine: M, now: float) -> bool:
        """Frames and events of the link; whether there were any."""
        link = self._link
        if link is None or not machine.carries:
            return False
        frames, events = link.outgoing(), link.events()
        for frame in frames:
            if self._passes(frame):
                self._put(building.data(frame), now)
        for event in events:
            self._on(event, machine, now)
        return bool(frames or events)

    def _on(self, event: LinkEvent, machine: M, now: float) -> None:
        if isinstance(event, Attempt):
            self._user = user_of(event) or self._user
            self._events.append(event)
        elif isinstance(event, Authenticated):
            self._user = event.user or self._user
            self._authenticated(event, now)
        elif isinstance(event, AuthenticationFailed):
            self._refuse(event.reason, event.message)
        elif isinstance(event, LinkDown):
            # Who leaves before it was connected was not turned away; who falls silent was.
            self._end(event.why, event.reason)
            machine.disconnect(event.why, now)

    def _announce(self, machine: M | None) -> None:
        link = self._link
        if not machine or not link:
            return
        self.established = bool(
            machine.bound and machine.carries and link.network_open and not self._ended
        )
        if self.established and not self._told_connected and link.address:
            self._told_connected = True
            self._network_due = None
            self._events.append(Connected(link.address))

    def _put(self, packet: bytes, now: float) -> None:
        if self._unsent + len(packet) > MOST_UNSENT:
            self._outgoing.clear()
            self._give_up("protocol", "the peer does not read what is sent to it", now)
            return
        self._outgoing.append(packet)
        self._unsent += len(packet)

    def _refuse(self, reason: Reason, message: str) -> None:
        if not self._refused and not self._told_connected:
            self._refused = True
            self._events.append(Refused(reason, message, self._user))

    def _end(self, why: str, reason: Reason | None = None) -> None:
        if self._ended:
            return
        if reason:
            self._refuse(reason, why)
        self._ended = True
        self._network_due = None
        self.established = False
        self._events.append(Ended(why))

    def _give_up(self, reason: Reason, why: str, now: float) -> None:
        """Close without a word (3.1.5.1)."""
        self._end(why, reason)
        self._close(now)

    def _close(self, now: float) -> None:
        self.closed = True
        self._due = now + LINGER
