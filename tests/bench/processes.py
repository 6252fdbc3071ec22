"""Memory and processor time of a gateway's processes, from proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lab.nodes.base import Node

PAGE = os.sysconf("SC_PAGE_SIZE")


def family(program: int) -> dict[int, str]:
    """A process and its descendants: identifier to name, which is Python's module or the file."""
    parents = {pid: int(_stat(pid)[1]) for pid in _all() if _stat(pid)}
    found = {program}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return {pid: _name(pid) for pid in sorted(found)}
        found |= more


async def gateway(node: Node) -> int:
    """The program `python -m gateway` of that node."""
    own = os.fstat((await node.entrance()).descriptors[0]).st_ino
    for pid in _all():
        if _name(pid) == "gateway" and _network(pid) == own:
            return pid
    raise LookupError(f"no gateway runs in {node.name}")


def memory(pid: int) -> int:
    """Bytes that are in the machine's memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def seconds(pid: int) -> float:
    """Of processor time, all threads together, to the nanosecond (sched-stats)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _all() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _network(pid: int) -> int:
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


def _stat(pid: int) -> list[str]:
    """State, parent and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def _name(pid: int) -> str:
    words = _words(pid)
    if "-m" in words[:4]:
        return words[words.index("-m") + 1]
    return Path(words[0]).name if words else "gone"
