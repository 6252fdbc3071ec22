"""Numbers in messages."""

from __future__ import annotations

import pytest

from lab.choices import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps")])
def test_a_number_has_the_noun_that_belongs_to_it(number: int, said: str) -> None:
    assert counted(number, "step") == said
