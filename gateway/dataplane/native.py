"""The compiled part (native.c): built once by the machine's C compiler, loaded through ctypes.

Everything works without it, on a plain TUN: slower. Load it before privileges are given up, for
the cache may not be readable afterwards.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SOURCE = Path(__file__).with_name("native.c")
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared")
VNET_HEADER = 10
_COMPILERS = ("gcc", "cc", "clang")
_LONGEST_BUILD = 60.0

_ROUTE = struct.Struct("=IIHB5s")
_RUN = struct.Struct("=7I")
_OUTPUT_BYTES = 393216
_RESERVE_BYTES = 131072
"""A packet of 64 KB in segments of its own headers; smaller ones than that are dropped."""
_RUNS, _SPARE_RUNS = 1024, 132
_SCRATCH_BYTES = VNET_HEADER + 65535


class Run(NamedTuple):
    """What stands in the output: framed packets of one flow, or one bare IP packet (`odd`)."""

    flow: int
    odd: int
    offset: int
    length: int
    last: int
    """Where the last packet begins."""
    packets: int
    octets: int
    """Of IP packets."""


class Totals(ctypes.Structure):
    """What one call counted."""

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
        """What the runs are parts of, until the next from_tun()."""
        self._runs = ctypes.create_string_buffer(_RUNS * _RUN.size)
        self._routes = ctypes.create_string_buffer(0)
        self._count = 0
        self.totals = Totals()
        """Of all calls since the caller has set it back."""
        self._totals = ctypes.addressof(self.totals)

    def route(self, routes: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Where packets go: address, MRU and PPP header of each flow, by its number."""
        table = sorted(
            (int.from_bytes(address, "big"), number, mru, len(header), header)
            for number, (address, mru, header) in enumerate(routes)
        )
        self._count = len(table)
        self._routes = ctypes.create_string_buffer(b"".join(_ROUTE.pack(*row) for row in table))

    def from_tun(self, tun: int, field: int) -> Sequence[Run]:
        """Read a batch; `field`: where in an IP header the address is that routes it."""
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
        """Handle ordinary data packets from `at` to `end`; returns where it stopped.

        `data` is the buffer's address (ctypes.addressof). They have `address` at `field` of their
        IP header. `udp`: join UDP datagrams as well.
        """
        number = int.from_bytes(address, "big")
        stopped: int = self._from_client(tun, udp, data, at, end, number, field, self._totals)
        return stopped


@cache
def load() -> Native | None:
    """The compiled part, or None, said once on stderr, where it cannot be built or loaded.

    It is built into $P2SLAB_CACHE/native (else ~/.cache/p2slab/native) when it is not there yet.
    P2SLAB_NATIVE=off: None, without a word.
    """
    if os.environ.get("P2SLAB_NATIVE") == "off":
        return None
    named = os.environ.get("P2SLAB_CACHE")
    directory = Path(named) if named else Path.home() / ".cache/p2slab"
    try:
        return Native(build(directory / "native"))
    except (OSError, RuntimeError) as error:
        print(f"SSTP works without its compiled part, slower: {error}", file=sys.stderr)
        return None


def build(directory: Path, flags: Sequence[str] = FLAGS) -> Path:
    """The library in that directory, made if it is missing; safe against others that do the same.

    Raises RuntimeError with what the compiler said, OSError.
    """
    source = SOURCE.read_bytes()
    name = hashlib.sha256(source + repr(tuple(flags)).encode()).hexdigest()
    path = directory / f"{name}.so"
    if path.exists():
        return path
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if not compiler:
        raise RuntimeError(f"no C compiler ({', '.join(_COMPILERS)}) on PATH")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as place:
        fresh = Path(place, path.name)
        _compile([compiler, *flags, "-o", str(fresh), str(SOURCE)])
        fresh.replace(path)
    return path


def _compile(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_LONGEST_BUILD, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{argv[0]} took longer than {_LONGEST_BUILD:g} s") from error
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {done.stderr.strip()[-500:]}")
