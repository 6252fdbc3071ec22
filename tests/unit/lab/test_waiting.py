from __future__ import annotations

import asyncio

import pytest

from gateway.common import turns
from lab.errors import LabError
from lab.waiting import wait_until


async def test_the_answer_is_what_the_probe_answers() -> None:
    answers = iter([None, 0, "", "yes"])
    assert await wait_until("a yes", 1, lambda: next(answers)) == "yes"


async def test_an_asynchronous_probe_is_awaited() -> None:
    async def probe() -> int:
        return 7

    assert await wait_until("a seven", 1, probe) == 7


async def test_a_timeout_names_what_was_waited_for_and_the_last_thing_seen() -> None:
    def probe() -> None:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(TimeoutError, match=r"the door: not within 0\.02 s; last seen: nobody"):
        await wait_until("the door", 0.02, probe)


async def test_a_probe_that_hangs_is_cancelled_and_told() -> None:
    with pytest.raises(TimeoutError, match="a sleeper"):
        await wait_until("a sleeper", 0.02, lambda: asyncio.sleep(60, "late"))


async def test_what_was_written_for_a_person_ends_the_wait_at_once() -> None:
    def probe() -> None:
        raise LabError("the daemon died")

    with pytest.raises(LabError, match="the daemon died"):
        await wait_until("a daemon", 60, probe)


def starving(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine on which somebody wants to run all the time; how often it was looked at."""
    looks: list[int] = []

    def everybody() -> dict[str, float]:
        looks.append(len(looks))
        return {"1": float(len(looks))}

    monkeypatch.setattr(turns, "of_everybody", everybody)
    monkeypatch.setattr(turns, "SLICE", 0.005)
    return looks


async def test_a_machine_without_time_has_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = starving(monkeypatch)
    assert await wait_until("the late one", 0.02, lambda: len(looks) > 6)


async def test_but_not_for_ever_and_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    starving(monkeypatch)
    said = r"the door: not within 0\.02 s; last seen: None; the machine was busy: for 0\.\d s of 0"
    with pytest.raises(TimeoutError, match=said):
        await wait_until("the door", 0.02, lambda: None)
