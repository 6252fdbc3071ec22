"""Every cause of tests/causes is named with its proof: p2slab test tests/slow/causes.py

Ten minutes on two processors (-n 6); -k NAME chooses causes.
"""

from __future__ import annotations

import pytest

from tests.rigs.causes import FILES, assert_named


@pytest.mark.parametrize("name", FILES)
def test_the_cause_is_named_with_its_proof(name: str) -> None:
    assert_named(name)
