"""An explanation names the cause: each file of tests/causes has one thing wrong, or two, and its
header says the layer, the words of the cause, and those of the proof."""

from __future__ import annotations

import pytest

from tests.rigs.causes import FILES, FOLDER, cause_of
from tests.rigs.verified import verified

EXPECTATION_FAILED = 1


@pytest.mark.parametrize("name", FILES)
def test_the_cause_is_named_with_its_proof(name: str) -> None:
    wanted = cause_of(name)
    code, told = verified(f"{FOLDER}/{name}")
    assert code == EXPECTATION_FAILED, told["failure"]
    *others, last = told["results"]
    assert all(row["held"] for row in others), [row for row in others if not row["held"]]
    found = last["explanation"]
    assert wanted.missing(found) + wanted.unproved(found) == [], found


def test_there_are_files() -> None:
    assert len(FILES) >= 50
