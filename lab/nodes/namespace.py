"""The default node: a thread of the supervisor in separate namespaces."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from gateway.common import calls
from lab.boot import own
from lab.kernel import capabilities, nft, sysctls
from lab.kernel.netlink import Netlink
from lab.kernel.processes import Program, identity, in_namespaces, kill
from lab.kernel.requests import Request
from lab.kernel.tunnels import TunnelWatch
from lab.nodes import first
from lab.nodes.base import Completed, Entrance
from lab.nodes.environment import environment
from lab.nodes.files import PrivateFiles
from lab.waiting import patience, wait_until

T = TypeVar("T")

ETH_P_ALL = 3
"""linux/if_ether.h"""
PACKETS = 8 * 1024 * 1024
"""Bytes of a packet socket's buffer."""
QUOTED = 2000
"""Characters of a program's output in an error."""


@dataclass
class Network:
    """A network namespace and its configuration, which a restart applies again."""

    namespace: int
    """A descriptor that keeps the namespace alive."""
    netlink: Netlink
    sysctls: Mapping[str, str]
    firewall: str | None = None
    """nft commands."""
    links: tuple[int, ...] = ()
    """The indexes of its links."""
    settings: tuple[Request, ...] = ()
    """Requests for ports, addresses, link states and routes, in order."""

    @classmethod
    def make(cls, values: Mapping[str, str], firewall: str | None = None) -> Network:
        """A new network namespace without links; the calling thread is in it afterwards."""
        calls.unshare(calls.NEWNET)
        network = cls(_here("net"), Netlink(), values, firewall)
        network.prepare()
        return network

    def prepare(self) -> None:
        """Set firewall and sysctls; call it in a thread inside the namespace. Some kernels have the
        sysctls of connection tracking only once a firewall needs it."""
        if self.firewall:
            nft.run(self.firewall)
        sysctls.write(self.sysctls)

    def configure(self) -> None:
        """Configure the links; call it in any thread."""
        self.netlink.apply(self.settings)

    def restart(self) -> None:
        """Reset to the state after building; call it in a thread inside the namespace."""
        from lab.kernel.reset import forget  # noqa: PLC0415 (few nodes ever restart)

        forget(self.netlink, self.links)
        nft.run("flush ruleset")
        self.prepare()
        self.configure()


class NamespaceNode:
    """A computer of the lab (lab.nodes.base.Node) in separate network, mount, UTS and PID
    namespaces.

    The network is built with the lab. Thread, host name, private files and first process are
    created when the first program runs. Programs have only the capabilities that they need in a
    lab; `administers`: also SYS_ADMIN.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        directory: Path,
        logs: Path,
        etc: Mapping[str, str] | None = None,
        *,
        host_name: str = "",
        administers: bool = False,
    ) -> None:
        self.name = name
        self._host_name = host_name or name
        self.network = network
        self.run_directory = directory / "run"
        self.kernel = f"Linux {os.uname().release}"
        self._logs = logs / name
        files = {"hostname": f"{self._host_name}\n", "hosts": "", "resolv.conf": ""}
        self._files = PrivateFiles(directory, files | dict(etc or {}))
        self._administers = administers
        self._others: tuple[int, int] | None = None
        self._first: first.First
        """Its first process; set together with `_others`."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    # ---- in the node's thread

    def _lay_out(self, loop: asyncio.AbstractEventLoop) -> tuple[int, int]:
        """Create mount and UTS namespace on first use; their descriptors. `loop` handles the
        kernel's notifications."""
        if self._others is None:
            calls.setns(self.network.namespace, calls.NEWNET)
            calls.unshare(calls.NEWNS | calls.NEWUTS)
            calls.set_host_name(self._host_name)
            capabilities.give_up(capabilities.OF_THE_MACHINE)
            if not self._administers:
                capabilities.give_up([capabilities.SYS_ADMIN])
            others = _here("mnt"), _here("uts")
            self._files.lay_out()
            self._first = first.start(self._files.proc)
            self._files.enter()
            self._others = others
            tunnels = TunnelWatch()
            loop.call_soon_threadsafe(loop.add_reader, tunnels, tunnels.look)
        return self._others

    def _inside(self, loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> T:
        self._lay_out(loop)
        return function()

    def _restart(self) -> None:
        self._files.restart()
        self.network.restart()

    def _start(
        self, argv: Sequence[str], env: Mapping[str, str] | None, streams: tuple[int, int, int]
    ) -> subprocess.Popen[bytes]:
        stdin, stdout, stderr = streams
        with self._first:
            return subprocess.Popen(
                list(argv),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=environment(env),
                cwd="/",
                start_new_session=True,
            )

    # ---- in the event loop

    async def call(self, function: Callable[[], T]) -> T:
        """Run a short function inside the node: sockets it opens belong to the node."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._inside, loop, function)

    async def wait_for(self, function: Callable[[], T]) -> T:
        """`call` for a long-running function, in the node's network namespace."""

        def there() -> T:
            calls.setns(self.network.namespace, calls.NEWNET)
            return function()

        thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.name} waits")
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, there)
        finally:
            thread.shutdown(wait=False)

    async def connect(self, path: str) -> socket.socket:
        """A non-blocking connection to the Unix socket at `path`, which is below /run."""
        line = socket.socket(socket.AF_UNIX)
        line.setblocking(False)
        try:
            line.connect(str(self.run_directory / Path(path).relative_to("/run")))
        except BaseException:
            line.close()
            raise
        return line

    async def sniff(self) -> socket.socket:
        """A packet socket on all interfaces, including tunnels."""
        return await self.call(packet_socket)

    async def entrance(self) -> Entrance:
        """Its namespaces' descriptors."""
        loop = asyncio.get_running_loop()
        others = await self.call(lambda: self._lay_out(loop))
        return Entrance("namespaces", (self.network.namespace, *others, self._first.namespace))

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end; TimeoutError with its output after `limit` seconds.

        If the wait ends early for any reason, the program's whole session is killed.
        """
        with ExitStack() as stack:
            # Files in memory, not pipes, which a remaining child process could keep open.
            files = [stack.enter_context(_memory(name)) for name in ("stdin", "stdout", "stderr")]
            stdin, stdout, stderr = files
            stdin.write(input.encode())
            stdin.seek(0)
            streams = (stdin.fileno(), stdout.fileno(), stderr.fileno())
            program = await self._program(argv, env, streams, Path(os.devnull))
            try:
                async with patience(limit):
                    code = await program.wait()
            except TimeoutError:
                output = Completed(0, _text(stdout), _text(stderr)).output[-QUOTED:] or "none"
                message = f"{self.name}: {argv[0]} did not end within {limit:g} s; output: {output}"
                raise TimeoutError(message) from None
            finally:
                if program.code is None:
                    await program.kill()
            return Completed(code, _text(stdout), _text(stderr))

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program; its output goes to `log/<node>/<log>.log` of the run directory."""
        path, descriptor = open_log(self._logs, log)
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
        except asyncio.CancelledError:  # without a Program object, it could not be stopped
            program = Program(await starting, log)
            await program.kill()
            raise

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file at the node's `path`; only /run, /tmp and /etc belong to the node."""
        content = data.encode() if isinstance(data, str) else data
        await self.call(lambda: self._files.write(path, content, mode))

    async def read(self, path: str) -> bytes:
        """The content of the file at the node's `path`."""
        return await self.call(Path(path).read_bytes)

    async def reboot(self) -> None:
        """Kill every program of the node, empty its /run and /tmp, and reset its network.

        Programs are found by their namespaces, not by name or parent, which daemons change. This
        repeats until there is none, because a program may be about to fork.
        """
        await wait_until(f"{self.name}: its programs end", 10.0, self._is_empty)
        await self.call(self._restart)

    def _is_empty(self) -> bool:
        descriptors = [self.network.namespace, *(self._others or ())]
        found = in_namespaces({identity(f"/proc/self/fd/{number}") for number in descriptors})
        left = [pid for pid in found if not self._others or pid != self._first.pid]
        kill(left)
        return not left


def open_log(place: Path, log: str) -> tuple[Path, int]:
    """A program's log file in a node's log directory, and a descriptor that appends to it."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(own.open_directory(str(place), make=True))
    path = place / f"{log}.log"
    return path, own.open_file(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def packet_socket(interface: str = "") -> socket.socket:
    """A packet socket on all interfaces of the calling thread's network namespace, or on one."""
    line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    line.setblocking(False)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PACKETS)
    if interface:
        line.bind((interface, ETH_P_ALL))
    return line


def _here(kind: str) -> int:
    """A descriptor of the calling thread's namespace."""
    return os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def _memory(name: str) -> IO[bytes]:
    """A file in memory, in append mode, so that two writers do not overwrite each other."""
    descriptor = os.memfd_create(name)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return os.fdopen(descriptor, "w+b", buffering=0)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
