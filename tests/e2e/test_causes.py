"""An explanation names the cause: each file of tests/causes has one thing wrong, or two, and its
header says the layer, the words of the cause, and those of the proof.

Here are as few as have every function that recognises a cause; tests/slow/causes.py has all.
"""

from __future__ import annotations

import pytest

from tests.rigs.causes import FILES, assert_named, fewest


@pytest.mark.parametrize("name", fewest())
def test_the_cause_is_named_with_its_proof(name: str) -> None:
    assert_named(name)


def test_there_are_files() -> None:
    assert len(FILES) >= 50
