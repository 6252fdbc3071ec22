"""What the harness hands out together is what shares something."""

from __future__ import annotations

import ast
import fcntl
import os
import select
import signal
from itertools import product
from pathlib import Path

import pytest

from tests.harness.side_by_side import KINDS, ONE_BY_ONE, ORDINARY, STAGES, WHOLE, Turns, unit_of
from tests.rigs.isolated import isolated
from tests.rigs.patience import PATIENCE

SOURCE = Path(__file__).parents[2]
SHARED = {"class", "module", "package", "session"}


def shares(file: Path) -> bool:
    """Whether a fixture of the file's is for more than one test."""
    words = (one for one in ast.walk(ast.parse(file.read_text())) if isinstance(one, ast.keyword))
    return any(
        one.arg == "scope" and isinstance(one.value, ast.Constant) and one.value.value in SHARED
        for one in words
    )


def test_files_whose_tests_share_a_fixture_stay_together() -> None:
    files = (SOURCE / ONE_BY_ONE).glob("test_*.py")
    assert {str(file.relative_to(SOURCE)) for file in files if shares(file)} == WHOLE


def test_other_tests_with_labs_are_handed_out_one_by_one_and_other_files_whole() -> None:
    lab, unit = "tests/e2e/test_names.py::test_a[x::y]", "tests/unit/test_docs.py::test_b"
    shared, slow = "tests/e2e/test_hands.py::test_c", "tests/slow/explained.py::test_d[z]"
    assert [unit_of(test) for test in (lab, unit, shared, slow)] == [
        lab,
        "tests/unit/test_docs.py",
        "tests/e2e/test_hands.py",
        slow,
    ]


TOGETHER = {("", ""), ("crowd", "throughput"), ("throughput", "crowd")}
"""Stages of two tests in two processes that may be at once."""
PAIRS = [pair for pair in product(STAGES, STAGES) if pair not in product(KINDS, [ORDINARY])]
"""No ordinary test is handed out after one of a kind."""


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_test_begins_beside_those_that_it_may_share_the_machine_with(
    one: str, other: str, tmp_path: Path
) -> None:
    turns = Turns(tmp_path / "lock")
    turns.take(one)
    child = os.fork()
    if child == 0:
        code = 2
        try:
            Turns(tmp_path / "lock").take(other, fcntl.LOCK_NB)
            code = 0
        except BlockingIOError:
            code = 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    turns.leave()
    assert code == (0 if (one, other) in TOGETHER else 1)


def test_a_lab_of_a_test_dies_with_pytest() -> None:
    reading, writing = os.pipe()
    program = os.fork()
    if program == 0:
        os.close(reading)
        try:
            isolated(lambda: os.write(writing, b"begun") and signal.pause())
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 5) == b"begun"
    os.kill(program, signal.SIGKILL)
    os.waitpid(program, 0)
    assert select.select([reading], [], [], PATIENCE)[0], "it lives on"
    assert os.read(reading, 1) == b""
    os.close(reading)
