"""Tests side by side, and how far they are; a skip is loud, and on CI it is a failure."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ("tests.harness.side_by_side", "tests.harness.progress")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("CI") and skipped and exitstatus == 0:
        reporter.write_line(f"CI: {len(skipped)} skipped test(s) count as failures", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
