"""Mutations are made at one place and undone, and what they break is told from what they do not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from lab.cli.seed_coverage import Proof
from tests.seed import mutate

CODE = "MOST = 1\nLEAST = 0\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text(CODE)
    return tmp_path


def proof(text: str = "MOST = 1", becomes: str = "MOST = 2", shows: str = "a.py::test_a") -> Proof:
    return Proof.model_validate({
        "shows": shows, "in": "code.py", "text": text, "becomes": becomes
    })  # fmt: skip


def test_a_mutation_is_made_and_undone(checkout: Path) -> None:
    path = checkout / "code.py"
    with mutate.applied(checkout, proof()):
        assert path.read_text() == "MOST = 2\nLEAST = 0\n"
        first = path.stat().st_mtime
    assert path.read_text() == CODE
    with mutate.applied(checkout, proof(becomes="MOST = 3")):
        assert path.stat().st_mtime != first  # or Python would take the first one's bytecode


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (proof(), None),
        (proof("MOST = 7"), "'MOST = 7' is 0 times in code.py"),
        (proof(" = "), "' = ' is 2 times in code.py"),
        (proof(becomes="MOST = 1"), "the mutation changes nothing"),
        (proof().model_copy(update={"file": "gone.py"}), "there is no file gone.py"),
    ],
)
def test_a_mutation_that_cannot_be_made_is_told(
    checkout: Path, one: Proof, words: str | None
) -> None:
    flaw = mutate.flaw_of(checkout, one)
    assert flaw == words or (words and flaw and flaw.startswith(words))


@pytest.mark.parametrize(
    ("without", "under", "said"),
    [
        ("passed", "failed", "caught"),
        ("passed", "refused by validate", "caught"),
        ("passed", "passed", "NOT CAUGHT"),
        ("passed", "not run", "NOT CAUGHT"),
        ("failed", "failed", "unsound"),
        ("not run", "failed", "unsound"),
    ],
)
def test_a_row_is_judged(
    checkout: Path, capsys: pytest.CaptureFixture[str], without: str, under: str, said: str
) -> None:
    good = said == "caught"

    def run(place: Path, proofs: Iterable[Proof]) -> dict[str, str]:
        mutated = (place / "code.py").read_text() != CODE
        return {one.shows: under if mutated else without for one in proofs}

    assert mutate.judge(checkout, {7: proof()}, run) is good
    told = capsys.readouterr().out
    assert told.startswith(f"{said:<10}    7  ")
    assert told.endswith(f"\n{int(good)} of 1 caught\n")


def test_rows_are_named_by_number_and_range() -> None:
    assert mutate.numbers(["42", "3-5", "4"]) == [3, 4, 5, 42]
    with pytest.raises(ValueError, match=r"^x, 1-$"):
        mutate.numbers(["x", "1-", "2"])


REPORT = """\
<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_good[1]" />
<testcase classname="tests.unit.test_a" name="test_good[2]"><failure message="1 != 2" /></testcase>
<testcase classname="tests.unit.test_a" name="test_odd"><error message="no module" /></testcase>
<testcase classname="tests.unit.test_a" name="test_left"><skipped message="no root" /></testcase>
</testsuite></testsuites>
"""


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("test_good", "failed"),
        ("test_good[1]", "passed"),
        ("test_good[2]", "failed"),
        ("test_good[3]", "not run"),
        ("test_odd", "not run"),
        ("test_left", "not run"),
    ],
)
def test_an_error_is_no_failure(name: str, outcome: str) -> None:
    test = f"tests/unit/test_a.py::{name}"
    assert mutate.of_report(REPORT, [test]) == {test: outcome}


def test_steps_hold_or_not_and_what_was_not_built_has_none() -> None:
    rows = '{"text": "a", "held": true}, {"text": "b", "held": true}, {"text": "b", "held": false}'
    assert mutate.of_verdict(1, f'[{{"results": [{rows}]}}]') == {"a": "passed", "b": "failed"}
    assert mutate.of_verdict(2, "") == {"": "refused by validate"}
    assert mutate.of_verdict(4, "") == {}
