"""Supervision of a program; the programs are real and small."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.common.errors import EngineError, GatewayError, StorageError
from gateway.common.waiting import wait_until
from gateway.daemons.daemon import Daemon, Program


class Bench:
    """A shell script as daemon; it is ready when it has created its file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.flag = directory / "ready"
        self.deaths: list[str] = []
        self.daemon: Daemon | None = None

    def run(
        self,
        script: str,
        log: Path | None = None,
        inherits: Mapping[str, int] | None = None,
        alive: Callable[[], Awaitable[None]] | None = None,
    ) -> Daemon:
        self.daemon = Daemon(
            Program(
                name="sleeper",
                argv=("/bin/sh", "-c", script, "sleeper"),
                log=log or self.directory / "log",
                prepare=self._prepare,
                ready=self._ready,
                gone=self._gone,
                env={"PATH": os.environ["PATH"], "FLAG": str(self.flag)},
                inherits=lambda: inherits or {},
                alive=alive,
            )
        )
        return self.daemon

    async def _prepare(self) -> None:
        self.flag.unlink(missing_ok=True)

    async def _ready(self) -> None:
        await wait_until("the flag", 30.0, self.flag.exists)

    async def _gone(self, error: GatewayError) -> None:
        self.deaths.append(error.message)


SLEEPER = 'echo up; : > "$FLAG"; exec sleep 60'


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    if bench.daemon:
        await bench.daemon.stop()


async def running_again(daemon: Daemon, old: int | None) -> int:
    probe: Callable[[], int | None] = lambda: (  # noqa: E731
        daemon.pid if daemon.state == "running" and daemon.pid != old else None
    )
    return await wait_until("another process", 30.0, probe)


async def test_start_returns_when_it_is_ready(bench: Bench) -> None:
    daemon = bench.run(SLEEPER)
    await daemon.start()
    assert bench.flag.exists()
    assert daemon.state == "running"
    assert daemon.pid


async def test_the_log_of_a_daemon_that_dies_while_starting_is_quoted(bench: Bench) -> None:
    daemon = bench.run("echo the port is taken; exit 3")
    with pytest.raises(EngineError, match=r"sleeper died while starting \(code 3\).*port is taken"):
        await daemon.start()
    assert daemon.state == "failed"


async def test_a_failed_start_is_retried(bench: Bench) -> None:
    cure = bench.directory / "cure"
    daemon = bench.run(f'[ -e {cure} ] || exit 1; : > "$FLAG"; exec sleep 60')
    with pytest.raises(EngineError):
        await daemon.start()
    cure.touch()
    await running_again(daemon, None)
    assert daemon.restarts >= 1


async def test_a_failed_daemon_stays_failed_until_it_is_ready(bench: Bench) -> None:
    tried = bench.directory / "tried"
    daemon = bench.run(f"[ -e {tried} ] || {{ : > {tried}; exit 1; }}; exec sleep 60")
    with pytest.raises(EngineError):
        await daemon.start()
    await wait_until("the next try", 30.0, lambda: daemon.restarts == 1 and daemon.pid)
    assert daemon.state == "failed"
    bench.flag.touch()
    await running_again(daemon, None)


async def test_another_start_tries_at_once_and_returns_the_outcome(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemons.daemon.FIRST_BACKOFF", 60.0)
    monkeypatch.setattr("gateway.daemons.daemon.LONGEST_BACKOFF", 60.0)
    daemon = bench.run("echo still taken; exit 1")
    for _ in range(3):
        with pytest.raises(EngineError, match="still taken"):
            async with asyncio.timeout(10):
                await daemon.start()


async def test_a_killed_daemon_is_restarted(bench: Bench) -> None:
    daemon = bench.run(SLEEPER)
    await daemon.start()
    first = daemon.pid
    assert first
    os.kill(first, signal.SIGKILL)
    assert await running_again(daemon, first) != first
    assert daemon.restarts == 1
    assert bench.deaths == ["sleeper was killed by SIGKILL: up"]


async def test_a_silent_daemon_is_killed_and_restarted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemons.heartbeat.LIMIT", 0.05)
    monkeypatch.setattr("gateway.common.turns.SLICE", 0.01)
    monkeypatch.setattr("gateway.daemons.heartbeat.PERIOD", 0.01)
    asked: list[int | None] = []

    async def alive() -> None:
        asked.append(daemon.pid)
        if daemon.restarts == 0 and len(asked) > 2:
            await asyncio.Event().wait()

    daemon = bench.run(SLEEPER, alive=alive)
    await daemon.start()
    first = daemon.pid
    assert first
    os.kill(first, signal.SIGSTOP)  # SIGTERM would wait with it
    second = await running_again(daemon, first)
    # what is told besides is how long a busy machine had no turn for the gateway itself
    said = r"sleeper gave no answer for 0\.05 s(, besides .* s in which .*)? and was killed"
    assert re.fullmatch(said + ": up", bench.deaths[0])
    assert re.fullmatch(said, daemon.death)
    await wait_until("another question", 30, lambda: asked.count(second) > 1)
    assert asked[:3] == [first] * 3
    await daemon.stop()
    assert (daemon.restarts, len(bench.deaths)) == (1, 1)


async def test_its_log_is_rotated_while_it_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.common.rotation.LIMIT", 100)
    monkeypatch.setattr("gateway.common.rotation.INTERVAL", 0.01)
    script = ': > "$FLAG"; while :; do echo a line of ten; sleep 0.001; done'
    await bench.run(script).start()
    old = bench.directory / "log.old"
    await wait_until("an older part", 30, old.exists)
    first = old.stat().st_mtime_ns
    await wait_until("another", 30, lambda: old.stat().st_mtime_ns != first)


async def test_a_stop_is_not_a_death(bench: Bench) -> None:
    daemon = bench.run(SLEEPER)
    await daemon.start()
    pid = daemon.pid
    assert pid
    await daemon.stop()
    assert (daemon.state, daemon.pid, bench.deaths) == ("stopped", None, [])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_daemon_that_ignores_sigterm_is_killed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemons.daemon.STOP_LIMIT", 0.1)
    daemon = bench.run("trap '' TERM; : > \"$FLAG\"; while :; do sleep 60; done")
    await daemon.start()
    async with asyncio.timeout(5):
        await daemon.stop()
    assert daemon.pid is None


async def test_a_daemon_that_never_becomes_ready_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemons.daemon.START_LIMIT", 0.2)
    daemon = bench.run("echo hanging; exec sleep 60")
    with pytest.raises(EngineError, match=r"no answer within 0\.2 s: hanging"):
        await daemon.start()


async def test_a_log_that_cannot_be_written_is_an_error(bench: Bench) -> None:
    daemon = bench.run(SLEEPER, log=bench.directory / "missing" / "log")
    with pytest.raises(StorageError, match=r"cannot write .*missing/log: No such file"):
        await daemon.start()


async def test_descriptors_are_inherited_and_passed_as_options(bench: Bench) -> None:
    reading, writing = os.pipe()
    try:
        script = 'echo "$1" > /dev/fd/${1#--pipe=}; : > "$FLAG"; exec sleep 60'
        await bench.run(script, inherits={"pipe": writing}).start()
        assert os.read(reading, 100).decode() == f"--pipe={writing}\n"
    finally:
        os.close(reading)
        os.close(writing)


async def test_a_fault_of_our_own_is_raised_by_start(bench: Bench) -> None:
    async def fails() -> None:
        raise RuntimeError("a mistake")

    daemon = bench.run(SLEEPER)
    daemon._program = replace(daemon._program, prepare=fails)
    with pytest.raises(EngineError, match="a mistake"):
        async with asyncio.timeout(5):
            await daemon.start()
    with pytest.raises(RuntimeError):
        await daemon.stop()
    bench.daemon = None
