"""A supervised daemon: started, awaited until it is ready, and restarted with backoff when it dies
or stops answering.

Daemons get SIGTERM when the gateway dies (PR_SET_PDEATHSIG), so that none is left behind on its
ports.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gateway.common import calls
from gateway.common.errors import EngineError, StorageError
from gateway.common.files import tail
from gateway.common.rotation import keep_small
from gateway.common.turns import turns_waited_for
from gateway.daemons.heartbeat import until_silent
from gateway.daemons.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path
    from typing import Any

FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 5.0
PROVEN = 10.0
"""Seconds of running after which the backoff is reset."""
START_LIMIT = 30.0
"""Seconds; on an idle machine each daemon starts in less than one."""
STOP_LIMIT = 3.0
DESCRIPTORS = 65536
HELD = "was stopped, and is not started again for the time being"

State = Literal["stopped", "starting", "running", "failed"]


@dataclass(frozen=True)
class Program:
    """What to run. `prepare` writes its files, `ready` returns once it is ready, and `gone` is
    called for each death, with the last lines of its log.

    `inherits`: called after `prepare`, returns the descriptors to pass on, by option name:
    {"tun": 7} is passed as --tun=7.

    `alive`: the heartbeat, which returns when the running daemon has answered
    (gateway.daemons.heartbeat); without an answer, the daemon is killed and restarted.

    `hold`: while it is on, the daemon does not run.
    """

    name: str
    argv: Sequence[str]
    log: Path
    prepare: Callable[[], Awaitable[None]]
    ready: Callable[[], Awaitable[None]]
    gone: Callable[[EngineError | StorageError], Awaitable[None]]
    env: Mapping[str, str]
    inherits: Callable[[], Mapping[str, int]] = dict
    alive: Callable[[], Awaitable[None]] | None = None
    hold: Hold = field(default_factory=Hold)


class Daemon:
    """Keeps one program alive from `start` to `stop`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._state: State = "stopped"
        self.restarts = 0
        self.death = ""
        """How it last died, without its log; empty: never."""

    @property
    def state(self) -> State:
        """The daemon's state; a dead one is `failed`, even before its death is handled."""
        dead = self._state == "running" and self.pid is None
        return "failed" if dead else self._state

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def start(self) -> None:
        """Start the daemon and return when it is ready.

        EngineError: it failed to start; the message quotes its log. Starting is retried in the
        background until `stop`.
        """
        if self.state == "running":
            return
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        self._hurry.set()
        if self._keeper is None:
            self._stopping.clear()
            self._keeper = asyncio.create_task(self._keep())
        await outcome

    async def stop(self) -> None:
        """Stop the daemon for good."""
        self._stopping.set()
        if self._keeper:
            await self._keeper
            self._keeper = None
        self._state = "stopped"

    async def _keep(self) -> None:
        backoff, first = FIRST_BACKOFF, True
        while not self._stopping.is_set():
            self._hurry.clear()
            if self._program.hold.is_on:
                self._state = "failed"
                self._resolve(EngineError(f"{self._program.name} {HELD}"))
                await self._pause(None, self._program.hold.wait_released())
                continue
            self.restarts += not first
            first = False
            began = time.monotonic()
            try:
                await self._run()
            except (EngineError, StorageError) as error:
                self._state = "failed"
                self.death = error.what
                await self._program.gone(error)
                self._resolve(error)
            except BaseException as error:  # a fault of our own: start() must raise it, too
                self._resolve(EngineError(f"{self._program.name}: {error!r}"))
                raise
            if time.monotonic() - began > PROVEN:
                backoff = FIRST_BACKOFF
            await self._pause(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)
        self._resolve(EngineError(f"{self._program.name} was stopped while starting"))

    def _resolve(self, outcome: EngineError | StorageError | None) -> None:
        """Return from or raise in all pending calls of `start`."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_exception(outcome) if outcome else future.set_result(None)

    async def _pause(self, limit: float | None, *others: Coroutine[Any, Any, None]) -> None:
        """Wait until the next attempt is due, `start` is called, or the daemon is to stop; or until
        one of the others returns."""
        if self._stopping.is_set():
            return
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(other) for other in others}
        waits |= {asyncio.create_task(e.wait()) for e in (self._stopping, self._hurry)}
        await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _run(self) -> None:
        """Run the program once. EngineError: it ended by itself or did not answer."""
        if self._state == "stopped":  # a failed daemon stays `failed` until it is ready
            self._state = "starting"
        await self._program.prepare()
        process = await self._spawn()
        self._process = process
        ending = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        held = asyncio.create_task(self._program.hold.wait_held())
        tending = asyncio.create_task(keep_small(lambda: (self._program.log,)))
        watching: asyncio.Task[str] | None = None
        silent = ""
        try:
            await self._until_ready(ending)
            self._state = "running"
            self._resolve(None)
            watching = asyncio.create_task(self._until_silent())
            await asyncio.wait(
                {ending, stopping, held, watching}, return_when=asyncio.FIRST_COMPLETED
            )
            if watching.done() and not (ending.done() or stopping.done() or held.done()):
                silent = watching.result()
                process.kill()
        finally:
            if self._program.hold.is_on:  # without a goodbye to clients
                with suppress(ProcessLookupError):
                    process.kill()
            stopping.cancel()
            held.cancel()
            tending.cancel()
            if watching:
                watching.cancel()
            await self._end(process)
        if silent:
            raise EngineError(f"{self._program.name} {silent} and was killed", said=self._said())
        if self._program.hold.is_on:
            raise EngineError(f"{self._program.name} {HELD}")
        if not self._stopping.is_set():
            raise EngineError(f"{self._program.name} {_ended(process)}", said=self._said())

    async def _until_silent(self) -> str:
        """The heartbeat's message once it fails; without a heartbeat, never returns."""
        if self._program.alive is None:
            await asyncio.Event().wait()
        assert self._program.alive
        return await until_silent(
            self._program.name, self._program.alive, lambda: turns_waited_for(self.pid or 0)
        )

    async def _until_ready(self, ending: asyncio.Task[int]) -> None:
        ready = asyncio.ensure_future(self._program.ready())
        done, _ = await asyncio.wait(
            {ready, ending}, timeout=START_LIMIT, return_when=asyncio.FIRST_COMPLETED
        )
        if ready in done and not ready.exception():
            return
        if ready not in done:
            ready.cancel()
            await asyncio.wait({ready})
        name = self._program.name
        await asyncio.wait({ending}, timeout=0.5)  # it closes its socket before it exits
        if ending.done():
            raise EngineError(
                f"{name} died while starting (code {ending.result()})", said=self._said()
            )
        why = ready.exception() if ready in done else f"no answer within {START_LIMIT:g} s"
        raise EngineError(f"{name} does not start", said=f"{why}: {self._said()}")

    async def _spawn(self) -> asyncio.subprocess.Process:
        try:
            descriptor = os.open(self._program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise StorageError(f"cannot write {self._program.log}", said=error.strerror) from error
        inherited = self._program.inherits()
        options = (f"--{name}={number}" for name, number in inherited.items())
        try:
            return await asyncio.create_subprocess_exec(
                *self._program.argv,
                *options,
                pass_fds=tuple(inherited.values()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=dict(self._program.env),
                preexec_fn=_begin,
            )
        except OSError as error:
            raise EngineError(f"cannot run {self._program.argv[0]}", said=error.strerror) from error
        finally:
            os.close(descriptor)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _said(self) -> str:
        return tail(self._program.log)


def _begin() -> None:
    """In the child: raise the soft limit of descriptors, often 1,024; each client needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(most, DESCRIPTORS) if most != resource.RLIM_INFINITY else DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
    calls.die_with_parent(signal.SIGTERM)


def _ended(process: asyncio.subprocess.Process) -> str:
    code = process.returncode
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
