"""Whether anything is left of a lab: its processes, and their network namespaces."""

from __future__ import annotations

import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from gateway.common import calls
from lab.kernel.netlink import Netlink
from lab.kernel.processes import chosen
from lab.kernel.requests import Request

MARK = "P2SLAB_MARK"
"""An environment variable that a lab's programs inherit."""
RTM_NEWNSID, RTM_GETNSID = 88, 90
NETNSA_NSID, NETNSA_FD = 1, 3


def marked(mark: str) -> list[int]:
    """The living processes of the lab that was started with this mark."""
    word = f"{MARK}={mark}".encode()
    return chosen(lambda pid: word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))


def number_inside(pid: int) -> int:
    """The process's number in its lab's PID namespace: 1 is the lab's first, 2 its supervisor."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[2])  # after our own; those of nodes have one more
    raise LookupError(pid)


class NamespaceWatch:
    """Sees network namespaces die, without keeping them alive.

    In a namespace of its own it gives each an id (ip-netns(8), `set`); the kernel drops the id
    when the namespace is destroyed.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._netlink = self._thread.submit(self._enter).result()
        self._seen: set[tuple[int, int]] = set()

    def _enter(self) -> Netlink:
        calls.unshare(calls.NEWNET)
        return Netlink()

    def add(self, pids: list[int]) -> None:
        """Watch the network namespaces of all threads of these processes, and those they hold."""
        for pid in pids:
            with suppress(OSError):
                own = [task / "ns" / "net" for task in Path(f"/proc/{pid}/task").iterdir()]
                held = [path for path in Path(f"/proc/{pid}/fd").iterdir() if _is_network(path)]
                for path in (*own, *held):
                    with suppress(OSError):
                        self._add(path)

    def _add(self, path: Path) -> None:
        status = path.stat()
        mine = Path("/proc/self/ns/net").stat().st_ino == status.st_ino
        if mine or (status.st_dev, status.st_ino) in self._seen:
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            body = struct.pack("=B3x", socket.AF_UNSPEC)
            body += struct.pack("=HHi", 8, NETNSA_NSID, -1)
            body += struct.pack("=HHI", 8, NETNSA_FD, descriptor)
            head = struct.pack("=IHHII", 16 + len(body), RTM_NEWNSID, 1, 0, 0)
            self._netlink.apply([Request("netns set", head + body)])
            self._seen.add((status.st_dev, status.st_ino))
        finally:
            os.close(descriptor)

    @property
    def alive(self) -> int:
        """How many of the watched namespaces still exist."""
        return len(self._netlink.dump("netns list-id", RTM_GETNSID))

    @property
    def seen(self) -> int:
        """How many were ever watched."""
        return len(self._seen)

    def add_a_dying_one(self) -> None:
        """The kernel clears namespaces away in the order of their deaths: when this one is gone,
        nothing is left to do for those that died before."""
        with ThreadPoolExecutor(1) as thread:
            thread.submit(calls.unshare, calls.NEWNET).result()
            thread.submit(self._add, Path("/proc/thread-self/ns/net")).result()

    def close(self) -> None:
        """Forget them."""
        self._netlink.close()
        self._thread.shutdown()


def _is_network(descriptor: Path) -> bool:
    with suppress(OSError):
        return str(descriptor.readlink()).startswith("net:[")
    return False
