"""What the harness hands out together is what shares something."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.harness.side_by_side import ONE_BY_ONE, WHOLE, unit_of

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
