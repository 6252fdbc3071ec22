"""One run of a user-mode Linux kernel, from power-on to power-off."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import Any
from weakref import WeakSet

from gateway.common import compiled
from lab.boot.enter import HOST
from lab.boot.source import PROGRAM
from lab.errors import LabError
from lab.guest import wire
from lab.kernel import sysctls, uml
from lab.kernel.processes import children, kill
from lab.nodes.base import Process
from lab.nodes.environment import environment
from lab.nodes.files import SOURCE
from lab.nodes.namespace import NamespaceNode
from lab.nodes.uml_answers import Answers
from lab.nodes.uml_network import (
    AGENT,
    PORT,
    SUPERVISOR,
    CableEnd,
    agent_line,
    inside,
    vectors,
)
from lab.nodes.uml_program import Line, NodeDownError
from lab.topology.planning.plan import NodePlan
from lab.waiting import patience

BOOT_LIMIT = 60.0
END_LIMIT = 10.0
SECONDS_A_DAY = 86_400
QUOTED = 2000
MEMORY = "mem=384M"
"""An upper limit: memory that the kernel never touches is not allocated."""
MODULES = (
    *("ipv6", "sch_netem", "tun", "ppp_async", "ppp_mppe", "ppp_deflate", "bsd_comp"),
    # charon would load these one by one, at 0.1 s each, when it sets up ESP.
    *("xfrm_user", "af_key", "esp4", "gcm", "ghash-generic", "ctr", "seqiv", "cbc", "authenc"),
    *("echainiv", "hmac", "sha512_generic", "drbg"),
)


class Machine:
    """A kernel that runs in a node's namespace, and connections to its agent."""

    def __init__(self, place: NamespaceNode, plan: NodePlan, ends: tuple[CableEnd, ...]) -> None:
        self._place = place
        self._plan = plan
        self._ends = ends
        self._process: Process | None = None
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()
        self.release = ""
        """The kernel's release."""

    async def boot(self) -> None:
        """Boot until the agent answers; LabError with the end of the kernel's log otherwise."""
        listener = await self._place.call(_listen)
        with closing(listener):
            await self._place.write("/run/boot.json", json.dumps(self._configuration()))
            self._process = await self._place.spawn(
                list(self._command()),
                log="kernel",
                env=uml.environment(compiled.kept()),
            )
            self.release = await self._receive_release(listener, self._process)
        self._end = asyncio.ensure_future(self._watch(self._process))

    def _command(self) -> Iterator[str]:
        yield from uml.COMMAND
        yield from (MEMORY, f"umid={self._plan.host_name}")
        yield from vectors(self._ends)
        yield f"init={os.path.realpath(sys.executable)}"
        yield from ("--", "-I", "-S", str(SOURCE / "lab/guest/init.py"), str(SOURCE))

    def _configuration(self) -> dict[str, Any]:
        kind = sysctls.ROUTER if self._plan.forwarding else sysctls.COMPUTER
        return {
            "name": self._plan.host_name,
            "host": HOST,
            "clock": self._plan.clock * SECONDS_A_DAY,
            "modules": MODULES,
            "sysctls": kind | dict(self._plan.sysctls),
            "network": inside(self._plan, self._ends),
            "agent": agent_line(self._ends),
            "path": [entry for entry in sys.path if entry],
            "environment": environment(),
        }

    async def _receive_release(self, listener: socket.socket, process: Process) -> str:
        loop = asyncio.get_running_loop()
        ended = asyncio.ensure_future(process.wait())
        called = asyncio.ensure_future(loop.sock_accept(listener))
        try:
            with suppress(TimeoutError):
                async with patience(BOOT_LIMIT):
                    await asyncio.wait({ended, called}, return_when=asyncio.FIRST_COMPLETED)
            if not called.done():
                await self._fail(process)
            with called.result()[0] as line:
                line.setblocking(False)
                return Answers(self._plan.name).release(await loop.sock_recv(line, 256))
        finally:
            for waiting in (ended, called):
                waiting.cancel()

    async def _fail(self, process: Process) -> None:
        state = "did not boot" if process.code is None else f"ended with {process.code}"
        await process.stop(0)
        log = _log_end(process)
        raise LabError(f"{self._plan.name}: user-mode Linux {state}; its log ends: {log}",
                       f"{PROGRAM} doctor checks whether it can run here")  # fmt: skip

    async def _watch(self, process: Process) -> None:
        """Close all connections when the kernel ends: a killed kernel closes none."""
        await process.wait()
        for writer in list(self._writers):
            writer.transport.abort()

    async def end(self) -> None:
        """Power off at once; all its processes are gone when this returns."""
        if self._process:
            # Kill the children, not the parent, which would end before them.
            kill(children(self._process.pid))
            async with patience(END_LIMIT):
                await self._end

    async def ask(self, request: Mapping[str, Any], *bodies: bytes) -> Line:
        """Open a connection to the agent and send a request; NodeDownError as below."""
        reader, writer = await self.connect()
        writer.write(wire.pack_json(wire.REQUEST, request))
        for body in bodies:
            writer.write(wire.pack(wire.BODY, body))
        return Line(Answers(self._plan.name), reader, writer)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection to the agent; NodeDownError if the kernel is down."""
        if self._process is None or self._process.code is not None:
            log = _log_end(self._process) if self._process else "it was not started"
            raise NodeDownError(
                f"{self._plan.name}: its kernel is not running; its log ends: {log}"
            )
        line = await self._place.call(_stream)
        try:
            await asyncio.get_running_loop().sock_connect(line, (AGENT, PORT))
        except BaseException:
            line.close()
            raise
        reader, writer = await asyncio.open_connection(sock=line)
        self._writers.add(writer)
        return reader, writer


def _log_end(process: Process) -> str:
    return process.log.read_text(errors="replace")[-QUOTED:].strip() or "empty"


def _listen() -> socket.socket:
    listener = socket.create_server((SUPERVISOR, PORT))
    listener.setblocking(False)
    return listener


def _stream() -> socket.socket:
    line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line
