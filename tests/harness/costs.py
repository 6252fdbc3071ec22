"""`--costs`: the processor time of each file of tests, its programs and labs included, at the end.

On a busy machine it says more than the time on the wall, which is that of all tests together.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from lab.boot import control_group
from lab.errors import LabError

SHOWN = 40
"""Files that are shown, those that cost most first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--costs` itself."""
    parser.addoption(
        "--costs", action="store_true", help="show the processor time of the files of tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Count in this process, and add up what the processes beside it have counted."""
    if config.option.costs:
        config.pluginmanager.register(Costs(config))


class Costs:
    """Seconds of processor time by file, and by test for those of `SHOWN` that cost most."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tests: Counter[str] = Counter()
        self._group = _own_group()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test with what it sets up and takes down. What it left running counts as it ends."""
        before = self._used()
        try:
            return (yield)
        finally:
            self._tests[item.nodeid] += self._used() - before

    def _used(self) -> float:
        usage = (self._group / "cpu.stat").read_text().split()
        return int(usage[usage.index("usage_usec") + 1]) / 1e6

    def pytest_sessionfinish(self) -> None:
        """A process beside others hands over what it counted."""
        parent = self._group.parent / "cgroup.procs"
        parent.write_text(str(os.getpid()))
        with contextlib.suppress(OSError):  # a test has left something running
            self._group.rmdir()
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["costs"] = dict(self._tests)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Such a process has ended; one that crashed had no time to hand over anything."""
        self._tests.update(getattr(node, "workeroutput", {}).get("costs", {}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The sums, and within each file its most expensive tests."""
        files: Counter[str] = Counter()
        for test, seconds in self._tests.items():
            files[test.partition("::")[0]] += seconds
        terminalreporter.section(f"{sum(files.values()):.0f} s of processor time")
        for file, seconds in files.most_common(SHOWN):
            terminalreporter.write_line(f"{seconds:7.1f} s  {file}")
        terminalreporter.write_line("")
        for test, seconds in self._tests.most_common(SHOWN):
            terminalreporter.write_line(f"{seconds:7.1f} s  {test}")


def _own_group() -> Path:
    """A control group with this process in it, and all that it will start.

    A lab's processes are nobody's children for long, so no other account has them all.
    """
    try:
        group = Path(control_group.made(f"p2slab-tests-{os.getpid()}"))
    except LabError as error:
        raise pytest.UsageError(str(error)) from error
    (group / "cgroup.procs").write_text(str(os.getpid()))
    return group
