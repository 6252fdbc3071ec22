"""Faults begin once, end once, and end by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lab.errors import UsageError
from lab.faults import active, kinds
from lab.faults.active import Faults
from lab.faults.kinds import one
from lab.topology.model.steps import Fault, TimedFault
from lab.waiting import wait_until
from tests.unit.lab.checks.fakes import FakeWorld

CUT = {"fault": "s2s-cut"}


class Switch:
    """A fault that can be looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        monkeypatch.setitem(active.KINDS, "s2s-cut", self.begin)

    async def begin(self, _world: Any, _step: Fault) -> kinds.Begun:
        self.on = True
        return "it is on", self.end

    async def end(self) -> None:
        self.on = False


def test_a_fault_is_active_until_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        switch, faults = Switch(monkeypatch), Faults(FakeWorld())  # type: ignore[arg-type]
        assert await faults.begin(Fault.model_validate(CUT)) == "it is on"
        assert faults.document() == [{"name": "s2s-cut", "endsIn": None}]
        with pytest.raises(UsageError, match="already active"):
            await faults.begin(Fault.model_validate(CUT))
        await faults.end("s2s-cut")
        assert not switch.on
        with pytest.raises(UsageError, match="is not active"):
            await faults.end("s2s-cut")

    asyncio.run(test())


def test_a_fault_with_a_time_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        switch, faults = Switch(monkeypatch), Faults(FakeWorld())  # type: ignore[arg-type]
        await faults.begin(Fault.model_validate(CUT | {"for": "50ms"}))
        assert switch.on
        await wait_until("the end", 30, lambda: not switch.on)
        assert faults.document() == []
        await faults.begin(Fault.model_validate(CUT))

    asyncio.run(test())


def test_a_fault_that_is_ended_early_does_not_end_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        switch, faults = Switch(monkeypatch), Faults(FakeWorld())  # type: ignore[arg-type]
        await faults.begin(Fault.model_validate(CUT | {"for": "20ms"}))
        await faults.end("s2s-cut")
        await faults.begin(Fault.model_validate(CUT))
        await asyncio.sleep(0.1)
        assert switch.on, "the first one's time must not end the second"

    asyncio.run(test())


def test_timed_faults_begin_at_once_or_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        switch, faults = Switch(monkeypatch), Faults(FakeWorld())  # type: ignore[arg-type]
        await faults.begin_all([TimedFault.model_validate(CUT | {"for": "10ms"})])
        assert switch.on, "at once"
        await wait_until("its end", 30, lambda: not switch.on)
        await faults.begin_all([TimedFault.model_validate(CUT | {"after": "10ms"})])
        assert not switch.on, "not yet"
        await wait_until("its beginning", 30, lambda: switch.on)
        assert faults.failures == []

    asyncio.run(test())


def test_the_target_must_be_unambiguous() -> None:
    assert one(["a"], None, "site") == "a"
    assert one(["a", "b"], "b", "site") == "b"
    for names, wanted in ((["a", "b"], None), ([], None), (["a"], "c")):
        with pytest.raises(UsageError):
            one(names, wanted, "site")
