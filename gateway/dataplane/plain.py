"""Packets between a plain TUN and flows, in Python: one system call a packet on the TUN's side."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from gateway.dataplane import ip
from gateway.dataplane.framing import ip_offset, length_at

if TYPE_CHECKING:
    from gateway.dataplane.counters import PlaneCounters
    from gateway.dataplane.flow import Flow
    from gateway.dataplane.tls import Buffer

_BATCH = 256
"""Packets read from the TUN before the clients have their turn again."""
_CHUNK_PACKETS = 46
"""Of 1400 bytes: about what outgoing.CHUNK says."""
_FAST = struct.Struct(">HHI BxH2xHxB2x4s4s 13xB")
"""Of an SSTP packet with the long PPP header: SSTP's flags and length, PPP header; version and
header length, total length, fragment, protocol, source, destination; TCP's flags."""
SLACK = _FAST.size
"""Bytes that a buffer has behind the packets in it."""
_DATA, _PPP, _PLAIN_HEADER, _OVERHEAD = 0x1000, 0xFF030021, 0x45, 8
_SYN = 0x02


class PlainTun:
    """Carrier (plane.py) for a TUN without virtio_net_hdr."""

    def __init__(
        self, descriptor: int, flows: dict[bytes, Flow], mtu: int, counters: PlaneCounters
    ) -> None:
        self._descriptor = descriptor
        self._flows = flows
        self._mtu = mtu
        self._counters = counters

    def from_client(self, flow: Flow, buffer: bytearray, end: int) -> int:
        """Handle the SSTP packets in the buffer up to `end`; returns where the first is that is
        not whole. Raises FramingError.
        """
        view, unpack, write = memoryview(buffer), _FAST.unpack_from, os.write
        descriptor, source = self._descriptor, flow.address
        at = packets = octets = 0
        while end - at >= 4:
            kind, length, ppp, first, total, _, protocol, sender, _, flags = unpack(buffer, at)
            stop = at + length
            if (
                ppp == _PPP
                and kind == _DATA
                and first == _PLAIN_HEADER
                and 28 <= length == total + _OVERHEAD <= 4095
                and sender == source
                and not (protocol == ip.TCP and flags & _SYN)
            ):
                if stop > end:
                    break
                try:
                    write(descriptor, view[at + _OVERHEAD : stop])
                    packets += 1
                    octets += total
                except OSError:
                    flow.counters.malformed += 1
                at = stop
                continue
            behind = self._one_from_client(flow, view[:end], at)
            if behind == at:
                break
            at = behind
            if not flow.open:
                break
            source = flow.address
        flow.counters.packets_in += packets
        flow.counters.bytes_in += octets
        return at

    def changed(self) -> None:
        """The table is looked at for every packet anyway."""

    def _one_from_client(self, flow: Flow, view: memoryview, at: int) -> int:
        """Any SSTP packet at all; returns where the next begins, `at` if it is not whole."""
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
        """An IP packet of a client, to the TUN if it may."""
        counters = flow.counters
        if not flow.address:
            return
        if not ip.is_sound(packet):
            counters.malformed += 1
            return
        if packet[12:16] != flow.address:
            counters.spoofed += 1
            return
        packet = packet[: packet[2] << 8 | packet[3]]
        counters.packets_in += 1
        counters.bytes_in += len(packet)
        self._write(flow, ip.clamp_mss(packet, min(self._mtu, flow.mru)) or packet)

    def _write(self, flow: Flow, packet: Buffer) -> None:
        try:
            os.write(self._descriptor, packet)
        except OSError:
            flow.counters.malformed += 1

    def from_tun(self) -> None:
        """Send the clients what has come for them, at most a batch."""
        batches: dict[Flow, list[bytes]] = {}
        read, descriptor, flows, size = os.read, self._descriptor, self._flows, self._mtu
        for _ in range(_BATCH):
            try:
                packet = read(descriptor, size)
            except BlockingIOError:
                break
            flow = flows.get(packet[16:20])
            length = len(packet)
            if flow is None or packet[0] >> 4 != 4:
                self._counters.unknown += 1
                continue
            batch = batches.get(flow)
            if batch is None:
                batch = batches[flow] = []
            flow.counters.packets_out += 1
            flow.counters.bytes_out += length
            if length > flow.mru or (packet[9] == ip.TCP and (length < 34 or packet[33] & _SYN)):
                batch += self._framed(flow, packet)
            else:
                batch.append(flow.headers[length] + packet)
        for flow, batch in batches.items():
            _flush(flow, batch)

    def _framed(self, flow: Flow, packet: bytes) -> list[bytes]:
        parts, answer = flow.frame(packet, self._mtu)
        if answer:
            self._write(flow, answer)
        return parts


def _flush(flow: Flow, frames: list[bytes]) -> None:
    if not frames:
        return
    last = frames.pop()
    parts = range(0, len(frames), _CHUNK_PACKETS)
    flow.send([b"".join(frames[at : at + _CHUNK_PACKETS]) for at in parts], last)
