"""A plain TUN, in Python: one system call per packet on the TUN."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from gateway.dataplane import ip
from gateway.dataplane.carrier import CLIENT, GATEWAY, ODD_PACKETS, Carrier
from gateway.dataplane.framing import HEADER, LONGEST, PPP_HEADERS, VERSION

if TYPE_CHECKING:
    from gateway.dataplane.flow import Flow
    from gateway.dataplane.tls import Buffer

_BATCH = 256
"""Packets read from the TUN per round, before the clients' turn."""
_CHUNK_PACKETS = 46
"""Packets per chunk; at 1400 bytes, about outgoing.CHUNK."""
_FAST = {
    GATEWAY: struct.Struct(">HHI BxH4xxB2x4s4x 13xB"),
    CLIENT: struct.Struct(">HHI BxH4xxB2x4x4s 13xB"),
}
"""Fields of an SSTP packet with the uncompressed PPP header: SSTP's flags and length, PPP header;
IP version and header length, total length, protocol, the client's address; TCP's flags."""
_DATA, _PPP = VERSION << 8, int.from_bytes(PPP_HEADERS[0])
_OVERHEAD = HEADER + len(PPP_HEADERS[0])
_PLAIN_HEADER = 0x45
_SYN = 0x02


class PlainTun(Carrier):
    """The Carrier for a TUN without virtio_net_hdr."""

    def from_client(self, flow: Flow, buffer: bytearray, end: int) -> int:
        """See Carrier."""
        view, unpack, write = memoryview(buffer), _FAST[self._side].unpack_from, os.write
        tun, address, counters = self._tun, flow.address, flow.counters
        at = packets = octets = odd = 0
        while end - at >= 4:
            kind, length, ppp, first, total, protocol, client, flags = unpack(buffer, at)
            stop = at + length
            if (
                ppp == _PPP
                and kind == _DATA
                and first == _PLAIN_HEADER
                and 28 <= length == total + _OVERHEAD <= LONGEST
                and client == address
                and not (protocol == ip.TCP and flags & _SYN)
            ):
                if stop > end:
                    break
                packets += 1
                octets += total
                try:
                    write(tun, view[at + _OVERHEAD : stop])
                except OSError:
                    counters.refused += 1
                at = stop
                continue
            behind = self._one_from_client(flow, view[:end], at)
            if behind == at:
                break
            at = behind
            odd += 1
            if not flow.open or odd == ODD_PACKETS:
                break
            address = flow.address
        counters.packets_in += packets
        counters.bytes_in += octets
        return at

    def from_tun(self) -> None:
        """See Carrier."""
        batches: dict[Flow, list[bytes]] = {}
        read, tun, flows, size = os.read, self._tun, self._flows, self._mtu
        field = slice(self._side.of_receiver, self._side.of_receiver + 4)
        for _ in range(_BATCH):
            try:
                packet = read(tun, size)
            except BlockingIOError:
                break
            flow = flows.get(packet[field])
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
                batch += self._outward(flow, packet)
            else:
                batch.append(flow.headers[length] + packet)
        for flow, batch in batches.items():
            if batch:
                last = batch.pop()
                parts = range(0, len(batch), _CHUNK_PACKETS)
                self._send(flow, [b"".join(batch[n : n + _CHUNK_PACKETS]) for n in parts], last)

    def changed(self) -> None:
        """See Carrier; from_tun reads the table for every packet anyway."""

    def _put(self, packet: Buffer) -> None:
        os.write(self._tun, packet)
