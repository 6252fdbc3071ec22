"""One target in a process of its own: `python -m tests.fuzz.worker TARGET END SEED CURRENT`.

END is by time.monotonic; it runs for a second in any case. CURRENT is a file that always holds the
input that is being run, for whoever finds this process dead. The last line of stdout is a Report.
"""

from __future__ import annotations

import json
import mmap
import resource
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz.engine import FOUND, Fuzzer, digest
from tests.fuzz.mutations import LONGEST
from tests.fuzz.registry import target

MEMORY = 3 << 30
"""Bytes of address space, except under AddressSanitizer, which takes terabytes."""
LEAST = 1.0
"""Seconds."""


@dataclass(frozen=True)
class Report:
    """`dearest`: milliseconds of CPU that one input took; `found`: file and what is wrong."""

    inputs: int
    seconds: float
    lines: int
    dearest: float
    found: list[tuple[str, str]]


class Current:
    """The input that is being run, where it outlives the process."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(4 + LONGEST)
            self._map = mmap.mmap(file.fileno(), 4 + LONGEST)

    def write(self, data: bytes) -> None:
        """Before it is run."""
        self._map[:4] = len(data).to_bytes(4)
        self._map[4 : 4 + len(data)] = data

    @staticmethod
    def read(path: Path) -> bytes:
        """After its process has died."""
        content = path.read_bytes()
        return content[4 : 4 + int.from_bytes(content[:4])]


def save(name: str, data: bytes) -> str:
    """As a test from now on; its path."""
    path = FOUND / name / digest(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def main(name: str, end: float, seed: int, current: Path) -> None:
    """Until the end."""
    warnings.simplefilter("ignore", UserWarning)  # cryptography's, about strange certificates
    chosen = target(name)
    if not chosen.native:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    fuzzer = Fuzzer(chosen, seed, Current(current).write)
    begun = time.monotonic()
    while time.monotonic() < max(end, begun + LEAST):
        fuzzer.step()
    found = []
    for one in fuzzer.found.values():
        found.append((save(name, one.data), one.what))
        sys.stderr.write(f"{one.text}\n")
    seconds, lines = time.monotonic() - begun, len(fuzzer.lines.seen)
    report = Report(fuzzer.inputs, seconds, lines, 1000 * fuzzer.dearest, found)
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
