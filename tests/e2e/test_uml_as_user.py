"""Nodes with a kernel of their own, and the walls around all, for an ordinary user: the same tests
once more, by one."""

from __future__ import annotations

import pytest

from tests.harness import as_user
from tests.rigs.once_more import passes

TESTS = ("tests/unit/lab/nodes/test_uml.py", "tests/unit/lab/kernel/test_uml.py",
         "tests/e2e/test_exec_uml.py", "tests/unit/lab/nodes/test_isolation.py")  # fmt: skip


@pytest.mark.skipif(not as_user.possible(), reason="these tests run as an ordinary user already")
def test_a_user_has_nodes_with_kernels_and_walls_of_their_own() -> None:
    passes(*TESTS)
