"""All flows of one TUN, in one reactor.

TUN -> destination address -> that flow's queue -> TLS
TLS -> SSTP packets -> source address checked -> TUN; other packets -> control()
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.dataplane.carrier import GATEWAY, SLACK
from gateway.dataplane.counters import PlaneCounters
from gateway.dataplane.framing import FramingError, is_whole
from gateway.dataplane.offload import OffloadTun
from gateway.dataplane.outgoing import CHUNK, QUEUE_BYTES
from gateway.dataplane.plain import PlainTun
from gateway.dataplane.reactor import READABLE, WRITABLE
from gateway.dataplane.tls import RECORD
from gateway.dataplane.tun import has_vnet_hdr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.dataplane.carrier import Carrier, Side
    from gateway.dataplane.flow import Flow
    from gateway.dataplane.native import Native
    from gateway.dataplane.reactor import Reactor
    from gateway.dataplane.tls import Buffer

_READ_BYTES = 131072
"""Bytes read from one client before the others' turn."""
_ROUND_BYTES = 131072
"""Bytes passed to TLS per round of the reactor, for all clients together.

This is less than is read from the TUN per round: excess load then builds up in the flows' queues,
where the largest flow loses first, and not in the TUN's queue, which does not distinguish flows.
"""
_CYCLE_BYTES = 1 << 22
"""Approximate bytes sent until all flows have had a turn; a flow with a small window sends it once
per cycle."""
_BACKLOG_BYTES = 16 << 20
"""Bytes queued by all flows together. The more flows wait, the smaller each queue, because a full
queue delays packets.
"""


@dataclass(slots=True)
class _Member:
    descriptor: int
    address: bytes
    events: int = READABLE
    waits: bool = False
    """Whether it is in the backlog."""
    more: bool = False
    """Whether more complete packets have come than one turn allows; the next turn is scheduled."""


class Plane:
    """Moves packets. `tun`: a descriptor from open_tun; `mtu`: its device's MTU in bytes.

    A TUN with virtio_net_hdr needs `native`; others ignore it. `side` CLIENT makes this the
    client's end of the tunnel, for the lab's own clients: "from the client" then means from the
    peer, but a flow's address is still the client's.
    """

    def __init__(
        self,
        tun: int,
        native: Native | None,
        reactor: Reactor,
        mtu: int,
        *,
        side: Side = GATEWAY,
    ) -> None:
        self._tun = tun
        self._reactor = reactor
        self._flows: dict[bytes, Flow] = {}
        self._members: dict[Flow, _Member] = {}
        self._backlog: deque[Flow] = deque()
        """Flows with queued data that their connection can accept, in order of turns."""
        self._serving = False
        self._taken = 0
        """Bytes from clients since the TUN was last read: it is one descriptor among many, but
        carries all answers to the clients' packets."""
        self._round = -1
        self._budget = 0
        self._buffer = bytearray(_READ_BYTES + SLACK)
        self._view = memoryview(self._buffer)[:_READ_BYTES]
        self.counters = PlaneCounters()
        self._carrier = self._choose(native, mtu, side)
        reactor.add(tun, READABLE, self._from_tun)

    def _choose(self, native: Native | None, mtu: int, side: Side) -> Carrier:
        common = self._tun, self._flows, mtu, self.counters
        if not has_vnet_hdr(self._tun):
            return PlainTun(*common, side=side, send=self._send)
        if native is None:
            raise ValueError("a TUN with virtio_net_hdr needs the compiled part")
        return OffloadTun(*common, side=side, send=self._send, native=native)

    def add(self, flow: Flow) -> None:
        """Carry packets for a flow from now on.

        The plane watches its connection, in place of any previous watcher. No callback is called
        before the reactor's next round. ValueError: another flow has its address.
        """
        if flow.address in self._flows:
            raise ValueError("two flows with one address")
        self._flows[flow.address] = flow
        descriptor = flow.connection.fileno()
        self._members[flow] = _Member(descriptor, flow.address)
        flow.watch = partial(self._watch, flow)
        flow.heard = self._reactor.now
        self._carrier.changed()
        self._reactor.add(descriptor, READABLE, partial(self._ready, flow))
        # The socket does not report bytes that the owner has read from TLS but not parsed.
        self._reactor.call_at(0.0, partial(self._ready, flow, READABLE))

    def remove(self, flow: Flow) -> None:
        """Remove a flow without notifying its owner; call this before the connection's close()."""
        flow.forget()
        member = self._members.pop(flow, None)
        if member:
            self._unmap(flow, member)
            self._reactor.remove(member.descriptor)
            if member.waits:
                self._backlog.remove(flow)

    def close(self) -> None:
        """Remove all flows and the TUN, whose descriptor stays open."""
        for flow in list(self._members):
            self.remove(flow)
        self._reactor.remove(self._tun)

    def _from_tun(self, _events: int) -> None:
        self._taken = 0
        self._carrier.from_tun()

    def _send(self, flow: Flow, chunks: Sequence[Buffer], last: Buffer) -> None:
        """Send a carrier's flush."""
        share = _BACKLOG_BYTES // (len(self._backlog) + 1)
        bound = min(max(share, 2 * CHUNK), QUEUE_BYTES)
        left = self._left()
        self._budget = left - flow.outgoing.send(chunks, last, min(left, self._turn()), bound)
        self._watch(flow)

    def _serve(self) -> None:
        """Send from the backlog, once per round."""
        backlog = self._backlog
        while backlog and self._left() > 0:
            flow = backlog.popleft()
            self._members[flow].waits = False
            self._budget -= flow.outgoing.drain(self._turn())
            self._watch(flow)
        self._serving = bool(backlog)
        if backlog:
            self._reactor.call_at(0.0, self._serve)

    def _turn(self) -> int:
        """Bytes that one flow may send before the next one's turn."""
        return min(max(_CYCLE_BYTES // (len(self._backlog) + 1), RECORD), _ROUND_BYTES)

    def _left(self) -> int:
        """Bytes left of this round's budget."""
        if self._round != self._reactor.rounds:
            self._round, self._budget = self._reactor.rounds, _ROUND_BYTES
        return self._budget

    def _ready(self, flow: Flow, events: int) -> None:
        """Handle a connection that is writable or readable, or a deferred check (no events)."""
        member = self._members.get(flow)
        if not member:
            return
        if events & WRITABLE:
            flow.connection.flush()
            self._watch(flow)
        if events & ~WRITABLE and not member.more:
            self._receive(flow, member)
            if self._taken >= _READ_BYTES:
                self._taken = 0
                self._carrier.from_tun()
        if flow.open and not (member.more and flow.connection.ended):
            self._settle(flow)

    def _continue(self, flow: Flow, member: _Member) -> None:
        """Handle the packets that exceeded the last turn."""
        member.more = False
        self._ready(flow, READABLE)

    def _receive(self, flow: Flow, member: _Member) -> None:
        end = len(flow.rest)
        self._view[:end] = flow.rest
        if _READ_BYTES - end >= RECORD:
            got = flow.connection.read_into(self._view[end:])
            if got:
                flow.heard = self._reactor.now
                self._taken += got
                end += got
        try:
            at = self._carrier.from_client(flow, self._buffer, end)
            flow.rest = bytes(self._view[at:end])
            member.more = is_whole(flow.rest)
        except FramingError as error:
            self._end(flow, str(error))
        else:
            if member.more:
                self._reactor.call_at(0.0, partial(self._continue, flow, member))

    def _settle(self, flow: Flow) -> None:
        connection = flow.connection
        if why := connection.ended or flow.failed:
            self._end(flow, why)
        elif flow.finishing and not flow.outgoing and not connection.wants_write:
            self._end(flow, flow.finishing)

    def _end(self, flow: Flow, why: str) -> None:
        closed = flow.closed
        self.remove(flow)
        closed(why)

    def _watch(self, flow: Flow) -> None:
        """Update the watched events after data was passed to the connection, or on finish()."""
        member = self._members[flow]
        if flow.finishing:
            self._unmap(flow, member)
        if flow.finishing or flow.failed or flow.connection.ended:
            # Deferred: the sender does not expect a callback.
            self._reactor.call_at(0.0, partial(self._ready, flow, 0))
        blocked = flow.connection.wants_write
        if flow.outgoing and not blocked and not member.waits:
            member.waits = True
            self._backlog.append(flow)
            if not self._serving:
                self._serving = True
                self._reactor.call_at(0.0, self._serve)
        events = READABLE | WRITABLE if blocked else READABLE
        if events != member.events:
            member.events = events
            self._reactor.modify(member.descriptor, events)

    def _unmap(self, flow: Flow, member: _Member) -> None:
        flow.address = b""
        if self._flows.get(member.address) is flow:
            del self._flows[member.address]
            self._carrier.changed()
