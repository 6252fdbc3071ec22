from __future__ import annotations

from pathlib import Path

import pytest

from lab.cli.generate import generated

CHECKOUT = Path(__file__).parents[4]


@pytest.mark.parametrize("name", generated(CHECKOUT))
def test_a_file_made_from_the_code_is_as_the_code_is(name: str) -> None:
    present = (CHECKOUT / name).read_text(encoding="utf-8")
    assert present == generated(CHECKOUT)[name], "write it anew: ./p2slab test --generate"
