"""A TUN with virtio_net_hdr, using the compiled part: packets of up to 64 KB on the TUN."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

from gateway.dataplane.carrier import ODD_PACKETS, Carrier
from gateway.dataplane.native import VNET_HEADER
from gateway.dataplane.outgoing import CHUNK
from gateway.dataplane.tun import offload

if TYPE_CHECKING:
    from gateway.dataplane.flow import Flow
    from gateway.dataplane.native import Native
    from gateway.dataplane.tls import Buffer

_PLAIN = bytes(VNET_HEADER)
"""A virtio_net_hdr without offloads."""


class OffloadTun(Carrier):
    """The Carrier for a TUN with virtio_net_hdr."""

    def __init__(self, *common: Any, native: Native, **more: Any) -> None:
        super().__init__(*common, **more)
        self._native = native
        self._udp = offload(self._tun)
        self._numbered: list[Flow] = []

    def from_client(self, flow: Flow, buffer: bytearray, end: int) -> int:
        """See Carrier."""
        native, totals = self._native, self._native.totals
        data = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        view = memoryview(buffer)[:end]
        at = 0
        for odd in range(ODD_PACKETS + 1):
            if not flow.open:
                break
            if flow.address:
                totals.packets = totals.octets = totals.refused = 0
                at = native.from_client(
                    self._tun, udp=self._udp, data=data, at=at, end=end,
                    address=flow.address, field=self._side.of_sender,
                )  # fmt: skip
                flow.counters.packets_in += totals.packets
                flow.counters.bytes_in += totals.octets
                flow.counters.refused += totals.refused
            if end - at < 4 or odd == ODD_PACKETS:
                break
            behind = self._one_from_client(flow, view, at)
            if behind == at:
                break
            at = behind
        return at

    def from_tun(self) -> None:
        """See Carrier."""
        native, totals = self._native, self._native.totals
        totals.unknown = totals.unusable = 0
        batches: dict[Flow, list[memoryview | bytes]] = {}
        for run in native.from_tun(self._tun, self._side.of_receiver):
            flow = self._numbered[run.flow]
            flow.counters.packets_out += run.packets
            flow.counters.bytes_out += run.octets
            frames = native.output[run.offset : run.offset + run.length]
            batch = batches.setdefault(flow, [])
            if run.odd:
                batch += self._outward(flow, bytes(frames))
            else:
                batch += frames[: run.last - run.offset], frames[run.last - run.offset :]
        self._counters.unknown += totals.unknown
        self._counters.unusable += totals.unusable
        for flow, batch in batches.items():
            if batch:
                last = batch.pop()
                self._send(flow, _chunks(batch), last)

    def changed(self) -> None:
        """See Carrier."""
        self._numbered = list(self._flows.values())
        self._native.route(
            (address, flow.mru, flow.ip_header) for address, flow in self._flows.items()
        )

    def _put(self, packet: Buffer) -> None:
        os.writev(self._tun, (_PLAIN, packet))


def _chunks(pieces: list[memoryview | bytes]) -> list[memoryview | bytes]:
    """The pieces, joined into chunks of about CHUNK bytes."""
    chunks: list[memoryview | bytes] = []
    joined: list[memoryview | bytes] = []
    size = 0
    for piece in pieces:
        joined.append(piece)
        size += len(piece)
        if size >= CHUNK:
            chunks.append(joined[0] if len(joined) == 1 else b"".join(joined))
            joined, size = [], 0
    if size:
        chunks.append(joined[0] if len(joined) == 1 else b"".join(joined))
    return chunks
