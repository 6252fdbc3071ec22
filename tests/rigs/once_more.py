"""Tests once more, by an ordinary user."""

from __future__ import annotations

from tests.harness import as_user


def passes(*tests: str) -> None:
    """All of the files' tests pass, and none is skipped."""
    done = as_user.run("./p2slab", "test", *tests, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
