"""Tests in several processes at once (pytest-xdist): what they may share, and what they may not.

Tests of tests/e2e come first, one by one, for most wait more than they work; but a file of `WHOLE`
stays together, so that what it sets up for all of its tests is set up once. Their order is as good
as drawn, and always the same: neighbours in the alphabet often wait for the same time-out, and now
others work meanwhile. All other files are handed out whole; they are short, as is good at the end.

Each process has a run directory of its own: labs of the same name do not meet, and `status` lists
no others' tests. What needs a calm machine comes last: tests with the mark `one_of(KIND)`, one of
each kind at a time, and then those with the mark `alone`, while which nothing else is tested.
"""

from __future__ import annotations

import fcntl
import os
import signal
import zlib
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling
from xdist.workermanage import WorkerController

from gateway.common import calls
from lab.runtime.directory import BASE

FOR_EACH_CORE = 4
"""Processes: tests wait most of the time, for timers of daemons or for the end of a lab."""
ONE_BY_ONE = "tests/e2e/"
SLOW = "tests/slow/"
"""Tests of these are handed out one by one, too."""
WHOLE = frozenset(
    f"{ONE_BY_ONE}test_{name}.py"
    for name in ("boot", "exec", "exec_uml", "explained_steps", "hands", "operators")
)
"""Files of these whose tests share something (tests/unit/test_harness.py)."""


KINDS = ("throughput", "crowd")
"""Of tests that may be beside one of another kind: neither needs both cores. The longest first."""
ORDINARY, ALONE = "", "alone"
STAGES = (ORDINARY, *KINDS, ALONE)
"""In this order they are handed out."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known; let the labs of this process be nobody else's."""
    for mark in (
        "alone: a test that wants the machine to itself",
        f"one_of(kind): a test that shares it with those of another kind only ({KINDS})",
    ):
        config.addinivalue_line("markers", mark)
    _leave_signals_to_programs()
    if config.option.dist == "no":  # else it starts the processes that do have tests
        _take_a_run_directory()
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Company(config.workerinput["testrunuid"]))


def _leave_signals_to_programs() -> None:
    """Whatever this process was told to ignore, in the background of a script or by nohup, a
    program that a test starts does not ignore: a handler is gone after exec, SIG_IGN is not."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def _take_a_run_directory() -> None:
    calls.unshare(calls.NEWNS)
    BASE.mkdir(exist_ok=True)
    calls.mount("labs", str(BASE), "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, "mode=0700")


class Turns:
    """A process among others that share a file, whose bytes they lock: the first is for ordinary
    tests, each of the next for a kind. Closing any descriptor of the file in this process ends its
    locks; labs' processes do not inherit them."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        self._stage: str | None = None

    def take(self, stage: str, flags: int = 0) -> None:
        """Wait until a test of this stage may begin. With LOCK_NB: BlockingIOError instead."""
        if stage == self._stage:
            return
        self._stage = None
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        if stage == ORDINARY:
            fcntl.lockf(self._file, fcntl.LOCK_SH | flags, 1)
        elif stage == ALONE:
            fcntl.lockf(self._file, fcntl.LOCK_EX | flags)
        else:
            # All ordinary tests have ended: none is handed out after one of these.
            fcntl.lockf(self._file, fcntl.LOCK_EX | flags, 1)
            fcntl.lockf(self._file, fcntl.LOCK_UN)
            fcntl.lockf(self._file, fcntl.LOCK_EX | flags, 1, 1 + KINDS.index(stage))
        self._stage = stage

    def leave(self) -> None:
        """No test will begin in this process."""
        os.close(self._file)


class Company:
    """A process beside others: it takes turns with them."""

    def __init__(self, run: str) -> None:
        self._turns = Turns(Path(f"/run/tests-{run}.lock"))
        self._turns.take(ORDINARY)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Before a test that needs a calm machine, wait for the other processes."""
        self._turns.take(_stage(item))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """All that the tests had set up is gone; the process itself lives as long as the run."""
        self._turns.leave()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` means: none beside pytest itself where a file or a test is named."""
    if any(".py" in argument for argument in config.args):
        return 0
    return FOR_EACH_CORE * len(os.sched_getaffinity(0))


def unit_of(nodeid: str) -> str:
    """What is handed out with this test: its file, or it alone."""
    file = nodeid.partition("::")[0]
    return nodeid if file.startswith((ONE_BY_ONE, SLOW)) and file not in WHOLE else file


class Units(LoadFileScheduling):
    """Hands out files, or tests, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def remove_node(self, node: WorkerController) -> str | None:
        """A process has ended: the test that it was at failed, and is not begun again."""
        units = self.assigned_work.get(node, {}).values()
        unit = next((unit for unit in units if not all(unit.values())), None)
        if unit is None:
            return super().remove_node(node)
        crashed = next(test for test, done in unit.items() if not done)
        unit[crashed] = True
        super().remove_node(node)
        return str(crashed)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units:
    """Whatever --dist says."""
    config.option.loadscopereorder = False
    return Units(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By stage; in one of several processes, within a stage, as said above."""
    if hasattr(config, "workerinput"):
        items.sort(key=_place)
    items.sort(key=lambda item: STAGES.index(_stage(item)))


def _place(item: pytest.Item) -> tuple[bool, int]:
    """A file stays together and in its order."""
    drawn = item.nodeid.startswith(ONE_BY_ONE)
    return not drawn, zlib.crc32(unit_of(item.nodeid).encode()) if drawn else 0


def _stage(item: pytest.Item) -> str:
    if item.get_closest_marker("alone"):
        return ALONE
    mark = item.get_closest_marker("one_of")
    return str(mark.args[0]) if mark else ORDINARY
