"""All flows of one TUN, in one reactor.

TUN -> destination address -> that flow's queue -> TLS
TLS -> SSTP packets -> source address checked -> TUN; what is no IP packet -> control()
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
"""Taken from one client before the others have their turn again."""
_ROUND_BYTES = 131072
"""Given to TLS in one round of the reactor, for all clients together.

Less than is read from the TUN in a round: what is too much for the processor gathers in the
flows' queues, where the largest flow loses first, and not in the TUN's, which knows no flows.
"""
_CYCLE_BYTES = 1 << 22
"""Until all have had their turn, about: a flow with a small window sends that once a cycle."""
_BACKLOG_BYTES = 16 << 20
"""Waiting for the processor, of all flows together: then each has a smaller queue, for it is time
that a full queue costs.
"""


@dataclass(slots=True)
class _Member:
    descriptor: int
    address: bytes
    events: int = READABLE
    waits: bool = False
    """It stands in the backlog."""
    more: bool = False
    """More whole packets have come than one turn allows; the next is ordered."""


class Plane:
    """Moves packets; `tun` is a descriptor of open_tun, `mtu` (bytes) that of its device.

    With a TUN that has virtio_net_hdr `native` is needed, with another it is not used. `side`
    CLIENT makes it the other end of the tunnel, for clients of our own: `from` the peer then is to
    be read for `from the client`, and a flow's address is that of the client all the same.
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
        """Flows with something waiting that their connection would take, by turns."""
        self._serving = False
        self._taken = 0
        """Bytes from clients since the TUN had its turn: it is one descriptor among many, and all
        that the clients' packets cause comes back through it."""
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
        """Carry packets for it from now on.

        Its connection is watched here, instead of whoever watched it before. No callback comes
        before the reactor's next round. Raises ValueError where another flow has its address.
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
        # What the owner took from TLS and did not parse is not told by the socket.
        self._reactor.call_at(0.0, partial(self._ready, flow, READABLE))

    def remove(self, flow: Flow) -> None:
        """Forget it, without a word to its owner; to be called before the connection's close()."""
        flow.forget()
        member = self._members.pop(flow, None)
        if member:
            self._unmap(flow, member)
            self._reactor.remove(member.descriptor)
            if member.waits:
                self._backlog.remove(flow)

    def close(self) -> None:
        """Forget all flows and the TUN, whose descriptor stays open."""
        for flow in list(self._members):
            self.remove(flow)
        self._reactor.remove(self._tun)

    def _from_tun(self, _events: int) -> None:
        self._taken = 0
        self._carrier.from_tun()

    def _send(self, flow: Flow, chunks: Sequence[Buffer], last: Buffer) -> None:
        """One flush of a carrier's."""
        share = _BACKLOG_BYTES // (len(self._backlog) + 1)
        bound = min(max(share, 2 * CHUNK), QUEUE_BYTES)
        left = self._left()
        self._budget = left - flow.outgoing.send(chunks, last, min(left, self._turn()), bound)
        self._watch(flow)

    def _serve(self) -> None:
        """The backlog's turn, once a round."""
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
        """Bytes that one flow may send before the next has its turn."""
        return min(max(_CYCLE_BYTES // (len(self._backlog) + 1), RECORD), _ROUND_BYTES)

    def _left(self) -> int:
        """Bytes of this round's budget."""
        if self._round != self._reactor.rounds:
            self._round, self._budget = self._reactor.rounds, _ROUND_BYTES
        return self._budget

    def _ready(self, flow: Flow, events: int) -> None:
        """The connection can be written or read, or the deferred look after something changed."""
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

    def _go_on(self, flow: Flow, member: _Member) -> None:
        """With the packets that were more than a turn's."""
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
                self._reactor.call_at(0.0, partial(self._go_on, flow, member))

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
        """After something was given to the connection, or the flow is to finish."""
        member = self._members[flow]
        if flow.finishing:
            self._unmap(flow, member)
        if flow.finishing or flow.failed or flow.connection.ended:
            # Not now: whoever sends does not expect to be called back.
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
