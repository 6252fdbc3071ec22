"""Tests once more, by an ordinary user."""

from __future__ import annotations

import subprocess

from tests.harness import as_user
from tests.rigs.verified import CHECKOUT

LIMIT = 600
"""Seconds."""


def passes(*tests: str) -> None:
    """All of the files' tests pass, and none is skipped."""
    done = subprocess.run(
        as_user.argv("./p2slab", "test", *tests, "-q"),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
