"""The interface of every node: a namespace today, a kernel of its own where one is needed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Completed:
    """A program that ran to its end; `code` is negative for death by a signal, as in subprocess."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """Both streams without blank edges, for quoting in an error."""
        return "\n".join(part for part in (self.stdout.strip(), self.stderr.strip()) if part)


class Process(Protocol):
    """A program started in a node and left running."""

    pid: int
    log: Path
    """Where stdout and stderr go: outside the lab's private files, so that it survives a kill."""

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""

    async def wait(self) -> int:
        """Until it ends; its exit code."""

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""

    async def stop(self, limit: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `limit` seconds; its exit code."""


@dataclass(frozen=True)
class Entrance:
    """A way into a node for a process of the machine (lab.runtime.enter)."""

    kind: Literal["namespaces", "agent"]
    descriptors: tuple[int, ...]
    """Network, mount, UTS and PID namespace, which stay the node's; or one connection to its agent,
    which is the taker's."""


class Node(Protocol):
    """A computer of the lab."""

    name: str

    @property
    def kernel(self) -> str:
        """What it runs on, in words: `Linux 6.18.0`, or `user-mode Linux 6.1.176`."""

    @property
    def run_directory(self) -> Path:
        """The node's own /run, at the path by which the supervisor sees it; LabError in a node
        with a kernel of its own, whose files nobody else sees."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end; TimeoutError, quoting what it had said, after `limit` s."""

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program; its output goes to `log/<node>/<log>.log` of the run directory."""

    async def call(self, function: Callable[[], T]) -> T:
        """Run a short function inside the node: sockets it opens belong to the node.

        To go to a node with a kernel of its own it must be a function of a module, or
        functools.partial of one with arguments that JSON has; it returns a scalar or a dataclass
        of scalars, and what it raises comes back as OSError or LabError.
        """

    async def wait_for(self, function: Callable[[], T]) -> T:
        """`call` for a function that may take its time: in a thread of its own, which is in the
        node's network and sees nothing else of it."""

    async def connect(self, path: str) -> socket.socket:
        """A connection, non-blocking, to the Unix socket at `path` as the node sees it."""

    async def entrance(self) -> Entrance:
        """For who wants to run a program here with a terminal of their own."""

    async def sniff(self) -> socket.socket:
        """A packet socket, non-blocking, that sees all that the node's links carry; of a node on
        the machine's kernel its tunnels as well."""

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Put a file at `path` as the node sees it; only /run, /tmp and /etc are the node's own."""

    async def read(self, path: str) -> bytes:
        """A file at `path` as the node sees it."""

    async def reboot(self) -> None:
        """Kill every program of the node and empty its /run and /tmp, as a restart would."""
