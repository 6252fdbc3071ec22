"""A daemon that is kept down; the program is real and small."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.common.errors import EngineError, GatewayError
from gateway.common.waiting import wait_until
from gateway.daemons.daemon import FIRST_BACKOFF, Daemon, Program
from gateway.daemons.hold import Hold

LIMIT = 30.0


class Sleeper:
    """A program that is always ready."""

    def __init__(self, directory: Path) -> None:
        self.hold = Hold()
        self.deaths: list[str] = []
        self.daemon = Daemon(
            Program(
                name="sleeper",
                argv=("/bin/sleep", "60"),
                log=directory / "log",
                prepare=self._nothing,
                ready=self._nothing,
                gone=self._gone,
                env=dict(os.environ),
                hold=self.hold,
            )
        )

    async def _nothing(self) -> None:
        pass

    async def _gone(self, error: GatewayError) -> None:
        self.deaths.append(error.message)

    async def held(self) -> int:
        """Hold it, and wait until it has ended: its process was this one."""
        pid = self.daemon.pid
        assert pid
        self.hold.hold()
        await wait_until("its end", LIMIT, lambda: self.deaths)
        return pid


@pytest.fixture
async def sleeper(tmp_path: Path) -> AsyncIterator[Sleeper]:
    one = Sleeper(tmp_path)
    yield one
    await one.daemon.stop()


async def test_it_stays_down_until_it_is_released(sleeper: Sleeper) -> None:
    await sleeper.daemon.start()
    old = await sleeper.held()
    with pytest.raises(EngineError, match="is not started again"):
        await sleeper.daemon.start()
    with pytest.raises(TimeoutError):  # past the first attempt to replace it
        await wait_until("another process", 3 * FIRST_BACKOFF, lambda: sleeper.daemon.pid)
    assert (sleeper.daemon.state, sleeper.daemon.death) == (
        "failed",
        "sleeper was stopped, and is not started again for the time being",
    )
    sleeper.hold.release()
    await wait_until("another process", LIMIT, lambda: sleeper.daemon.state == "running")
    assert sleeper.daemon.pid not in (None, old)
    assert (sleeper.daemon.restarts, len(sleeper.deaths)) == (1, 1)


async def test_it_can_be_stopped_for_good_meanwhile(sleeper: Sleeper) -> None:
    await sleeper.daemon.start()
    await sleeper.held()
    await sleeper.daemon.stop()
    assert sleeper.daemon.state == "stopped"


async def test_one_that_is_held_before_it_starts_does_not(sleeper: Sleeper) -> None:
    sleeper.hold.hold()
    with pytest.raises(EngineError, match="is not started again"):
        await sleeper.daemon.start()
    assert (sleeper.daemon.state, sleeper.daemon.pid) == ("failed", None)
