"""How much of the waiting time counts."""

from __future__ import annotations

import os
from itertools import count

import pytest

from gateway.common import turns
from gateway.common.turns import LONGEST, SLICE, Patience, Slowness


def spent(patience: Patience, slice_: float) -> int:
    """How many slices of this length the patience lasts."""
    return next(number for number in count(1) if patience.spend(slice_) >= 0 and patience.is_over)


def test_on_an_idle_machine_a_limit_is_a_limit() -> None:
    assert spent(Patience(1.0), 0.125) == 8


def test_the_extension_of_a_limit_is_bounded() -> None:
    waited = count()
    assert spent(Patience(1.0, lambda: {"1": float(next(waited))}), 0.125) == 8 * LONGEST


def test_half_the_time_without_a_turn_is_twice_the_time() -> None:
    waited = count()
    patience = Patience(1.0, lambda: {"1": next(waited) * 0.0625, "2": 0.0})
    patience.spend(0.0)
    assert spent(patience, 0.125) == 16
    assert patience.left_out == patience.starved == 1.0


def test_time_in_which_the_waiting_program_stood_still_is_left_out() -> None:
    patience = Patience(1.0)
    assert patience.spend(100.0) == patience.lag == 100.0 - 2 * SLICE
    assert not patience.is_over


def test_slowness_is_how_much_longer_a_process_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1.0, 0.5]
    monkeypatch.setattr(turns, "own_time", lambda: tuple(now))
    slowness = Slowness()
    assert slowness() == 1.5
    now[:] = [1.01, 9.0]
    assert slowness() == 1.5, "too little to tell by"
    now[:] = [2.0, 2.5]
    assert slowness() == 3.0
    now[:] = [3.0, 99.0]
    assert slowness() == LONGEST
    now[:] = [4.0, 99.0]
    assert slowness() == 1.0


def test_all_processes_are_seen_including_this_one() -> None:
    assert str(os.getpid()) in turns.of_everybody()
    ran, waited = turns.own_time()
    assert ran > 0 <= waited
