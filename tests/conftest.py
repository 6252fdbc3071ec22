"""Tests side by side, and how far they are; a skip is loud, and on CI it is a failure, but for what
programs of the machine's own are wanted for, which a CI machine need not have."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

CAUSES = "tests/e2e/test_causes.py"
OF_THE_MACHINE = "the machine lacks "
"""So begins the reason of a skip that is no failure."""
# No test asserts time, on a machine that others use.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
pytest_plugins = ("tests.harness.costs", "tests.harness.progress", "tests.harness.side_by_side")

gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What thousands of tests are made of lives as long as they do: no search for garbage in it,
    neither while they are collected nor later."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a whole run leaves to others, and why."""
    ran = {report.nodeid.partition("::")[0] for report in terminalreporter.getreports("passed")}
    if CAUSES in ran:
        from tests.rigs.causes import FILES, fewest  # not for a few unit tests

        left = len(FILES) - len(fewest())
        terminalreporter.write_line(
            f"left out: {left} of {len(FILES)} causes, whose functions the others have too, and "
            "what takes half an hour (./p2slab test tests/slow/*.py)"
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    all_skipped = reporter.stats.get("skipped", []) if reporter else []
    skipped = [report for report in all_skipped if OF_THE_MACHINE not in str(report.longrepr)]
    if os.environ.get("CI") and skipped and exitstatus == 0:
        reporter.write_line(f"CI: {len(skipped)} skipped test(s) count as failures", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
