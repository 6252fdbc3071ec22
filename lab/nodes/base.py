"""The interface of every node: a namespace, or a user-mode Linux kernel where one is needed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Completed:
    """A program that has ended; `code` is minus the signal's number, as in subprocess."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams, stripped, for quoting in an error."""
        return "\n".join(part for part in (self.stdout.strip(), self.stderr.strip()) if part)


class Process(Protocol):
    """A program started in a node and left running."""

    pid: int
    log: Path
    """The file of stdout and stderr, outside the lab's private files: it outlives the lab."""

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""

    async def wait(self) -> int:
        """Wait for its end; its exit code."""

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""

    async def stop(self, limit: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `limit` seconds; its exit code."""


@dataclass(frozen=True)
class Entrance:
    """The means to enter a node from a process on the host (lab.runtime.enter)."""

    kind: Literal["namespaces", "agent"]
    descriptors: tuple[int, ...]
    """Network, mount, UTS and PID namespace, which the node keeps open; or one connection to its
    agent, which the caller closes."""


class Node(Protocol):
    """A computer of the lab."""

    name: str

    @property
    def kernel(self) -> str:
        """Its kernel: `Linux 6.18.0`, or `user-mode Linux 6.1.176`."""

    @property
    def run_directory(self) -> Path:
        """The supervisor's path of the node's /run; LabError in a user-mode Linux node, whose files
        are not visible outside."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end; TimeoutError with its output after `limit` seconds."""

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program; its output goes to `log/<node>/<log>.log` of the run directory."""

    async def call(self, function: Callable[[], T]) -> T:
        """Run a short function inside the node: sockets it opens belong to the node.

        For user-mode Linux nodes it must be a function of a module, or functools.partial of one
        with JSON arguments. It returns a scalar or a dataclass of scalars; its exceptions are
        raised here as OSError or LabError.
        """

    async def wait_for(self, function: Callable[[], T]) -> T:
        """`call` for a long-running function: in a separate thread that is only in the node's
        network namespace."""

    async def connect(self, path: str) -> socket.socket:
        """A non-blocking connection to the Unix socket at the node's `path`."""

    async def entrance(self) -> Entrance:
        """The entrance, for running a program in the node on the caller's terminal."""

    async def sniff(self) -> socket.socket:
        """A non-blocking packet socket on the node's links, and on its tunnels too unless it is a
        user-mode Linux node."""

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file at the node's `path`; only /run, /tmp and /etc belong to the node."""

    async def read(self, path: str) -> bytes:
        """The content of the file at the node's `path`."""

    async def reboot(self) -> None:
        """Kill every program of the node, empty its /run and /tmp, and reset its network."""
