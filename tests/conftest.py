"""Tests side by side, and how far they are; a skip is loud, and on CI it is a failure, but for what
programs of the machine's own are wanted for, which a CI machine need not have."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

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


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    all_skipped = reporter.stats.get("skipped", []) if reporter else []
    skipped = [report for report in all_skipped if OF_THE_MACHINE not in str(report.longrepr)]
    if os.environ.get("CI") and skipped and exitstatus == 0:
        reporter.write_line(f"CI: {len(skipped)} skipped test(s) count as failures", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
