"""`survivesRekey`: pings go on until the keys are new, and none may be lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.checks import session
from lab.topology.model.steps import SurvivesRekey
from lab.waiting import wait_until
from tests.unit.lab.checks.fakes import FakeWorld

SLOW = 100
"""Pings that are answered before a slow machine has its new keys."""


class FakePing:
    """A ping whose answers come as fast as they are read, but for those that are lost; the first
    has come before anybody knows its log."""

    def __init__(self, log: Path, lost: set[int]) -> None:
        self.log = log
        log.write_text("64 bytes from 10.1.1.4: icmp_seq=1 ttl=63 time=0.1 ms\n")
        self._task = asyncio.create_task(self._answer(lost))

    async def _answer(self, lost: set[int]) -> None:
        for number in itertools.count(2):
            if number not in lost:
                with self.log.open("a") as file:
                    file.write(f"64 bytes from 10.1.1.4: icmp_seq={number} ttl=63 time=0.1 ms\n")
            await asyncio.sleep(0.0001)

    async def stop(self) -> int:
        self._task.cancel()
        return 0


@pytest.mark.parametrize(
    ("lost", "elsewhere", "said"),
    [
        (set(), False, ""),
        ({SLOW}, False, f"lost: [{SLOW}]"),
        ({SLOW + 5}, False, f"lost: [{SLOW + 5}]"),
        (set(), True, "it is not app1 that answers"),
    ],
)
async def test_it_holds_if_no_ping_is_lost_however_slow_the_machine_is(
    lost: set[int],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arrived: list[Any],
    *,
    elsewhere: bool,
) -> None:
    if elsewhere:
        arrived[0] = set()
    world = FakeWorld()
    ping: FakePing

    async def spawn(argv: Sequence[str], *, log: str) -> FakePing:
        nonlocal ping
        ping = FakePing(tmp_path / log, lost)
        return ping

    async def rekey() -> None:
        await wait_until("many pings", 30, lambda: f"icmp_seq={SLOW + 1} " in ping.log.read_text())

    monkeypatch.setattr(world.alice.node, "spawn", spawn, raising=False)
    monkeypatch.setattr(world.alice, "rekey", rekey, raising=False)
    monkeypatch.setattr(session, "PING_LIMIT", 1.0)
    fake: Any = world
    outcome = await session.survives_rekey(SurvivesRekey(survivesRekey="alice", host="app1"), fake)
    assert outcome.held == (not said), outcome
    assert said in outcome.detail
