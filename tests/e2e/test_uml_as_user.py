"""Nodes with a kernel of their own, and the walls around all, for an ordinary user: the same tests
once more, by one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness import as_user

CHECKOUT = Path(__file__).parents[2]
TESTS = ("tests/unit/lab/nodes/test_uml.py", "tests/unit/lab/kernel/test_uml.py",
         "tests/e2e/test_exec_uml.py", "tests/unit/lab/nodes/test_isolation.py")  # fmt: skip
LIMIT = 600
"""Seconds: the user's first run makes a private root."""


@pytest.mark.skipif(not as_user.possible(), reason="these tests run as an ordinary user already")
def test_a_user_has_nodes_with_kernels_and_walls_of_their_own() -> None:
    done = subprocess.run(
        as_user.argv("./p2slab", "test", *TESTS, "-q"),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
