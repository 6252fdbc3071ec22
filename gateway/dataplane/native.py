"""The compiled part (native.c): built once by the machine's C compiler, loaded through ctypes.

Everything works without it, on a plain TUN, but slower. Load it before privileges are dropped,
because the cache may be unreadable afterwards.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway.common import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SOURCE = Path(__file__).with_name("native.c")
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared")
VNET_HEADER = 10

_ROUTE = struct.Struct("=IIHB5s")
_RUN = struct.Struct("=7I")
_OUTPUT_BYTES = 393216
_RESERVE_BYTES = 131072
"""Room for a packet of 64 KB cut into segments as large as its headers; packets with smaller
segments are dropped."""
_RUNS, _SPARE_RUNS = 1024, 132
_SCRATCH_BYTES = VNET_HEADER + 65535


class Run(NamedTuple):
    """A part of the output: framed packets of one flow, or one unframed IP packet (`odd`)."""

    flow: int
    odd: int
    offset: int
    length: int
    last: int
    """The position of the last packet."""
    packets: int
    octets: int
    """Bytes of IP packets."""


class Totals(ctypes.Structure):
    """The counters of calls."""

    _fields_ = (
        ("packets", ctypes.c_uint64),
        ("octets", ctypes.c_uint64),
        ("refused", ctypes.c_uint32),
        ("unknown", ctypes.c_uint32),
        ("unusable", ctypes.c_uint32),
    )

    packets: int
    octets: int
    refused: int
    unknown: int
    unusable: int


class Native:
    """The loaded library with the buffers of its calls; for one Plane."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        word, pointer = ctypes.c_uint32, ctypes.c_void_p
        self._from_tun = library.p2s_from_tun
        self._from_tun.argtypes = (
            ctypes.c_int, pointer, word, word, pointer, pointer, word, word, pointer, word, word,
            pointer,
        )  # fmt: skip
        self._from_tun.restype = word
        self._from_client = library.p2s_from_client
        self._from_client.argtypes = (
            ctypes.c_int, ctypes.c_int, pointer, word, word, word, word, pointer,
        )  # fmt: skip
        self._from_client.restype = word
        self._scratch = ctypes.create_string_buffer(_SCRATCH_BYTES)
        output = ctypes.create_string_buffer(_OUTPUT_BYTES)
        self._output = ctypes.addressof(output)
        self.output = memoryview(output).cast("B")
        """The output that runs are parts of, valid until the next from_tun()."""
        self._runs = ctypes.create_string_buffer(_RUNS * _RUN.size)
        self._routes = ctypes.create_string_buffer(0)
        self._count = 0
        self.totals = Totals()
        """Counters of all calls since the caller's last reset."""
        self._totals = ctypes.addressof(self.totals)

    def route(self, routes: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Set the routes: address, MRU and PPP header of each flow, in order of their numbers."""
        table = sorted(
            (int.from_bytes(address, "big"), number, mru, len(header), header)
            for number, (address, mru, header) in enumerate(routes)
        )
        self._count = len(table)
        self._routes = ctypes.create_string_buffer(b"".join(_ROUTE.pack(*row) for row in table))

    def from_tun(self, tun: int, field: int) -> Sequence[Run]:
        """Read a batch from the TUN; `field`: offset of the address to route by."""
        count = self._from_tun(
            tun, self._routes, self._count, field, self._scratch, self._output, _OUTPUT_BYTES,
            _RESERVE_BYTES, self._runs, _RUNS, _SPARE_RUNS, self._totals,
        )  # fmt: skip
        return [Run(*row) for row in self._rows(count)]

    def _rows(self, count: int) -> Iterator[tuple[int, ...]]:
        return _RUN.iter_unpack(memoryview(self._runs)[: count * _RUN.size])

    def from_client(
        self, tun: int, *, udp: bool, data: int, at: int, end: int, address: bytes, field: int
    ) -> int:
        """Handle ordinary data packets from `at` to `end`; return the position where it stopped.

        `data`: the buffer's address (ctypes.addressof). An ordinary packet has `address` at offset
        `field` of its IP header. `udp`: also aggregate UDP datagrams.
        """
        number = int.from_bytes(address, "big")
        stopped: int = self._from_client(tun, udp, data, at, end, number, field, self._totals)
        return stopped


@cache
def load() -> Native | None:
    """The compiled part; None if it cannot be built or loaded, with one message on stderr.

    It is built in $P2SLAB_CACHE/native (by default ~/.cache/p2slab/native), unless it exists.
    P2SLAB_NATIVE=off: None, without a message.
    """
    if os.environ.get("P2SLAB_NATIVE") == "off":
        return None
    try:
        return Native(build(compiled.kept()))
    except (OSError, RuntimeError) as error:
        print(f"SSTP works without its compiled part, slower: {error}", file=sys.stderr)
        return None


def build(directory: Path, flags: Sequence[str] = FLAGS) -> Path:
    """The library in this directory, built if it is missing (gateway.common.compiled)."""
    return compiled.build(SOURCE, directory, flags)
