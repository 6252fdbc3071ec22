"""The default node: one thread of the supervisor that lives in namespaces of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from lab.kernel import calls, nft, sysctls
from lab.kernel.netlink import Netlink
from lab.kernel.processes import Program, identity, in_namespaces, in_session, kill
from lab.kernel.requests import Request
from lab.nodes.base import Completed
from lab.nodes.environment import environment
from lab.nodes.files import PrivateFiles
from lab.waiting import wait_until

T = TypeVar("T")

QUOTED = 2000
"""Characters of a program's output in an error."""


@dataclass(frozen=True)
class Network:
    """What makes a node's network, so that a restart can make it again."""

    sysctls: Mapping[str, str]
    links: tuple[int, ...] = ()
    """The indexes of its own links."""
    settings: tuple[Request, ...] = ()
    """Ports, addresses, ups and routes, in order."""
    firewall: str | None = None
    """nft commands."""


class NamespaceNode:
    """A computer of the lab (lab.nodes.base.Node): network, mount and UTS namespace of its own.

    The network namespace is there when `opened` is done. Host name and private files are laid
    out when the first program is about to run: a computer that is only a cable needs none.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        logs: Path,
        *,
        etc: Mapping[str, str] | None = None,
        network: Network | None = None,
    ) -> None:
        self.name = name
        self.run_directory = directory / "run"
        self.network = network or Network(sysctls.COMPUTER)
        self.netlink: Netlink
        self.namespace: int
        """Descriptor of the network namespace."""
        self._logs = logs / name
        first = {"hostname": f"{name}\n", "hosts": "", "resolv.conf": ""}
        self._files = PrivateFiles(directory, first | dict(etc or {}))
        self._others: tuple[int, int] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.opened: Future[None] = self._thread.submit(self._open)

    # ---- in the node's thread

    def _open(self) -> None:
        calls.unshare(calls.NEWNET)
        self.namespace = _here("net")
        self.netlink = Netlink()
        sysctls.write(self.network.sysctls)

    def _lay_out(self) -> tuple[int, int]:
        """Mount and UTS namespace, made by the first who needs them; their descriptors."""
        if self._others is None:
            calls.unshare(calls.NEWNS | calls.NEWUTS)
            calls.set_host_name(self.name)
            self._files.lay_out()
            self._others = _here("mnt"), _here("uts")
        return self._others

    def _inside(self, function: Callable[[], T]) -> T:
        self._lay_out()
        return function()

    def _configure(self) -> None:
        self.netlink.apply(self.network.settings)
        if self.network.firewall:
            nft.run(self.network.firewall)

    def _restart(self) -> None:
        from lab.kernel.reset import forget  # noqa: PLC0415 (few nodes ever restart)

        self._files.restart()
        forget(self.netlink, self.network.links)
        sysctls.write(self.network.sysctls)
        nft.run("flush ruleset")
        self._configure()

    def _start(
        self, argv: Sequence[str], env: Mapping[str, str] | None, streams: tuple[int, int, int]
    ) -> subprocess.Popen[bytes]:
        stdin, stdout, stderr = streams
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment(env),
            cwd="/",
            start_new_session=True,
        )

    # ---- in any thread

    def configure(self) -> Future[None]:
        """Give the links their settings and set the firewall, as `network` says."""
        return self._thread.submit(self._configure)

    # ---- in the event loop

    async def call(self, function: Callable[[], T]) -> T:
        """Run a short function inside the node: sockets it opens belong to the node."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._inside, function)

    async def descriptors(self) -> tuple[int, int, int]:
        """Of the network, mount and UTS namespace, for who wants to enter; they stay the node's."""
        return self.namespace, *await self.call(self._lay_out)

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end; TimeoutError, quoting what it had said, after `limit` s.

        Whatever ends the wait, the program's whole session is killed then.
        """
        with ExitStack() as stack:
            # Files in memory, not pipes, which a child left behind could keep open.
            files = [stack.enter_context(_memory(name)) for name in ("stdin", "stdout", "stderr")]
            stdin, stdout, stderr = files
            stdin.write(input.encode())
            stdin.seek(0)
            streams = (stdin.fileno(), stdout.fileno(), stderr.fileno())
            program = await self._program(argv, env, streams, Path(os.devnull))
            try:
                async with asyncio.timeout(limit):
                    code = await program.wait()
            except TimeoutError:
                said = Completed(0, _text(stdout), _text(stderr)).said[-QUOTED:] or "nothing"
                message = f"{self.name}: {argv[0]} did not end within {limit:g} s; it said: {said}"
                raise TimeoutError(message) from None
            finally:
                if program.code is None:
                    kill(in_session(program.pid))
                    await program.wait()
            return Completed(code, _text(stdout), _text(stderr))

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program; its output goes to `log/<node>/<log>.log` of the run directory."""
        self._logs.mkdir(parents=True, exist_ok=True)
        path = self._logs / f"{log}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            streams = (subprocess.DEVNULL, descriptor, descriptor)
            return await self._program(argv, env, streams, path)
        finally:
            os.close(descriptor)

    async def _program(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        streams: tuple[int, int, int],
        log: Path,
    ) -> Program:
        starting = asyncio.ensure_future(self.call(lambda: self._start(argv, env, streams)))
        try:
            return Program(await asyncio.shield(starting), log)
        except asyncio.CancelledError:  # nothing may run that nobody holds
            program = Program(await starting, log)
            kill(in_session(program.pid))
            await program.wait()
            raise

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Put a file at `path` as the node sees it; only /run, /tmp and /etc are the node's own."""
        content = data.encode() if isinstance(data, str) else data
        await self.call(lambda: self._files.write(path, content, mode))

    async def read(self, path: str) -> bytes:
        """A file at `path` as the node sees it."""
        return await self.call(Path(path).read_bytes)

    async def reboot(self) -> None:
        """Kill every program of the node, empty its /run and /tmp, make its network anew.

        Programs are found by the namespaces they are in, not by name or parent, which daemons
        change; again and again until there is none, because one may be about to fork.
        """
        await wait_until(f"{self.name}: its programs end", 10.0, self._is_empty)
        await self.call(self._restart)

    def _is_empty(self) -> bool:
        descriptors = [self.namespace, *(self._others or ())]
        left = in_namespaces({identity(f"/proc/self/fd/{number}") for number in descriptors})
        kill(left)
        return not left


def _here(kind: str) -> int:
    """A descriptor of the calling thread's namespace."""
    return os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def _memory(name: str) -> IO[bytes]:
    """A file that is nowhere; appended to, so that two writers do not overwrite each other."""
    descriptor = os.memfd_create(name)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return os.fdopen(descriptor, "w+b", buffering=0)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
