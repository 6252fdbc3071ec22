"""The common part of both TUN implementations: the slow path, for packets that are rare or odd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.dataplane import ip
from gateway.dataplane.framing import ip_offset, length_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.dataplane.counters import PlaneCounters
    from gateway.dataplane.flow import Flow
    from gateway.dataplane.tls import Buffer

ODD_PACKETS = 64
"""Maximum odd packets of one client per call: each costs as much as dozens of ordinary ones."""
SLACK = 64
"""Bytes of a buffer behind its packets, which may be read but not used."""


Send = Callable[["Flow", "Sequence[Buffer]", "Buffer"], None]
"""Sends one flush to a flow: chunks of framed packets, and the last packet (Outgoing.send)."""


@dataclass(frozen=True)
class Side:
    """Offsets of the client's address in IP headers, in packets from it and to it."""

    of_sender: int
    of_receiver: int


GATEWAY = Side(12, 16)
CLIENT = Side(16, 12)
"""The client's end of the tunnel, where the client's packets come out of the TUN."""


class Carrier(ABC):
    """Moves packets into and out of the TUN; each call does a bounded amount of work."""

    def __init__(
        self,
        tun: int,
        flows: dict[bytes, Flow],
        mtu: int,
        counters: PlaneCounters,
        *,
        side: Side,
        send: Send,
    ) -> None:
        self._tun = tun
        self._side = side
        self._send = send
        self._flows = flows
        self._mtu = mtu
        self._counters = counters

    @abstractmethod
    def from_client(self, flow: Flow, buffer: bytearray, end: int) -> int:
        """Handle the SSTP packets in the buffer up to `end`, at most ODD_PACKETS odd ones.

        Returns the position of the first packet not handled: it is incomplete, or one odd packet
        too many. Raises FramingError. The buffer must have SLACK bytes behind `end`.
        """

    @abstractmethod
    def from_tun(self) -> None:
        """Send waiting packets to their clients, at most a batch."""

    @abstractmethod
    def changed(self) -> None:
        """The table of flows has changed."""

    @abstractmethod
    def _put(self, packet: Buffer) -> None:
        """Write one IP packet to the TUN; raises OSError."""

    def _one_from_client(self, flow: Flow, view: memoryview, at: int) -> int:
        """Handle any SSTP packet; return the position of the next, or `at` if it is incomplete."""
        length = length_at(view, at)
        if at + length > len(view):
            return at
        packet = ip_offset(view, at, length)
        if packet:
            self._inward(flow, view[packet : at + length])
        else:
            flow.control(bytes(view[at : at + length]))
        return at + length

    def _inward(self, flow: Flow, packet: memoryview) -> None:
        """Write a client's IP packet to the TUN, if it is valid and allowed."""
        counters = flow.counters
        if not flow.address:
            return
        if not ip.is_sound(packet):
            counters.malformed += 1
            return
        field = self._side.of_sender
        if packet[field : field + 4] != flow.address:
            counters.spoofed += 1
            return
        packet = packet[: packet[2] << 8 | packet[3]]
        counters.packets_in += 1
        counters.bytes_in += len(packet)
        try:
            self._put(ip.clamp_mss(packet, min(self._mtu, flow.mru)) or packet)
        except OSError:
            counters.refused += 1

    def _outward(self, flow: Flow, packet: bytes) -> list[bytes]:
        """Frame an IP packet to a client; if it is too large, notify its sender by ICMP."""
        parts, answer = flow.frame(packet, self._mtu)
        if answer:
            try:
                self._put(answer)
            except OSError:
                self._counters.refused += 1
        return parts
