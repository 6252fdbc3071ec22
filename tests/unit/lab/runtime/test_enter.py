"""Representing a program in a node; here the program is a child of this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from lab.boot import ask
from lab.runtime.enter import _represent

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def stand_for() -> int:
    child = os.fork()
    if child == 0:
        os._exit(3)
    return _represent(child)


def launch() -> int:
    def enter() -> NoReturn:
        os._exit(3)

    return ask.run(enter).code


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("work", [stand_for, launch])
def test_a_signal_is_sent_to_nobody_once_the_child_was_collected(
    work: Callable[[], int], number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be another process's by then."""
    waitpid = os.waitpid

    def collect(*arguments: Any) -> tuple[int, int]:
        found = waitpid(*arguments)
        os.kill(os.getpid(), number)
        return found

    monkeypatch.setattr(os, "waitpid", collect)
    before = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        assert work() == 3
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
