"""How far the tests are when several processes run them: a line that changes on a terminal, a line
now and then elsewhere; and failures when they happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence

import pytest
from _pytest.terminal import TerminalReporter

EVERY = {True: 0.5, False: 15.0}
"""Seconds between two lines: on a terminal, elsewhere."""


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """With -v pytest has a line for each test, and when it runs them itself, dots."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and config.option.dist != "no" and config.option.verbose <= 0:
        config.pluginmanager.register(Progress(reporter))


class Progress:
    """Counts what the processes report, and tells it from a thread of its own."""

    def __init__(self, reporter: TerminalReporter) -> None:
        self._reporter = reporter
        self._began = time.monotonic()
        self._total = self._done = self._failed = 0
        self._running: dict[str, float] = {}
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Every process finds the same tests."""
        self._total = len(ids)
        if not self._thread.ident:
            self._thread.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A process has begun with a test."""
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A process is done with it."""
        self._running.pop(nodeid, None)
        self._done += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What failed is told at once, and why at the end."""
        if report.failed:
            self._failed += 1
            self._write(f"FAILED in {report.when}: {report.nodeid}", red=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self,
    ) -> Generator[None, tuple[str, str, object], tuple[str, str, object]]:
        """No dots."""
        category, _, _ = yield
        return category, "", ""

    def pytest_sessionfinish(self) -> None:
        """No more lines; all that follows is pytest's summary."""
        self._over.set()
        if self._thread.ident:
            self._thread.join()
            self._write(self._line())

    def _tell(self) -> None:
        terminal = self._reporter.isatty()
        while not self._over.wait(EVERY[terminal]):
            if terminal:
                with self._writing:
                    line = self._line()[: self._reporter._tw.fullwidth - 1]
                    self._reporter.rewrite(line, erase=True)
            else:
                self._write(self._line())

    def _write(self, line: str, **markup: bool) -> None:
        with self._writing:
            if self._reporter.isatty():
                self._reporter.rewrite("", erase=True)
            self._reporter.write_line(line, **markup)
            self._reporter.flush()

    def _line(self) -> str:
        """`812 of 2851 after 143 s, 2 failed; running: ` and what, the longest first."""
        now = time.monotonic()
        failed = f", {self._failed} failed" if self._failed else ""
        running = sorted(self._running.copy().items(), key=lambda item: item[1])
        named = ", ".join(
            f"{nodeid.rpartition('/')[2]} ({now - began:.0f} s)" for nodeid, began in running
        )
        said = f"{self._done} of {self._total} after {now - self._began:.0f} s{failed}"
        return f"{said}; running: {named}" if named else said
